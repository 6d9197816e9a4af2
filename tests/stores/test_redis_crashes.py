"""Whenever a process dies, every session is alive and listed or ended with an ending: never both, never neither."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from admit import tokens
from admit.model import Ending, EndReason
from admit.stores.redis import RedisStore
from admit.stores.redis_packing import pack_session
from admit.testing import a_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from admit.model import Session

NOW = datetime.now(UTC)
LOGOUT = Ending(EndReason.LOGOUT, NOW, "owner")
REPLACED = Ending(EndReason.REPLACED, NOW)


class DiedHereError(BaseException):
    """The process is no more."""


class MortalStore(RedisStore):
    """A store whose process dies after so many commands, be they sent one by one or many at once."""

    def __init__(self, url: str, prefix: str, commands: int) -> None:
        super().__init__(url, prefix=prefix, connect_timeout=30, command_timeout=30)
        self.left = commands
        nodes: Any = self._nodes
        whole = nodes.ask

        def ask(*command: str | bytes | int) -> Any:
            if not self.left:
                raise DiedHereError
            self.left -= 1
            return whole(*command)

        nodes.ask = ask
        nodes.ask_all = lambda commands: [ask(*command) for command in commands]


@pytest.fixture(params=["redis_url", "redis_cluster_url"])
def url(request: pytest.FixtureRequest) -> str:
    """Return the URL of each kind of Redis in turn."""
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def prefix() -> str:
    """Return a prefix of the test's own."""
    return f"{tokens.new_id()}:"


@pytest.fixture
def witness(url: str, prefix: str) -> Iterator[RedisStore]:
    """Open the store of a process that lives on."""
    store = RedisStore(url, prefix=prefix, connect_timeout=30, command_timeout=30)
    yield store
    store.close()


def state(store: RedisStore, session: Session, *, list_first: bool) -> str:
    """Return "alive", "ended" or "nothing"; whichever way one looks, it has to be the same."""
    if list_first:
        listed = session.id in {one.id for one in store.list_sessions(session.subject)}
        alive = store.get_session(session.id) is not None
    else:
        alive = store.get_session(session.id) is not None
        listed = session.id in {one.id for one in store.list_sessions(session.subject)}
    ended = store.get_ending(session.id) is not None
    assert alive == listed
    assert not (alive and ended)
    return "alive" if alive else "ended" if ended else "nothing"


def deaths(url: str, prefix: str, verb: Callable[[RedisStore], object]) -> Iterator[None]:
    """Call the verb in a process that dies after no command, after one, after two, … until it gets through."""
    commands = 0
    while True:
        store = MortalStore(url, prefix, commands)
        with suppress(DiedHereError):
            verb(store)
            store.close()
            return
        yield
        store.close()
        commands += 1


both_ways = pytest.mark.parametrize("list_first", [True, False])


@both_ways
def test_death_in_a_login(url: str, prefix: str, witness: RedisStore, *, list_first: bool) -> None:
    """A login that dies has made a session or none."""
    made: list[Session] = []

    def log_in(store: RedisStore) -> None:
        made.append(a_session(subject=tokens.new_id()))
        store.add_session(made[-1])

    for _ in deaths(url, prefix, log_in):
        assert state(witness, made[-1], list_first=list_first) == "nothing"
    assert state(witness, made[-1], list_first=list_first) == "alive"
    assert len(made) > 2


@both_ways
@pytest.mark.parametrize("subject", ["ada", "grace"])
def test_death_in_a_replacement(url: str, prefix: str, witness: RedisStore, subject: str, *, list_first: bool) -> None:
    """A replacement that dies has happened or not: one of the two lives, and the other never did or has ended."""
    olds: list[Session] = []
    news: list[Session] = []
    outcomes: set[tuple[str, str]] = set()

    def replace(store: RedisStore) -> None:
        olds.append(a_session())
        news.append(a_session(subject=subject))
        witness.add_session(olds[-1])
        assert store.replace_session(olds[-1].id, news[-1], ending=REPLACED)

    for _ in deaths(url, prefix, replace):
        first, second = (news, olds) if list_first else (olds, news)
        states = {one.id: state(witness, one, list_first=list_first) for one in (first[-1], second[-1])}
        outcomes.add((states[olds[-1].id], states[news[-1].id]))
    assert outcomes == {("alive", "nothing"), ("ended", "alive")}
    assert len(olds) > 4


@pytest.mark.parametrize("verb", ["touch", "rotate", "end", "replace"])
def test_a_successor_whose_maker_died_can_be_used_at_once(
    url: str, prefix: str, witness: RedisStore, verb: str
) -> None:
    """Whatever is done first to a session that was just put in another's place, it is done to a session that lives."""
    olds: list[Session] = []
    news: list[Session] = []

    def replace(store: RedisStore) -> None:
        olds.append(a_session())
        news.append(a_session())
        witness.add_session(olds[-1])
        store.replace_session(olds[-1].id, news[-1], ending=REPLACED)

    for _ in deaths(url, prefix, replace):
        new = news[-1]
        uses: dict[str, Callable[[], bool]] = {
            "touch": lambda: witness.touch_session(new.id, seen_at=NOW, expires_at=new.expires_at),  # noqa: B023
            "rotate": lambda: witness.replace_secret(new, new),  # noqa: B023
            "end": lambda: witness.delete_session(new.id, ending=LOGOUT),  # noqa: B023
            "replace": lambda: witness.replace_session(new.id, a_session(), ending=REPLACED),  # noqa: B023
        }
        has_happened = uses[verb]()
        assert has_happened == (witness.get_ending(olds[-1].id) == REPLACED)


def test_a_writer_that_slept_too_long_writes_nothing(url: str, prefix: str, witness: RedisStore) -> None:
    """A session that is written after its entry may have been taken out is not kept: it would not be listed."""
    session = a_session()
    a_second_ago = str(int(time.time() * 1000) - 1000).encode()
    witness._records.write(session.id, pack_session(session), a_second_ago)
    assert state(witness, session, list_first=False) == "nothing"


@both_ways
def test_death_in_a_lost_replacement(url: str, prefix: str, witness: RedisStore, *, list_first: bool) -> None:
    """A replacement of what has ended already, and that dies, leaves no session that lives."""
    news: list[Session] = []

    def replace(store: RedisStore) -> None:
        old = a_session()
        news.append(a_session())
        witness.add_session(old)
        witness.delete_session(old.id, ending=LOGOUT)
        assert not store.replace_session(old.id, news[-1], ending=REPLACED)

    for _ in deaths(url, prefix, replace):
        assert state(witness, news[-1], list_first=list_first) == "nothing"
    assert witness.count_sessions() == 0


@both_ways
def test_death_in_a_logout(url: str, prefix: str, witness: RedisStore, *, list_first: bool) -> None:
    """A logout that dies has ended the session or not."""
    sessions: list[Session] = []
    outcomes: set[str] = set()

    def log_out(store: RedisStore) -> None:
        sessions.append(a_session())
        witness.add_session(sessions[-1])
        assert store.delete_session(sessions[-1].id, ending=LOGOUT)

    for _ in deaths(url, prefix, log_out):
        outcomes.add(state(witness, sessions[-1], list_first=list_first))
    assert outcomes == {"alive", "ended"}


@both_ways
def test_death_in_ending_all(url: str, prefix: str, witness: RedisStore, *, list_first: bool) -> None:
    """An end of all sessions that dies has ended some of them, and calling it again ends the rest."""
    subject = ""
    sessions: list[Session] = []

    def end_all(store: RedisStore) -> None:
        nonlocal subject
        subject = tokens.new_id()
        sessions[:] = [a_session(subject=subject) for _ in range(3)]
        for session in sessions:
            witness.add_session(session)
        assert store.delete_sessions(subject, ending=LOGOUT) == 3

    for _ in deaths(url, prefix, end_all):
        states = [state(witness, session, list_first=list_first) for session in sessions]
        assert set(states) <= {"alive", "ended"}
        assert witness.delete_sessions(subject, ending=LOGOUT) == states.count("alive")


def test_death_in_a_purge(url: str, prefix: str, witness: RedisStore) -> None:
    """A purge that dies leaves sessions that are whole or gone, and the next one takes the rest."""
    sessions: list[Session] = []
    after = NOW + timedelta(days=30)

    def purge(store: RedisStore) -> None:
        sessions[:] = [a_session(subject=tokens.new_id()) for _ in range(3)]
        for session in sessions:
            witness.add_session(session)
        assert store.purge(before=after) == 3

    for _ in deaths(url, prefix, purge):
        states = [state(witness, session, list_first=False) for session in sessions]
        assert set(states) <= {"alive", "nothing"}
        assert witness.purge(before=after) == states.count("alive")


# -- for real --------------------------------------------------------------------------------------


def live_until_killed(url: str, prefix: str, subject: str, said: Connection) -> None:
    """Log in, rotate, replace, touch and log out for ever, saying each new session before it is made."""
    store = RedisStore(url, prefix=prefix, connect_timeout=30, command_timeout=30)
    session = None
    while True:
        new = a_session(subject=subject)
        said.send((new, "is about to be made"))
        if session is None:
            store.add_session(new)
        else:
            store.touch_session(session.id, seen_at=NOW + timedelta(minutes=1), expires_at=session.expires_at)
            store.replace_secret(session, a_session(id=session.id, subject=subject))
            if not store.replace_session(session.id, new, ending=REPLACED):
                session = None
                continue
        said.send((new, "was made"))
        session = new
        if random.random() < 0.3:  # noqa: S311 a coin, no secret
            store.delete_session(session.id, ending=LOGOUT)
            session = None


def test_processes_killed_at_random(url: str, prefix: str, witness: RedisStore) -> None:
    """After kill -9 at random moments no session is lost, doubled, or alive without being listed."""
    processes = get_context("spawn")
    for turn in range(8):
        subject = f"subject {turn}"
        lives = []
        for _ in range(2):
            listening, saying = processes.Pipe(duplex=False)
            process = processes.Process(target=live_until_killed, args=(url, prefix, subject, saying))
            process.start()
            saying.close()
            lives.append((process, listening))
        made: dict[str, bool] = {}
        sessions: dict[str, Session] = {}
        for process, listening in lives:
            # The moment is random on purpose; what is waited for first is that the process is at work.
            assert listening.poll(60)
            time.sleep(random.uniform(0.0, 0.1))  # noqa: S311
            process.kill()
            process.join()
            with suppress(EOFError, ConnectionError):
                while True:
                    session, word = listening.recv()
                    sessions[session.id] = session
                    made[session.id] = word == "was made"
            listening.close()
        states = {one.id: state(witness, one, list_first=bool(turn % 2)) for one in sessions.values()}
        assert [one for one, was_made in made.items() if was_made and states[one] == "nothing"] == []
        alive = [one for one, what in states.items() if what == "alive"]
        assert len(alive) <= len(lives)
        assert witness.count_sessions(subject) == len(alive)
        assert witness.delete_sessions(subject, ending=LOGOUT) == len(alive)
    assert witness.count_sessions() == 0
