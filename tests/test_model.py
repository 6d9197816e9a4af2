"""The nouns: what follows from their fields, and what they never show."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit import tokens
from admit.model import Admitted, Authentication, Ending, EndReason, Resumed
from admit.testing import a_session

START = datetime(2026, 1, 1, tzinfo=UTC)
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))


@given(SPANS, SPANS, SPANS)
def test_a_session_ends_by_the_earlier_of_its_times(used: timedelta, idle: timedelta, absolute: timedelta) -> None:
    """It expires when it was not used for too long, or at its fixed end if that comes first."""
    session = a_session(seen_at=START + used, idle=idle, ends_at=START + absolute)
    assert session.expires_at == START + min(used + idle, absolute)


def test_the_last_authentication_counts() -> None:
    """The latest proof says when the person was last here; without one nothing does."""
    proofs = tuple(Authentication("password", frozenset(), START + timedelta(hours=age)) for age in (1, 2))
    assert a_session(authentications=proofs).authenticated_at == START + timedelta(hours=2)
    assert a_session(created_at=START).authenticated_at is None


def test_nothing_that_opens_or_ends_a_session_is_shown() -> None:
    """Neither a token nor what a store keeps of it is in what a log or a traceback would show (attack 68)."""
    seed, nonce = tokens.new_seed(), tokens.new_seed()
    secret = tokens.first_secret(seed)
    session = a_session(seed=seed, nonce=nonce, secret_hash=tokens.hash_secret(secret))
    shown = repr([session, Admitted(session, f"{session.id}.{secret}"), Resumed(session, f"{session.id}.{secret}")])
    for hidden in (secret, repr(seed), repr(nonce), repr(session.secret_hash)):
        assert hidden not in shown
    assert session.id in shown


def test_nouns_do_not_change() -> None:
    """A value that was handed around is the same for everybody who holds it."""
    for noun in (a_session(), Ending(EndReason.LOGOUT, START), Resumed()):
        with pytest.raises(FrozenInstanceError):
            setattr(noun, fields(noun)[0].name, None)
        assert pickle.loads(pickle.dumps(noun)) == noun  # noqa: S301 -- our own bytes
