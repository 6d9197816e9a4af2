"""The promises, checked over a history: operations overlap, so each rule allows every order that explains the answers.

What has certainly ended a session before a request began must have ended it for that request, once the bound is over.
What may have ended it, because it was under way at the same time or its answer was lost, explains a refusal and
forbids nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bench.faults.history import Operation
    from tests.deployment.site import Outage

__all__ = ["BOUND", "PROMISES", "Violation", "unaccounted", "violations"]

#: How long a process may believe its near cache, in seconds, as documented.
BOUND = 5.0
#: How long after a fault its effects are still accounted for, in seconds.
AFTERMATH = 5.0

REVOKED = "a session that was ended is not accepted"
KEPT = "a session that nobody ended is not lost"
RACES = "a race has one winner"
THEFT = "no innocent is accused of theft"
IDENTITY = "nobody is answered as somebody else"
STATUSES = "no answer has an unexpected status"
PROMISES = (REVOKED, KEPT, RACES, THEFT, IDENTITY, STATUSES)

#: The statuses of each request; 503 is a matter of its own.
_EXPECTED = {
    "sign in": {200, 401},
    "look": {200, 401},
    "devices": {200, 401},
    "sign out": {204},
    "end one": {200, 401, 404},
    "end others": {200, 401},
    "change": {200, 401},
    "confirm": {200, 401},
    "issue": {200},
    "take": {200, 410},
}
_REPLACING = {"change", "confirm"}
_ENDING_ITS_OWN = {"sign out", *_REPLACING}
_ENDING_OTHERS = {"end others", "change"}
_THEFT = "session_stolen"
_BUSY = "overloaded"


class Violation(NamedTuple):
    """A promise that was broken, and how."""

    promise: str
    what: str
    #: When the answer that shows it came.
    at: float


@dataclass(frozen=True)
class Life:
    """A session: its id, what began it, and the login that it goes back to if it has replaced others."""

    id: str
    login: Operation


def violations(history: Iterable[Operation]) -> list[Violation]:
    """Return each promise that a history breaks, once a session, race or answer."""
    ordered = sorted(history, key=lambda one: one.began)
    found = [*_of_answers(ordered), *_of_races(_grouped(ordered, lambda one: one.race))]
    for person, operations in _grouped(ordered, lambda one: one.person).items():
        found += _of_person(person, operations)
    # The first of those that say the same.
    return list({(one.promise, one.what): one for one in reversed(found)}.values())[::-1]


def unaccounted(history: Iterable[Operation], outages: Sequence[Outage]) -> list[Operation]:
    """Return the requests that got no answer, or a 503, and no fault accounts for it."""
    return [
        one
        for one in history
        if one.is_unknown
        and not one.is_dropped
        and one.said != _BUSY
        and not any(one.began <= fault.ended + AFTERMATH and one.ended >= fault.began for fault in outages)
    ]


# -- what an answer alone shows ---------------------------------------------------------------------------------------


def _of_answers(history: Sequence[Operation]) -> Iterator[Violation]:
    for one in history:
        if one.is_dropped:
            continue
        if one.status == 503 and not one.says_when:
            yield Violation(STATUSES, f"{one.what}: 503 without a time to come back", one.ended)
        elif not one.is_unknown and one.status not in _EXPECTED[one.what]:
            yield Violation(STATUSES, f"{one.what}: {one.status} {one.said}", one.ended)
        if one.is_refused and one.said == _THEFT:
            yield Violation(THEFT, f"{one.person}, session {one.session}", one.ended)
        if one.is_done and one.what == "look" and one.said != one.person:
            yield Violation(IDENTITY, f"{one.person} was answered as {one.said}", one.ended)
        if one.is_done and one.what == "devices" and one.said != one.session:
            yield Violation(IDENTITY, f"{one.person}: session {one.session} was answered as {one.said}", one.ended)


def _of_races(races: dict[str, list[Operation]]) -> Iterator[Violation]:
    for race, runners in races.items():
        won = sum(one.is_done for one in runners)
        if race and (won > 1 or not (won or any(one.is_unknown for one in runners))):
            yield Violation(RACES, f"{race}: {won} winners of {len(runners)}", max(one.ended for one in runners))


# -- what the answers to one person show together ---------------------------------------------------------------------


def _of_person(person: str, history: list[Operation]) -> Iterator[Violation]:
    lives = _lives(history)
    by_session = _grouped(history, lambda one: one.session)
    for life in lives.values():
        yield from _of_session(person, life, by_session.get(life.id, []), history, lives)
    yield from _of_passwords(person, history)


def _lives(history: list[Operation]) -> dict[str, Life]:
    """Return the sessions that a person was given."""
    lives: dict[str, Life] = {}
    for one in sorted(history, key=lambda one: one.ended):
        if one.is_done and one.given and one.given not in lives:
            replaced = lives.get(one.session) if one.what in _REPLACING else None
            lives[one.given] = Life(one.given, replaced.login if replaced else one)
    return lives


def _of_session(
    person: str, life: Life, uses: list[Operation], history: list[Operation], lives: dict[str, Life]
) -> Iterator[Violation]:
    ends = [one for one in history if _may_end(one, life, lives)]
    refused = [one for one in uses if one.is_refused]
    # What was refused once has ended as well, whatever it was that ended it.
    gone = min([*(one for one in ends if _has_ended(one, life)), *refused], key=lambda one: one.ended, default=None)
    for one in uses if gone else ():
        # To sign out is answered alike whether the session lives or not.
        if one.is_done and one.what != "sign out" and one.began > gone.ended + BOUND:
            after = f"{one.began - gone.ended:.1f} s after {gone.what} was answered {gone.status}"
            said = f"{person}, session {life.id}: {one.what}, {after}{_begun(life, gone)}"
            yield Violation(REVOKED, said, one.ended)
            break
    # A session that its owner can't find to end it is lost as well.
    missed = [one for one in history if one.what == "end one" and one.target == life.id and one.status == 404]
    for one in [*refused, *missed]:
        if one.said != _THEFT and not any(end.began <= one.ended for end in ends):
            said = f"{person}, session {life.id}: {one.what} was answered {one.status} {one.said}"
            yield Violation(KEPT, said, one.ended)
            break


def _begun(life: Life, gone: Operation) -> str:
    is_beside = gone.what in _ENDING_OTHERS and life.login.ended >= gone.began
    return f", begun beside it by password {life.login.secret}" if is_beside else ""


def _may_end(one: Operation, life: Life, lives: dict[str, Life]) -> bool:
    """Tell whether a request has ended a session, or may have."""
    if not (one.is_done or one.is_unknown):
        return False
    if one.session == life.id and one.what in _ENDING_ITS_OWN:
        return True
    if one.what == "end one":
        return one.target == life.id
    if one.what not in _ENDING_OTHERS or life.login.began > one.until:
        return False
    asking = lives.get(one.session)
    return asking is None or asking.login is not life.login


def _has_ended(one: Operation, life: Life) -> bool:
    """Tell whether a request that may have ended a session certainly has."""
    if not one.is_done:
        return False
    if one.session == life.id or one.what == "end one":
        return True
    # A login by the old password does not count after the change, even if it began at the same moment.
    is_by_old_password = one.what == "change" and life.login.secret < one.secret
    return life.login.ended < one.began or is_by_old_password


def _of_passwords(person: str, history: list[Operation]) -> Iterator[Violation]:
    changes = [one for one in history if one.what == "change" and (one.is_done or one.is_unknown)]
    for one in history:
        if one.what != "sign in" or one.is_unknown:
            continue
        newer = [change for change in changes if change.secret > one.secret]
        if one.is_done and any(change.is_done and change.ended < one.began for change in newer):
            yield Violation(REVOKED, f"{person}: the password was accepted after it was changed", one.ended)
        made = [change for change in changes if change.secret == one.secret]
        has_counted = not one.secret or any(change.is_done and change.ended < one.began for change in made)
        if one.status == 401 and has_counted and not any(change.began <= one.ended for change in newer):
            yield Violation(KEPT, f"{person}: the right password was refused", one.ended)


def _grouped(history: Iterable[Operation], key: Callable[[Operation], str]) -> dict[str, list[Operation]]:
    groups: defaultdict[str, list[Operation]] = defaultdict(list)
    for one in history:
        groups[key(one)].append(one)
    return dict(groups)
