"""Events: who hears what."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from admit.events import Event, Events, LoggedIn, SessionEnded, SessionStolen
from admit.model import Client, EndReason

if TYPE_CHECKING:
    import pytest

AT = datetime(2026, 1, 1, tzinfo=UTC)
LOGIN = LoggedIn(at=AT, subject="ada", session_id="id", method="password", client=Client())
THEFT = SessionStolen(at=AT, subject="ada", session_id="id", reason=EndReason.STOLEN)


def test_subscribers_hear_their_type_and_its_kinds() -> None:
    """Whoever subscribes to a type hears it and what derives from it, and nothing else."""
    events = Events()
    heard: dict[type[Event], list[Event]] = {Event: [], SessionEnded: [], SessionStolen: [], LoggedIn: []}
    for kind, into in heard.items():
        events.subscribe(kind, into.append)
    events.publish(LOGIN)
    events.publish(THEFT)
    assert heard == {Event: [LOGIN, THEFT], SessionEnded: [THEFT], SessionStolen: [THEFT], LoggedIn: [LOGIN]}


def test_a_subscriber_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """What a subscriber raises is logged, and the others hear the event all the same."""
    events = Events()
    heard: list[Event] = []

    def fail(_event: Event) -> None:
        message = "disk full"
        raise OSError(message)

    events.subscribe(LoggedIn, fail)
    events.subscribe(LoggedIn, heard.append)
    with caplog.at_level(logging.ERROR, "admit.subscribers"):
        events.publish(LOGIN)
    assert heard == [LOGIN]
    assert "disk full" in caplog.text
