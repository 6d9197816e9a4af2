"""The remember cookie: signed, read back, set and cleared."""

from __future__ import annotations

from datetime import timedelta

import flask_login
import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from admit.errors import ConfigurationError
from admit.flask import decode_cookie, encode_cookie, remember

IDS = st.text(st.characters(exclude_categories=["Cs"]))


@given(IDS, st.binary(min_size=1) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_round_trip(payload: str, key: str | bytes) -> None:
    """What was signed with a key is read with it, whatever characters it has, and with no other key."""
    cookie = encode_cookie(payload, key=key)
    assert decode_cookie(cookie, key=key) == payload
    assert decode_cookie(cookie, key="another key") is None or key in {"another key", b"another key"}


@given(IDS, st.text(st.characters(max_codepoint=255), min_size=1))
def test_same_bytes_as_flask_login(payload: str, key: str) -> None:
    """With every key that Flask-Login can use, the cookie is the one that it makes."""
    assert encode_cookie(payload, key=key) == flask_login.encode_cookie(payload, key=key)


@given(st.text(), st.integers(min_value=0), st.characters())
@example("\ud800|", 0, "\ud800")
@example("|\ud800", 9, "\ud800")
def test_forgeries_are_refused(junk: str, place: int, character: str) -> None:
    """No text that was not signed is a cookie, and no signed one survives a change (attacks 16 and 32)."""
    assert decode_cookie(junk, key="key") is None
    cookie = encode_cookie("ada", key="key")
    at = place % len(cookie)
    changed = cookie[:at] + character + cookie[at + 1 :]
    assert changed == cookie or decode_cookie(changed, key="key") is None


def test_retired_keys_only_verify() -> None:
    """A cookie signed with a fallback is read, a new one is signed with the present key (attack 28)."""
    app = Flask("site")
    app.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old", ""])
    with app.app_context():
        assert decode_cookie(encode_cookie("ada", key="old")) == "ada"
        assert decode_cookie(encode_cookie("ada", key="older")) is None
        assert encode_cookie("ada") == encode_cookie("ada", key="new")


@given(IDS, IDS, IDS)
def test_a_key_for_each_purpose(payload: str, one: str, other: str) -> None:
    """What was signed for one purpose is read for that alone, and never as a remember cookie (attack 32)."""
    cookie = encode_cookie(payload, key="key", purpose=one)
    assert decode_cookie(cookie, key="key", purpose=one) == payload
    assert decode_cookie(cookie, key="key", purpose=other) in ({payload} if one == other else {None})
    assert decode_cookie(cookie, key="key") is None
    assert decode_cookie(encode_cookie(payload, key="key"), key="key", purpose=one) is None


def test_no_cookie_gives_a_key_away() -> None:
    """The digest of a chosen text, as a user's id may be one, is not the key of a purpose."""
    digest = encode_cookie("admit:invoice", key="key").rpartition("|")[2]
    forged = encode_cookie("7", key=bytes.fromhex(digest))
    assert decode_cookie(forged, key="key", purpose="invoice") is None


def test_purposes_are_rotated() -> None:
    """What an old key has signed for a purpose is still read, and new ones are signed with the present key."""
    app = Flask("site")
    app.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])
    with app.app_context():
        assert decode_cookie(encode_cookie("7", key="old", purpose="invoice"), purpose="invoice") == "7"
        assert decode_cookie(encode_cookie("7", key="older", purpose="invoice"), purpose="invoice") is None
        assert encode_cookie("7", purpose="invoice") == encode_cookie("7", key="new", purpose="invoice")


def test_without_a_key() -> None:
    """Without a secret key nothing verifies, and signing says what to set."""
    with Flask("site").app_context():
        assert decode_cookie("ada|" + "0" * 128) is None
        with pytest.raises(ConfigurationError, match="Set a random SECRET_KEY"):
            encode_cookie("ada")


@pytest.mark.parametrize(
    ("configured", "duration"),
    [(60, timedelta(minutes=1)), (timedelta(days=3), timedelta(days=3))],
)
def test_duration(configured: object, duration: timedelta) -> None:
    """The configured duration is a timedelta or whole seconds."""
    app = Flask("site")
    app.config["REMEMBER_COOKIE_DURATION"] = configured
    with app.app_context():
        assert remember.configured_duration() == duration


def test_a_duration_past_the_end_of_time() -> None:
    """A duration that no date can hold is the developer's error, with what to do."""
    app = Flask("site")
    with app.app_context(), pytest.raises(ConfigurationError, match="Use a shorter timedelta"):
        remember.RememberCookie.configured().put(app.response_class(), "cookie", timedelta.max)
