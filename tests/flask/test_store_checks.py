"""What the doctor finds out by asking stores and mail servers."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Integer, String, create_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column, sessionmaker

from admit.background import BackgroundSender
from admit.feature import Feature
from admit.flask import store_checks
from admit.flask.store_checks import kind_of_disk, store_findings
from admit.mail import ConsoleSender
from admit.smtp import SmtpSender
from admit.store import Stores
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore
from admit.stores.sql_model import ModelAccounts
from admit.testing import a_session
from tests.flask.facts_of_tests import accounts, cookie_login, said, stored, wrong
from tests.mail_server import Mailbox, mail_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.findings import Finding
    from tests.services.redis import RedisServer

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no busy machine for a slow store."""
    monkeypatch.setattr(store_checks, "_SLOW", 30)
    monkeypatch.setattr(store_checks, "_PATIENCE", 30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """Return a store in a file."""
    store = SqlStore(f"sqlite:///{tmp_path}/app.db", command_timeout=30)
    yield store
    store.close()


def found_in(sessions: Any, people: Any = None) -> list[Finding]:
    """Return what is found of these stores."""
    return list(store_findings(stored(stores=Stores(sessions=sessions, accounts=people)), now=NOW))


def test_without_a_store_there_is_nothing_to_ask() -> None:
    """A login in a cookie has no store."""
    assert list(store_findings(cookie_login(), now=NOW)) == []


def test_a_store_as_it_should_be(store: SqlStore) -> None:
    """A store that answers, is current, is purged and pushes has nothing wrong; one for both is looked at once."""
    found = found_in(NearStore(store), store)
    assert wrong(found) == []
    assert [one.check for one in found] == ["store", "purge", "tables", "near_cache"]


def test_without_a_near_cache(store: SqlStore) -> None:
    """Where nothing is kept at hand, nothing has to be pushed."""
    found = found_in(store)
    assert said(found)["near_cache"] == "ok"
    assert "each change counts at once" in found[-1].sentence


def test_a_store_in_memory() -> None:
    """Of memory there is little to ask."""
    assert [one.check for one in found_in(MemoryStore())] == ["store"]


def test_nobody_purges(store: SqlStore) -> None:
    """What is over for longer than two days is told; what a daily purge will find is not."""
    store.add_session(a_session(idle=DAY, ends_at=NOW + 100 * DAY, seen_at=NOW - 2 * DAY))
    assert said(found_in(store))["purge"] == "ok"
    store.add_session(a_session(idle=DAY, ends_at=NOW + 100 * DAY, seen_at=NOW - 4 * DAY))
    assert wrong(found_in(store)) == [("purge", "warning")]


def test_a_server_that_forgets(redis_server: RedisServer) -> None:
    """A Redis that makes room by what it likes is told of, as is one that does not say; one that refuses is well."""
    store = RedisStore(redis_server.url, command_timeout=30, connect_timeout=30)
    assert said(found_in(store))["eviction"] == "ok"
    redis_server.ask("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    [finding] = [one for one in found_in(store) if one.check == "eviction"]
    assert str(finding.severity) == "warning"
    assert "volatile-lru" in finding.sentence
    redis_server.ask("ACL", "SETUSER", "default", "-info")
    assert said(found_in(store))["eviction"] == "note"
    store.close()


def test_tables_of_another_version(store: SqlStore) -> None:
    """Tables that a migration has not seen are told."""
    with store._database.transaction() as run:
        run("UPDATE admit_alembic_version SET version_num = '0001'")
    assert wrong(found_in(store)) == [("tables", "error")]
    with store._database.transaction() as run:
        run("DROP TABLE admit_alembic_version")
    assert wrong(found_in(store)) == [("tables", "error")]


def test_a_store_that_is_away(tmp_path: Path) -> None:
    """A store that does not answer is told in a sentence, for what keeps sessions and for the push."""
    away = RedisStore("redis://127.0.0.1:1", connect_timeout=0.05)
    found = found_in(NearStore(away))
    assert wrong(found) == [("store", "error"), ("near_cache", "error")]
    assert found[0].sentence.startswith("RedisStore does not answer: ")
    away.close()


def test_a_store_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that each request waits for is a warning."""
    monkeypatch.setattr(store_checks, "_SLOW", 0.02)
    times = iter(range(10))
    monkeypatch.setattr(store_checks.time, "perf_counter", lambda: next(times) / 10)
    found = found_in(MemoryStore())
    assert wrong(found) == [("store", "warning")]
    assert found[0].sentence == "MemoryStore answers in 100.0 ms."


class Silent(SqlStore):
    """Tells nothing."""

    def on_change(self, drop: Callable[[str | None], None]) -> Callable[[], None]:
        """Listen in vain."""
        return lambda: None


class Plain:
    """Keeps sessions, and can't tell what changed."""

    def get_session(self, session_id: str) -> None:
        """Return none."""


def test_changes_that_nobody_hears_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose words do not arrive is an error, and one that has none is a note."""
    monkeypatch.setattr(store_checks, "_PATIENCE", 0.1)
    silent = Silent(f"sqlite:///{tmp_path}/app.db", command_timeout=30)
    assert wrong(found_in(NearStore(silent))) == [("near_cache", "error")]
    silent.close()
    monkeypatch.setattr(store_checks, "seconds_until_heard", lambda *_, **__: None)
    deaf = SqlStore(f"sqlite:///{tmp_path}/app.db", command_timeout=30)
    found = found_in(NearStore(deaf))
    assert wrong(found) == [("near_cache", "error")]
    assert "does not let this process listen" in found[-1].sentence
    monkeypatch.setattr(deaf, "is_listening", lambda: True)
    found = found_in(NearStore(deaf))
    assert wrong(found) == [("near_cache", "error")]
    assert "does not push" in found[-1].sentence
    deaf.close()
    plain: Any = Plain()
    assert wrong(found_in(NearStore(plain))) == [("near_cache", "note")]


# -- users ------------------------------------------------------------------------------------------------------------


class Base(DeclarativeBase):
    """Of the application's own tables."""


class User(Base):
    """A user of the application."""

    __tablename__ = "user"
    id = mapped_column(Integer, primary_key=True)
    name = mapped_column(String(80))


@contextmanager
def people(folder: Path, *names: str) -> Iterator[ModelAccounts]:
    """Yield the users of an application as accounts."""
    engine = create_engine(f"sqlite:///{folder}/users.db")
    Base.metadata.create_all(engine)
    with sessionmaker(engine)() as session:
        session.add_all(User(name=name) for name in names)
        session.commit()
    adopted = ModelAccounts(sessionmaker(engine), User, identifiers={"name": "username"})
    adopted.open(command_timeout=30)
    yield adopted
    adopted.close()
    engine.dispose()


def found_of(adopted: ModelAccounts) -> list[Finding]:
    """Return what is found of these users."""
    return [one for one in found_in(MemoryStore(), adopted) if one.check == "users"]


def test_users_who_cannot_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users whose names can't be told apart, or can't be typed, are told; of many the first ones are."""
    with people(tmp_path, "ada", "Ada", "grace", "\u200bhidden") as adopted:
        found = found_of(adopted)
        assert [str(one.severity) for one in found] == ["warning", "warning"]
        assert "several users are called 'ada'" in found[0].sentence
        assert found[0].advice == "Rename all but one."
        monkeypatch.setattr(store_checks, "_MOST_NAMED", 1)
        assert [str(one.severity) for one in found_of(adopted)] == ["warning", "note"]
        monkeypatch.setattr(store_checks, "_MOST_USERS", 3)
        [many] = found_of(adopted)
        assert many.sentence == "There are 4 users: too many to compare their names here."


def test_users_who_can(tmp_path: Path) -> None:
    """Of users who can all sign in there is nothing to say."""
    with people(tmp_path, "ada", "grace") as adopted:
        assert found_of(adopted) == []


# -- disks ------------------------------------------------------------------------------------------------------------

MOUNTS = """
rootfs / rootfs rw 0 0
/dev/sda1 / ext4 rw 0 0
server:/export /srv/far nfs4 rw 0 0
//server/share /mnt/a\\040share cifs rw 0 0
tmpfs /srv/far/near tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/var/app.db", "ext4"),
        ("/srv/far/app.db", "nfs4"),
        ("/srv/farther/app.db", "ext4"),
        ("/srv/far/near/app.db", "tmpfs"),
        ("/mnt/a share/app.db", "cifs"),
    ],
)
def test_the_kind_of_a_disk(file: str, kind: str) -> None:
    """A file is on what is mounted closest above it, and the last of two that are mounted there."""
    assert kind_of_disk(Path(file), MOUNTS.strip()) == kind


def test_a_disk_of_the_network(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite on a disk of the network is an error, and where nobody tells of disks nothing is said."""
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(store_checks, "_MOUNTS", mounts)
    assert "disk" not in said(found_in(store))
    mounts.write_text("server:/export / nfs rw 0 0\n")
    assert wrong(found_in(store)) == [("disk", "error")]
    assert kind_of_disk(Path("/app.db"), "") == ""


# -- mails ------------------------------------------------------------------------------------------------------------


class Mailing(Feature):
    """Sends mails."""

    name = "mailing"
    sends_mail = True


def mails_by(sender: Any) -> list[Finding]:
    """Return what is found of who sends the mails."""
    facts = accounts(features={"mailing": Mailing()}, sender=sender, stores=None)
    return list(store_findings(facts, now=NOW))


def test_a_mail_server_that_lets_in() -> None:
    """The server is greeted, in the foreground too, and gets no mail."""
    mailbox = Mailbox(answers=deque())
    with mail_server(mailbox) as port:
        sender = SmtpSender("127.0.0.1", port, sender="a@example.org", tls="none")
        assert said(mails_by(sender)) == said(mails_by(BackgroundSender(sender))) == {"mail": "ok"}
    assert mailbox.tries == mailbox.raw == []


def test_a_mail_server_that_does_not() -> None:
    """A server that wants encryption, and one that is away, are errors that say where to look."""
    with mail_server(Mailbox(), login=True) as port:
        sender = SmtpSender("127.0.0.1", port, sender="a@example.org", tls="none", username="a", password="wrong")
        [found] = mails_by(sender)
    assert (found.check, str(found.severity)) == ("mail", "error")
    assert "wrong" not in found.sentence
    [found] = mails_by(SmtpSender("127.0.0.1", 1, sender="a@example.org", tls="none", timeout=1))
    assert "ConnectionRefusedError" in found.sentence
    assert "ADMIT_MAIL_URL" in found.advice


def test_senders_that_can_not_be_asked() -> None:
    """Of a function nobody knows whether it could send; that mails are printed is said elsewhere."""
    assert said(mails_by(object())) == {"mail": "note"}
    assert mails_by(ConsoleSender()) == []
