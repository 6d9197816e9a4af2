"""Filling stores with sessions by the million, beside their own verbs, which would take hours."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from admit.model import Client
from admit.stores import redis_packing, sql_rows
from admit.stores.redis_scripts import LIST_IN
from admit.testing import a_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.model import Session
    from admit.stores.redis import RedisStore
    from admit.stores.sql import SqlStore

#: Up to which number every tenth session is over.
OVER = 1_000_000
NOW = datetime.now(UTC)
#: What browsers call themselves, the common ones and others.
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.6 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
        "Safari/605.1.15"
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; SM-S928B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Version/4.0 Chrome/139.0.7258.143 Mobile Safari/537.36 Instagram/394.0.0.46.81 Android"
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
        "Safari/537.36 Edg/140.0.3485.54"
    ),
    "Dalvik/2.1.0 (Linux; U; Android 13; 2201117TG Build/TKQ1.221114.001)",
    "com.example.notes/4.18.2 (build 9021; iPad14,3; iPadOS 18.1) Alamofire/5.9.1",
)
_CHUNK = 5_000
_AGO = timedelta(days=3)


def fill_sqlite(store: SqlStore, numbers: range) -> None:
    """Add sessions in large transactions."""
    for chunk in _chunks(numbers):
        with store._database.transaction() as run:  # noqa: SLF001
            for session in chunk:
                run(store._statements.add, sql_rows.row_of(session))  # noqa: SLF001


def fill_redis(store: RedisStore, numbers: range) -> None:
    """Add sessions with many commands at once: those of a login, in its order."""
    for chunk in _chunks(numbers):
        due = store._nodes.ask_all([_list_in(store, one) for one in chunk])  # noqa: SLF001
        store._nodes.ask_all([_set(store, *pair) for pair in zip(chunk, due, strict=True)])  # noqa: SLF001


def fill_postgres(url: str, schema: str, numbers: range) -> None:
    """Let the server make sessions up."""
    template = dict(zip(sql_rows.SESSION_COLUMNS, sql_rows.row_of(a_session()), strict=True))
    earlier = f"CASE WHEN number < {OVER} AND mod(number, 10) = 0 THEN {_AGO // timedelta(microseconds=1)} ELSE 0 END"
    made_up = {
        "id": "translate(rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_')",
        "subject": "'user ' || number / 10",
        "secret_hash": "sha256(uuid_send(gen_random_uuid()))",
        "seed": "uuid_send(gen_random_uuid())",
        "address": "'192.0.2.' || mod(number, 250)",
        "user_agent": f"(%(agents)s::text[])[1 + mod(number, {len(AGENTS)})]",
        "seen_at": f"%(seen_at)s - {earlier}",
        "expires_at": f"%(expires_at)s - {earlier}",
    }
    values = ", ".join(made_up.get(name, f"%({name})s") for name in template)
    series = f"generate_series({numbers.start}, {numbers.stop - 1}) number"
    insert = f"INSERT INTO {schema}.admit_sessions ({', '.join(template)}) SELECT {values} FROM {series}"  # noqa: S608
    ask_postgres(url, insert, {**template, "agents": list(AGENTS)})


@contextmanager
def without_indexes(url: str, schema: str) -> Iterator[None]:
    """Make the indexes after the rows, as when a table is restored."""
    ours = f"schemaname = '{schema}' AND tablename = 'admit_sessions' AND indexname != 'admit_sessions_pkey'"
    made = ask_postgres(url, f"SELECT indexname, indexdef FROM pg_indexes WHERE {ours}")  # noqa: S608
    ask_postgres(url, f"ALTER TABLE {schema}.admit_sessions DROP CONSTRAINT admit_sessions_pkey")
    for name, _ in made:
        ask_postgres(url, f"DROP INDEX {schema}.{name}")
    yield
    ask_postgres(url, f"ALTER TABLE {schema}.admit_sessions ADD PRIMARY KEY (id)")
    for _, definition in made:
        ask_postgres(url, definition)
    ask_postgres(url, f"VACUUM ANALYZE {schema}.admit_sessions")


def ask_postgres(url: str, statement: str, values: dict[str, Any] | None = None) -> list[Any]:
    """Run one statement, however long it takes."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def _chunks(numbers: range) -> Iterator[list[Session]]:
    """Make up sessions of users with ten each; in the first so many, every tenth is over."""
    for begin in range(0, len(numbers), _CHUNK):
        yield [_session(number) for number in numbers[begin : begin + _CHUNK]]


def _session(number: int) -> Session:
    client = Client(f"192.0.2.{number % 250}", AGENTS[number % len(AGENTS)])
    session = a_session(subject=f"user {number // 10}", client=client)
    return replace(session, seen_at=NOW - _AGO) if number < OVER and not number % 10 else session


def _list_in(store: RedisStore, session: Session) -> tuple[str | bytes | int, ...]:
    moments = (int(moment.timestamp() * 1000) for moment in (session.expires_at, session.ends_at))
    return ("EVALSHA", LIST_IN, 1, store._lists.key(session.subject), session.id, *moments, 86_400_000)  # noqa: SLF001


def _set(store: RedisStore, session: Session, due: bytes) -> tuple[str | bytes | int, ...]:
    return ("SET", store._records._key(session.id), redis_packing.pack_session(session), "PXAT", due)  # noqa: SLF001
