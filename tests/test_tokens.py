"""Session tokens: made, split, matched, and followed by others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit import tokens

SEEDS = st.binary(min_size=16, max_size=16)


@given(SEEDS)
def test_round_trip(seed: bytes) -> None:
    """A token made of an id and a secret is split into the same id and secret."""
    token = tokens.Token(tokens.new_id(), tokens.first_secret(seed))
    assert tokens.parse(str(token)) == token


@given(st.text())
def test_junk_is_no_token(junk: str) -> None:
    """Whatever text a client sends, it is a token of the one form or none, and nothing is raised."""
    parsed = tokens.parse(junk)
    assert parsed is None or str(parsed) == junk


SPOILED = {
    "cut": lambda text: text[:-1],
    "extended": lambda text: text + "A",
    "doubled": lambda text: text * 2,
    "without a dot": lambda text: text.replace(".", "", 1),
    "two dots": lambda text: text.replace(".", "..", 1),
    "a space before": lambda text: f" {text}",
    "a line end after": lambda text: f"{text}\n",
    "padded": lambda text: text[:-1] + "=",
    "another digit": lambda text: text[:-1] + "\u0661",
}


@pytest.mark.parametrize("how", SPOILED)
def test_only_one_spelling(how: str) -> None:
    """A token that is cut, extended, doubled or spelled otherwise is none (attacks 16 and 17)."""
    token = f"{tokens.new_id()}.{tokens.first_secret(tokens.new_seed())}"
    assert tokens.parse(SPOILED[how](token)) is None


def test_ids_and_secrets_never_repeat() -> None:
    """Ten thousand ids, seeds and secrets are all different (attack 14)."""
    seed = tokens.new_seed()
    for make in (tokens.new_id, tokens.new_seed, lambda: tokens.first_secret(seed)):
        assert len({make() for _ in range(10_000)}) == 10_000


@given(SEEDS, st.integers(min_value=0, max_value=55), st.sampled_from("Aa9_-"))
def test_matching_is_by_the_whole_text(seed: bytes, place: int, character: str) -> None:
    """A secret matches its own hash, and with one character changed it does not."""
    secret = tokens.first_secret(seed)
    changed = secret[:place] + character + secret[place + 1 :]
    assert tokens.matches(secret, tokens.hash_secret(secret))
    assert tokens.matches(changed, tokens.hash_secret(secret)) is (changed == secret)


@given(SEEDS, st.lists(SEEDS, min_size=1, max_size=6))
def test_a_chain_of_secrets(seed: bytes, nonces: list[bytes]) -> None:
    """Successors are the same every time, all different, and every one bears the session's mark."""
    chain = [tokens.first_secret(seed)]
    for nonce in nonces:
        chain.append(tokens.successor(chain[-1], seed, nonce))
        assert tokens.successor(chain[-2], seed, nonce) == chain[-1]
    assert len(set(chain)) == len(chain)
    assert all(tokens.bears_mark(secret, seed) for secret in chain)
    assert all(len(secret) == 56 for secret in chain)


@given(SEEDS, SEEDS)
def test_nobody_guesses_a_mark(seed: bytes, other: bytes) -> None:
    """A secret that was never issued for a session does not bear its mark."""
    assert tokens.bears_mark(tokens.first_secret(other), seed) is (seed == other)
    assert not tokens.bears_mark("A" * 56, seed)


def test_no_secret_is_shown() -> None:
    """The representation of a token holds its id only (attack 68)."""
    token = tokens.Token(tokens.new_id(), tokens.first_secret(tokens.new_seed()))
    assert token.secret not in repr(token)
    assert token.id in repr(token)
