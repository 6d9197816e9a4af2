"""What holds whatever a client sends: tried with what Hypothesis makes up, and what attackers are known to send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.properties import KINDS, PLACES, TARGETS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ANY = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Cf", "Zs", "Po", "Ll"]))


def near(target: str) -> SearchStrategy[str]:
    """Return texts that are made of the pieces that mean something to a target, and of others."""
    pieces = [*TARGETS[target].words, *"/\\.:@?#%=&;|-_~aA0 \t\n", '"', "\0", "\ud800", "\u00df", "\ufeff"]
    known = st.sampled_from([one.decode("utf-8", "surrogateescape") for one in TARGETS[target].seeds])
    return st.lists(st.sampled_from(pieces) | known, max_size=6).map("".join) | ANY


@given(near("tokens"))
def test_a_token_has_one_spelling(text: str) -> None:
    """Whatever the text, it is a token in its one spelling or none; and a secret is judged without an error."""
    TARGETS["tokens"].holds(text)


@given(near("next"))
def test_a_target_stays_here(text: str) -> None:
    """Where a browser is sent on to is this site as a browser reads it, or it is not sent on."""
    TARGETS["next"].holds(text)


@given(near("identifiers"))
def test_a_name_is_found_again(text: str) -> None:
    """Whatever is typed has a short key or none; and what is accepted as a name is found by it, and is one of one."""
    TARGETS["identifiers"].holds(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["identifier", "password", "email", "remember", "token", "code", "username", "next", ""])


def encoded(value: Any) -> bytes:
    """Return a value as JSON that may hold what none should: NaN, and halves of characters."""
    return json.dumps(value, ensure_ascii=True).encode()


BODIES = (
    st.binary(max_size=200)
    | st.dictionaries(FIELDS, JSON, max_size=4).map(encoded)
    | JSON.map(encoded)
    | st.sampled_from([seed[2:] for seed in TARGETS["bodies"].seeds])
)


# Each is a request to a whole site; there are many more of them in `make fuzz`.
@settings(max_examples=60)
@given(st.tuples(st.sampled_from(PLACES), st.sampled_from(KINDS), BODIES))
def test_a_body_is_answered(sent: tuple[str, str, bytes]) -> None:
    """Any bytes of any type, sent to anything, are answered: no fault of the server, no login, and a reason."""
    TARGETS["bodies"].holds(sent)


@settings(max_examples=60)
@given(near("cookies").map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200))
def test_a_cookie_is_nobody(raw: bytes) -> None:
    """Any Cookie header, even with the id of a living session in it, is nobody's login and no fault of the server."""
    TARGETS["cookies"].holds(TARGETS["cookies"].read(raw))


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_of_the_fuzzers_hold(name: str) -> None:
    """Where the fuzzers begin, all is well."""
    for seed in TARGETS[name].seeds:
        TARGETS[name].holds(TARGETS[name].read(seed))
