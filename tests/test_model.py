"""The nouns: what follows from their fields, and what they never show."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit import tokens
from admit.model import Admitted, Authentication, Ending, EndReason, Identifier, IdentifierKind, Pending, Resumed
from admit.testing import a_challenge, a_credential, a_session, an_account

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


def test_nothing_that_proves_who_somebody_is_is_shown() -> None:
    """Neither what is kept of a password nor of a link, nor a half-done login's token, is in a log (attack 68)."""
    credential, challenge = a_credential(), a_challenge()
    pending = Pending("ada", ("totp",), f"{challenge.id}.secret-half")
    shown = repr([credential, challenge, pending])
    for hidden in (credential.secret, repr(challenge.secret_hash), "secret-half"):
        assert hidden not in shown
    for told in (credential.id, challenge.id, "totp"):
        assert told in shown


# -- accounts ---------------------------------------------------------------------------------------------------------


def test_an_account_is_open_until_it_is_locked_or_closed() -> None:
    """Its owner may log in as long as it is neither locked nor closed."""
    assert an_account().is_open
    assert not an_account(locked_at=START).is_open
    assert not an_account(closed_at=START).is_open
    assert not an_account(locked_at=START, closed_at=START).is_open


def test_an_account_has_names_of_two_kinds() -> None:
    """The address and the user name are found whatever their order, and the first one of a kind counts."""
    for names in (["Ada", "ada@x", "b@x"], ["ada@x", "Ada", "b@x"]):
        account = an_account(*names)
        assert (account.email, account.username) == tuple(
            next(one for one in account.identifiers if one.value == value) for value in ("ada@x", "Ada")
        )
    nameless = an_account(identifiers=())
    assert (nameless.email, nameless.username) == (None, None)


def test_an_account_is_called_by_its_name() -> None:
    """People see the user name as it was typed, or else the address, or else the id."""
    assert an_account("ada@x", "Ada").label == "Ada"
    assert an_account("Ada@X").label == "Ada@X"
    nameless = an_account(identifiers=())
    assert nameless.label == nameless.id


def test_an_account_is_verified_by_its_address() -> None:
    """An address that nobody has proven to be theirs grants nothing, and a user name needs no proof."""
    proven = Identifier(IdentifierKind.EMAIL, "b@x", "b@x", START)
    unproven = an_account("ada@x")
    assert not unproven.is_verified
    assert not an_account(identifiers=()).is_verified
    assert an_account(identifiers=(*unproven.identifiers, proven)).is_verified
    assert an_account("Ada").is_verified


def test_nouns_do_not_change() -> None:
    """A value that was handed around is the same for everybody who holds it."""
    for noun in (a_session(), Ending(EndReason.LOGOUT, START), Resumed(), an_account(), a_credential(), a_challenge()):
        with pytest.raises(FrozenInstanceError):
            setattr(noun, fields(noun)[0].name, None)
        assert pickle.loads(pickle.dumps(noun)) == noun  # noqa: S301 -- our own bytes
