"""The rules about sessions, which are pure and monotone in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit import policy
from admit.model import Authentication, EndReason, Factor
from admit.testing import a_session

START = datetime(2026, 1, 1, tzinfo=UTC)
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))
SESSIONS = st.builds(
    lambda idle, absolute: a_session(
        created_at=START, seen_at=START, rotated_at=START, confirmed_at=START, idle=idle, ends_at=START + absolute
    ),
    st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
    st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
)


@given(SESSIONS, SPANS, SPANS)
def test_what_is_over_stays_over(session: object, one: timedelta, other: timedelta) -> None:
    """A session that is not alive at some time is not alive at any later one."""
    sooner, later = sorted((one, other))
    assert policy.is_alive(session, START + sooner) or not policy.is_alive(session, START + later)  # type: ignore[arg-type]


@given(SESSIONS, SPANS)
def test_a_reason_for_what_is_over(session: object, age: timedelta) -> None:
    """There is a reason exactly when the session's time is over, and it is the limit that came first."""
    reason = policy.end_reason(session, START + age)  # type: ignore[arg-type]
    assert (reason is None) is policy.is_alive(session, START + age)  # type: ignore[arg-type]
    if reason is not None:
        first = EndReason.ABSOLUTE if session.ends_at <= START + session.idle else EndReason.IDLE  # type: ignore[attr-defined]
        assert reason is first


def test_to_the_very_moment() -> None:
    """A session lives until just before its end, and at that moment it is over (attack 23)."""
    session = a_session(seen_at=START, idle=timedelta(hours=1))
    assert policy.is_alive(session, START + timedelta(hours=1) - timedelta(microseconds=1))
    assert not policy.is_alive(session, START + timedelta(hours=1))


@given(SPANS, SPANS)
def test_fresh_means_recent(age: timedelta, within: timedelta) -> None:
    """A session is fresh as long as its last authentication is recent enough."""
    proofs = tuple(Authentication("password", frozenset(), at) for at in (START - timedelta(days=1), START))
    session = a_session(authentications=proofs)
    assert policy.is_fresh(session, START + age, within) is (age <= within)


def test_without_a_proof_nothing_is_fresh() -> None:
    """A session that nobody has authenticated for is never fresh, however young it is (attack 35)."""
    assert not policy.is_fresh(a_session(created_at=START), START, timedelta(days=400))


@given(SPANS)
def test_when_to_touch_and_to_rotate(age: timedelta) -> None:
    """Use is noted and secrets change after their time, the latter only once the present one has long arrived."""
    session = a_session(seen_at=START, rotated_at=START, confirmed_at=START)
    now = START + age
    assert policy.needs_touch(session, now, timedelta(minutes=1)) is (age >= timedelta(minutes=1))
    hour, grace = timedelta(hours=1), timedelta(seconds=30)
    assert policy.needs_rotation(session, now, hour, grace) is (age >= hour)
    assert not policy.needs_rotation(session, now, None, grace)
    assert not policy.needs_rotation(replace(session, confirmed_at=None), now, hour, grace)
    late = replace(session, confirmed_at=START + 2 * hour)
    assert policy.needs_rotation(late, now, hour, grace) is (age >= 2 * hour + 2 * grace)


@given(SPANS)
def test_grace(age: timedelta) -> None:
    """A predecessor is accepted until the successor was used, and for a moment after that."""
    session = a_session(confirmed_at=START)
    assert policy.is_within_grace(session, START + age, timedelta(seconds=30)) is (age <= timedelta(seconds=30))
    assert policy.is_within_grace(replace(session, confirmed_at=None), START + age, timedelta(seconds=30))


@pytest.mark.parametrize(
    ("used", "began", "now", "is_served"),
    [
        (0, 120, 120, True),
        (0, 121, 121, False),
        (None, 7200, 7200, True),
        (7000, 7030, 7030, True),
        (7000, 7031, 7031, False),
        (0, 0, 7200, True),
        (0, 1, 7200, False),
    ],
)
def test_what_a_predecessor_is_good_for(used: int | None, began: int, now: int, *, is_served: bool) -> None:
    """It is served for two minutes, a moment after its successor was first used, and to what began before."""

    def at(seconds: int) -> datetime:
        return START + timedelta(seconds=seconds)

    session = a_session(rotated_at=START, confirmed_at=None if used is None else at(used))
    assert policy.serves_predecessor(session, at(now), timedelta(seconds=30), at(began)) is is_served


@pytest.mark.parametrize(
    ("every", "began", "is_theft"),
    [(3600, -1, False), (3600, 0, True), (30, 89, False), (30, 90, True), (None, 119, False), (None, 120, True)],
)
def test_what_an_older_secret_tells(every: int | None, began: int, *, is_theft: bool) -> None:
    """An older secret is a copy if no request could have been under way for so long."""
    session = a_session(rotated_at=START)
    steps = None if every is None else timedelta(seconds=every)
    assert policy.is_theft(session, START + timedelta(seconds=began), steps) is is_theft


def test_assurance_is_the_set_of_factors() -> None:
    """Assurance counts distinct factors, whatever brought them."""
    proofs = (
        Authentication("password", frozenset({Factor.KNOW}), START),
        Authentication("pin", frozenset({Factor.KNOW}), START),
        Authentication("passkey", frozenset({Factor.HAVE, Factor.ARE}), START),
    )
    assert policy.assurance(a_session(authentications=proofs)) == {Factor.KNOW, Factor.HAVE, Factor.ARE}
    assert policy.assurance(a_session()) == frozenset()
