"""Processes killed at random in a login, a rotation or a logout, over every store that outlives them."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from datetime import timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from admit import tokens
from admit.events import Event, Events, LoggedIn, SessionEnded
from admit.gate import Gate
from admit.model import EndReason
from admit.settings import SessionSettings
from admit.stores import open_store
from admit.testing import Clock
from admit.testing.samples import REVOKED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from multiprocessing.connection import Connection
    from pathlib import Path

    from admit.store import SessionStore

TURNS = 6
LONG = SessionSettings(idle=None, absolute=timedelta(days=36_500))


class Told(NamedTuple):
    """What a client was given, and when."""

    token: str
    at: datetime


def store_at(url: str) -> SessionStore:
    """Open the store, with more patience than an application has."""
    return open_store(url, connect_timeout=30, command_timeout=30)


def live_until_killed(url: str, subject: str, said: Connection) -> None:
    """Log in, rotate and log out for ever, saying each event and each token that a client gets."""
    events, clock = Events(), Clock()
    events.subscribe(Event, said.send)
    gate = Gate(store_at(url), LONG, clock=clock, events=events)
    session = None
    while True:
        admitted = gate.admit(subject, "login", replacing=session)
        said.send(Told(admitted.token, clock()))
        # Used once, or what took the place of another ends after a minute.
        gate.resume(admitted.token)
        clock.advance(timedelta(hours=1))
        rotated = gate.resume(admitted.token)
        assert rotated.token is not None
        said.send(Told(rotated.token, clock()))
        session = gate.resume(rotated.token).session
        assert session is not None
        if random.random() < 0.3:  # noqa: S311 -- a coin, no secret
            gate.revoke(session.id, reason=EndReason.LOGOUT)
            session = None


def heard_of_a_life(url: str, subject: str) -> list[Any]:
    """Let a process live for a moment of random length, kill it, and return all that it said."""
    processes = get_context("spawn")
    listening, saying = processes.Pipe(duplex=False)
    process = processes.Process(target=live_until_killed, args=(url, subject, saying))
    process.start()
    saying.close()
    # What is waited for first is that the process is at work.
    assert listening.poll(60)
    # It must not wait for a reader, or it would be killed in always the same place.
    heard, until = [], time.monotonic() + random.uniform(0.05, 0.25)  # noqa: S311
    while (left := until - time.monotonic()) > 0:
        if listening.poll(left):
            heard.append(listening.recv())
    process.kill()
    process.join()
    with suppress(EOFError, ConnectionError):
        while True:
            heard.append(listening.recv())
    return heard


@pytest.fixture(params=["sqlite", "postgresql", "redis", "redis+cluster"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a real store that outlives the process."""
    match request.param:
        case "redis":
            return str(request.getfixturevalue("redis_url"))
        case "redis+cluster":
            return str(request.getfixturevalue("redis_cluster_url"))
        case "postgresql":
            return str(request.getfixturevalue("postgres_server").url)
        case _:
            return f"sqlite:///{tmp_path}/sessions.db"


@pytest.fixture
def store(url: str) -> Iterator[SessionStore]:
    """Open the store, and make its tables where it has any."""
    store = store_at(url)
    getattr(store, "create", lambda: None)()
    yield store
    store.close()


def test_state_and_events_agree_after_a_kill(url: str, store: SessionStore) -> None:
    """What was published is so, what was not is at most one step ahead, and a client's last token opens its session."""
    for _ in range(TURNS):
        subject = tokens.new_id()
        heard = heard_of_a_life(url, subject)
        begun = {one.session_id for one in heard if isinstance(one, LoggedIn)}
        ended = {one.session_id: one.reason for one in heard if isinstance(one, SessionEnded)}
        alive = {one.id for one in store.list_sessions(subject)}
        endings = {one: store.get_ending(one) for one in begun | set(ended)}
        assert {one: ending.reason for one, ending in endings.items() if ending and one in ended} == ended
        unsaid = {one for one, ending in endings.items() if ending and one not in ended}
        assert len(unsaid) <= 1
        assert begun - set(ended) - unsaid == alive & begun
        assert len(alive) <= 1
        check_last_token([one for one in heard if isinstance(one, Told)][-1], alive, store)
        store.delete_sessions(subject, ending=REVOKED)


def check_last_token(told: Told, alive: set[str], store: SessionStore) -> None:
    """See that the token which was told last opens its session, if that is alive, and nothing otherwise."""
    token = tokens.parse(told.token)
    assert token is not None
    resumed = Gate(store, LONG, clock=lambda: told.at).resume(told.token)
    assert (resumed.session is not None) == (token.id in alive)
