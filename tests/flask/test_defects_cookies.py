"""The defects of Flask-Login 0.6.3 that Admit does not have: the remember cookie and the protection of sessions.

The numbers are the rows of the list of defects in the contract. Each test runs on both libraries: see conftest.py.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st

Make = Callable[..., Flask]
Promise = Callable[[], AbstractContextManager[None]]

REMEMBER = "remember_token"
HERE, ELSEWHERE = "198.51.100.7", "203.0.113.9"


def who(client: FlaskClient) -> str | None:
    """Ask the site who is there."""
    return client.get("/me").json["id"]


def reopen(client: FlaskClient) -> FlaskClient:
    """Close the browser and open it again: the session is gone, the remember cookie is not."""
    client.delete_cookie("session")
    return client


@pytest.mark.defect
def test_row_3_remember_cookie_does_not_survive_another_login(make: Make, promise: Promise) -> None:
    """When Bob logs in on Ada's browser without "remember me", Ada does not come back (attack 4)."""
    client = make().test_client()
    client.get("/login/ada?remember")
    client.get("/login/bob")
    assert who(client) == "bob"
    with promise():
        assert who(reopen(client)) is None


def test_row_3_the_same_user_keeps_the_remember_cookie(make: Make) -> None:
    """Logging in again as oneself, to be fresh, does not take one's own remember cookie away."""
    client = make().test_client()
    client.get("/login/ada?remember")
    client.get("/login/ada")
    assert who(reopen(client)) == "ada"


@pytest.mark.defect
def test_row_4_refreshing_gives_no_remember_cookie(make: Make, promise: Promise) -> None:
    """REMEMBER_COOKIE_REFRESH_EACH_REQUEST gives no remember cookie to a user who did not ask to be remembered."""
    client = make(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True).test_client()
    client.get("/login/ada")
    assert who(client) == "ada"
    with promise():
        assert client.get_cookie(REMEMBER) is None


@pytest.mark.defect
def test_row_4_refreshing_sends_nothing_to_nobody(make: Make, promise: Promise) -> None:
    """REMEMBER_COOKIE_REFRESH_EACH_REQUEST sets no cookie on the response to a visitor who is nobody."""
    client = make(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True).test_client()
    with promise():
        assert client.get("/me").headers.getlist("Set-Cookie") == []


@pytest.mark.defect
@pytest.mark.parametrize("value", ["garbage", "ada|00", "bob|" + "0" * 128])
def test_row_4_refreshing_makes_no_garbage_valid(value: str, make: Make, promise: Promise) -> None:
    """REMEMBER_COOKIE_REFRESH_EACH_REQUEST does not turn a cookie that was never valid into a valid one."""
    client = make(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True).test_client()
    client.get("/login/ada")
    client.set_cookie(REMEMBER, value)
    assert who(client) == "ada"
    with promise():
        assert who(reopen(client)) is None


def test_row_4_refreshing_does_renew_a_valid_cookie(make: Make) -> None:
    """REMEMBER_COOKIE_REFRESH_EACH_REQUEST renews the remember cookie of a request that brought a valid one."""
    client = make(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True).test_client()
    client.get("/login/ada?remember&seconds=60")
    assert client.get_cookie(REMEMBER).expires < datetime.now(UTC) + timedelta(days=1)
    assert who(reopen(client)) == "ada"
    assert client.get_cookie(REMEMBER).expires > datetime.now(UTC) + timedelta(days=300)


@pytest.mark.defect
def test_row_5_remembered_user_stays_under_strong(make: Make, promise: Promise) -> None:
    """A user who comes back by the remember cookie under "strong" is still there at the second request."""
    client = make(SESSION_PROTECTION="strong").test_client()
    client.get("/login/ada?remember")
    assert who(reopen(client)) == "ada"
    with promise():
        assert who(client) == "ada"
        assert client.get_cookie(REMEMBER) is not None


def give_csrf_token(client: FlaskClient) -> None:
    """Leave the client an anonymous session in which a form library has put its token."""
    with client.session_transaction() as session:
        session.clear()
        session["csrf_token"] = "of a form"


@pytest.mark.defect
def test_row_6_csrf_token_does_not_cost_the_remember_cookie(make: Make, promise: Promise) -> None:
    """Under "strong" an anonymous session with a CSRF token is no mismatch: the remember cookie works, and stays."""
    client = make(SESSION_PROTECTION="strong").test_client()
    client.get("/login/ada?remember")
    give_csrf_token(client)
    with promise():
        assert who(client) == "ada"
        assert client.get_cookie(REMEMBER) is not None


@pytest.mark.defect
def test_row_6_csrf_token_does_not_stop_the_request_loader(make: Make, person: type, promise: Promise) -> None:
    """Under "strong" an anonymous session with a CSRF token still lets a `request_loader` name the user."""
    app = make(SESSION_PROTECTION="strong")
    app.login_manager.request_loader(lambda _: person("robot"))
    client = app.test_client()
    assert who(client) == "robot"
    give_csrf_token(client)
    with promise():
        assert who(client) == "robot"


@pytest.mark.defect
def test_row_6_nothing_is_written_into_an_anonymous_session(library: ModuleType, make: Make, promise: Promise) -> None:
    """Under "basic" an anonymous session with a CSRF token is left as it is, and no signal is sent."""
    app = make(SESSION_PROTECTION="basic")
    client, heard = app.test_client(), []
    give_csrf_token(client)
    with library.session_protected.connected_to(heard.append, app):
        assert who(client) is None
    with client.session_transaction() as session, promise():
        assert (dict(session), heard) == ({"csrf_token": "of a form"}, [])


@pytest.mark.defect
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-Ip"])
def test_row_8_a_thief_cannot_forge_the_address(header: str, make: Make, promise: Promise) -> None:
    """Under "strong" a copied session cookie is refused elsewhere, whatever address the request claims (attack 24)."""
    app = make(SESSION_PROTECTION="strong")
    victim, thief = app.test_client(), app.test_client()
    victim.get("/login/ada", environ_base={"REMOTE_ADDR": HERE})
    thief.set_cookie("session", victim.get_cookie("session").value)
    forged = {header: HERE, "X-Forwarded-For": HERE}
    with promise():
        assert thief.get("/me", environ_base={"REMOTE_ADDR": ELSEWHERE}, headers=forged).json["id"] is None


@pytest.mark.defect
def test_row_10_the_clearing_cookie_has_the_attributes(make: Make, promise: Promise) -> None:
    """The cookie that clears the remember cookie has the attributes of the one it clears (attack 8)."""
    attributes = {"SECURE": True, "SAMESITE": "Lax", "PATH": "/", "DOMAIN": "localhost", "HTTPONLY": True}
    app = make(**{f"REMEMBER_COOKIE_{name}": value for name, value in attributes.items()})
    client = app.test_client()
    made = remember_attributes(client.get("/login/ada?remember", base_url="https://localhost"))
    cleared = remember_attributes(client.get("/logout", base_url="https://localhost"))
    assert "HttpOnly" in made
    with promise():
        assert cleared == made


def remember_attributes(response: object) -> set[str]:
    """Give the attributes of the one remember cookie that the response sets, without the times."""
    [line] = [line for line in response.headers.getlist("Set-Cookie") if line.startswith(REMEMBER)]
    return {part for part in line.split("; ")[1:] if not part.startswith(("Expires", "Max-Age"))}


@pytest.mark.defect
def test_row_11_logout_holds_when_the_session_is_cleared(make: Make, promise: Promise) -> None:
    """`logout_user(); session.clear()` logs out, the remember cookie too."""
    client = make().test_client()
    client.get("/login/ada?remember")
    client.get("/logout-and-clear")
    with promise():
        assert who(client) is None
        assert client.get_cookie(REMEMBER) is None


@pytest.mark.defect
def test_row_21_invalid_cookie_does_not_stop_the_request_loader(make: Make, person: type, promise: Promise) -> None:
    """Beside an invalid remember cookie a `request_loader` is still asked."""
    app = make()
    app.login_manager.request_loader(lambda _: person("robot"))
    client = app.test_client()
    client.set_cookie(REMEMBER, "garbage")
    with promise():
        assert who(client) == "robot"


@pytest.mark.defect(raises=TypeError)
def test_row_23_non_ascii_digest_is_nobody(make: Make) -> None:
    """A remember cookie whose digest is not ASCII is no login, and no 500."""
    client = make().test_client()
    client.set_cookie(REMEMBER, "ada|\N{LATIN SMALL LETTER U WITH DIAERESIS}")
    assert who(client) is None


@given(value=st.text() | st.text().map("ada|{}".format) | st.binary().map(lambda raw: raw.decode("latin-1")))
@example(value="|")
@example(value="ada|" + "0" * 128)
@example(value="x" * 4_000)
def test_row_23_no_made_up_cookie_is_somebody(value: str, make_ours: Make) -> None:
    """Whatever a remember cookie holds, who cannot sign it is nobody, and gets a page (attacks 16 and 18)."""
    client = make_ours().test_client()
    client.set_cookie(REMEMBER, value)
    assert who(client) is None


OLD, NEW = {"SECRET_KEY": "old"}, {"SECRET_KEY": "new"}
ROTATED = NEW | {"SECRET_KEY_FALLBACKS": ["old"]}


@pytest.mark.defect
def test_row_24_an_old_key_still_verifies(make: Make, promise: Promise) -> None:
    """A remember cookie made under a key that is now in SECRET_KEY_FALLBACKS is still good (attack 28)."""
    client = move(make(**OLD), make(**ROTATED))
    with promise():
        assert who(client) == "ada"


def move(old: Flask, new: Flask) -> FlaskClient:
    """Take the remember cookie that the old site gave to Ada to the new one."""
    before, after = old.test_client(), new.test_client()
    before.get("/login/ada?remember")
    after.set_cookie(REMEMBER, before.get_cookie(REMEMBER).decoded_value)
    return after


KEYS = [
    (NEW, "a key that was removed is dead"),
    (NEW | {"SECRET_KEY_FALLBACKS": ["other"]}, "another old key is not this one"),
    (NEW | {"SECRET_KEY_FALLBACKS": None}, "no old keys"),
]


@pytest.mark.parametrize(("keys", "case"), KEYS, ids=[case for _, case in KEYS])
def test_row_24_a_removed_key_is_dead(keys: dict, case: str, make: Make) -> None:
    """A remember cookie is worth nothing once its key is removed (attack 28)."""
    assert who(move(make(**OLD), make(**keys))) is None, case


def test_row_24_new_cookies_are_made_with_the_new_key(make: Make) -> None:
    """With old keys in SECRET_KEY_FALLBACKS a new cookie needs none of them (attack 28, CVE-2025-47278)."""
    assert who(move(make(**ROTATED), make(**NEW))) == "ada"


@pytest.mark.defect(raises=UnicodeEncodeError)
@pytest.mark.parametrize("key", ["\N{CYRILLIC SMALL LETTER KA}\N{CYRILLIC SMALL LETTER EL}", "\N{KEY}"])
def test_row_24_any_secret_key_will_do(key: str, make: Make) -> None:
    """A secret key outside latin-1 signs the remember cookie as well as it signs the session."""
    client = make(SECRET_KEY=key).test_client()
    client.get("/login/ada?remember")
    assert who(reopen(client)) == "ada"


@pytest.mark.defect
@pytest.mark.parametrize("between", [[], ["/login/bob"]], ids=["again", "after another"])
def test_row_37_an_earlier_duration_is_not_used_again(between: list[str], make: Make, promise: Promise) -> None:
    """The duration of one login is not that of a later login which names none."""
    client = make().test_client()
    for path in ["/login/ada?remember&seconds=60", *between, "/login/ada?remember"]:
        client.get(path)
    with promise():
        assert client.get_cookie(REMEMBER).expires > datetime.now(UTC) + timedelta(days=300)
