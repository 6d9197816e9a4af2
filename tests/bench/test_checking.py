"""The checker of the promises finds each kind of violation in a forged history, and nothing in one that is in order."""

from __future__ import annotations

import pytest

from bench.faults import checking
from bench.faults.checking import BOUND, IDENTITY, KEPT, RACES, REVOKED, STATUSES, THEFT
from bench.faults.history import History, Operation
from tests.deployment.site import Outage

ADA = "ada@example.org"
OUT = {"status": 401, "said": "session_revoked"}


def op(what: str, began: float, status: int = 200, *, ended: float | None = None, **notes: object) -> Operation:
    """Return a request of Ada's that took a tenth of a second, with her session ``s`` unless it was another."""
    said = ADA if what == "look" and status == 200 else ""
    defaults = {"session": "" if what == "sign in" else "s", "said": said}
    return Operation(what, ADA, began, began + 0.1 if ended is None else ended, status, **{**defaults, **notes})


def broken(*history: Operation) -> list[str]:
    """Return the promises that a history breaks."""
    return [one.promise for one in checking.violations(history)]


IN = op("sign in", 0, given="s")
OTHER = op("sign in", 0, given="t")
LATE = 2 + BOUND + 1

#: Histories, and the promise that each breaks.
FORGED = {
    "signed out, and in": ([IN, op("sign out", 1, 204), op("look", LATE)], REVOKED),
    "ended by another device": (
        [IN, OTHER, op("end one", 1, target="t"), op("look", LATE, session="t")],
        REVOKED,
    ),
    "all others ended": ([IN, OTHER, op("end others", 1), op("look", LATE, session="t")], REVOKED),
    "the password changed": (
        [IN, OTHER, op("change", 1, given="u", secret=1), op("look", LATE, session="t")],
        REVOKED,
    ),
    "begun by the old password beside the change": (
        [IN, op("change", 1, ended=3, given="u", secret=1), op("sign in", 2, given="t"), op("look", 9, session="t")],
        REVOKED,
    ),
    "replaced beside the end of all others": (
        [IN, OTHER, op("end others", 1, ended=2), op("confirm", 1, session="t", given="u"), op("look", 9, session="u")],
        REVOKED,
    ),
    "refused, and in again": (
        [IN, op("sign out", 1, 503, says_when=True), op("look", 2, **OUT), op("look", 2 + LATE)],
        REVOKED,
    ),
    "the old password after the change": (
        [IN, op("change", 1, given="u", secret=1), op("sign in", 2, given="t", secret=0)],
        REVOKED,
    ),
    "refused though nobody ended it": ([IN, op("look", 1, status=401, said="session_required")], KEPT),
    "refused before it was ended": ([IN, op("look", 1, **OUT), op("sign out", 2, 204)], KEPT),
    "kept by who ends the others, and refused": ([IN, OTHER, op("end others", 1), op("look", 2, **OUT)], KEPT),
    "begun after all had ended, and refused": (
        [IN, op("end others", 1), op("sign in", 2, given="t"), op("look", 3, session="t", **OUT)],
        KEPT,
    ),
    "not to be found by its owner": ([IN, OTHER, op("end one", 1, 404, target="t")], KEPT),
    "the right password refused": ([IN, op("sign in", 1, 401, said="invalid_credentials")], KEPT),
    "two took one challenge": ([op("take", 1, race="c"), op("take", 1, race="c")], RACES),
    "nobody took it": ([op("take", 1, 410, race="c"), op("take", 1, 410, race="c")], RACES),
    "two replaced one session": (
        [IN, op("confirm", 1, race="s", given="t"), op("confirm", 1, race="s", given="u")],
        RACES,
    ),
    "accused of theft": ([IN, op("look", 1, 401, said="session_stolen")], THEFT),
    "answered as somebody else": ([IN, op("look", 1, said="bob@example.org")], IDENTITY),
    "shown the devices of somebody else": ([IN, op("devices", 1, said="t")], IDENTITY),
    "an error": ([IN, op("look", 1, 500)], STATUSES),
    "not there": ([IN, op("look", 1, 404)], STATUSES),
    "no word of when to come back": ([IN, op("look", 1, 503)], STATUSES),
}


@pytest.mark.parametrize("name", FORGED)
def test_each_kind_of_violation_is_found(name: str) -> None:
    """A forged history breaks exactly the promise that it was forged to break, whatever the order it is given in."""
    history, promise = FORGED[name]
    assert broken(*history) == [promise]
    assert broken(*reversed(history)) == [promise]


#: Histories that some order of what overlaps explains.
HONEST = {
    "believed within the bound": [IN, op("sign out", 1, 204), op("look", 1 + BOUND)],
    "signed out without an answer, and out": [IN, op("sign out", 1, 0), op("look", 9, **OUT)],
    "signed out without an answer, and in": [IN, op("sign out", 1, 0), op("look", 9), op("look", 10, **OUT)],
    "refused beside what ended it": [IN, op("sign out", 1, 204, ended=3), op("look", 2, **OUT)],
    "the winner replaced it": [
        IN,
        op("confirm", 1, ended=2, race="s", given="t"),
        op("confirm", 1, 401, ended=2, race="s", said="session_replaced"),
        op("look", 9, session="t"),
    ],
    "a race that a lost answer may have won": [op("take", 1, 410, race="c"), op("take", 1, 0, race="c")],
    "a login beside the end of all others": [
        IN,
        op("end others", 1, ended=3),
        op("sign in", 2, given="t"),
        op("sign in", 2, given="u"),
        op("look", 9, session="t"),
        op("look", 9, session="u", **OUT),
    ],
    "a change without an answer": [
        IN,
        op("change", 1, 0, secret=1),
        op("sign in", 2, 401, secret=1, said="invalid_credentials"),
        op("sign in", 3, given="t"),
        op("sign in", 30, 401, said="invalid_credentials"),
        op("sign in", 31, secret=1, given="u"),
    ],
    "an answer that was thrown away": [IN, op("look", 1, 0, is_dropped=True), op("look", 2)],
    "a session of somebody unknown": [op("look", 1, session="x", **OUT)],
    "told to come back": [IN, op("look", 1, 503, says_when=True), op("look", 2)],
}


@pytest.mark.parametrize("name", HONEST)
def test_what_some_order_explains_is_no_violation(name: str) -> None:
    """What may have happened in an allowed order breaks no promise."""
    assert broken(*HONEST[name]) == []


def test_a_session_that_came_by_replacing_ends_with_the_others() -> None:
    """What a replaced session has become is ended by whatever ends all sessions that began before."""
    before = [IN, OTHER, op("confirm", 1, session="t", given="u"), op("end others", 2)]
    assert broken(*before, op("look", 3, session="u", **OUT)) == []
    assert broken(*before, op("look", 3 + LATE, session="u")) == [REVOKED]


def test_a_violation_is_told_once() -> None:
    """However often a session is accepted after its end, it is one violation."""
    assert broken(IN, op("sign out", 1, 204), *(op("look", LATE + number) for number in range(5))) == [REVOKED]


def test_what_no_fault_accounts_for_is_found() -> None:
    """Without a fault at its time a request has to be answered, unless the queue is full or the answer thrown away."""
    fault = Outage("the store killed", 10.0, 12.0)
    due = [op("look", 9.95, 503), op("look", 11, 0), op("look", 12 + checking.AFTERMATH, 503)]
    queued, thrown = op("sign in", 30, 503, said="overloaded"), op("look", 30, 0, is_dropped=True)
    early, late, lost = op("look", 5, 503), op("look", 18, 503), op("look", 18, 0)
    assert checking.unaccounted([*due, queued, thrown, early, late, lost, IN], [fault]) == [early, late, lost]
    assert checking.unaccounted(due, []) == due


def test_a_history_is_bounded() -> None:
    """A history that is full tells its clients to stop."""
    history = History(limit=2)
    history.add(IN)
    assert not history.stop.is_set()
    assert history.add(OTHER) is OTHER
    assert history.stop.is_set()
