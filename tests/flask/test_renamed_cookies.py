"""Applications whose request and response classes give cookies other names, such as one for each instance on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, Request, Response, session
from werkzeug.utils import cached_property

from admit.flask import FlaskLoginClient, LoginManager, UserMixin, current_user, login_user, logout_user
from admit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from flask.testing import FlaskClient

SUFFIX = "_P5000"
SECURE = "https://printer.example"


class User(UserMixin):
    """A user who is whoever was named."""

    def __init__(self, name: str) -> None:
        self.id = name


class Renamed(Request):
    """Knows the cookies that end in the suffix, without it; blanks around names count for nothing."""

    @cached_property
    def cookies(self) -> Any:
        """Return the cookies by the names that the application knows."""
        sent = (part.partition("=") for part in self.headers.get("Cookie", "").split(";"))
        named = ((name.strip(), value.strip()) for name, _, value in sent)
        return {name.removesuffix(SUFFIX): value for name, value in named if name.endswith(SUFFIX)}


class Renaming(Response):
    """Sets all cookies with the suffix."""

    def set_cookie(self, key: str, *args: Any, **kwargs: Any) -> None:
        """Set a cookie under its name on the wire."""
        super().set_cookie(key + SUFFIX, *args, **kwargs)

    def delete_cookie(self, key: str, *args: Any, **kwargs: Any) -> None:
        """Delete a cookie by its name on the wire."""
        Response.set_cookie(self, key + SUFFIX, "", max_age=0)


class Site(Flask):
    """An application that renames all cookies."""

    request_class = Renamed
    response_class = Renaming
    test_client_class = FlaskLoginClient


def make(store: Any, **config: Any) -> Flask:
    """Make an application that logs in and out."""
    app = Site("site")
    app.config.update(SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566", **config)
    LoginManager(app, store=store).user_loader(User)
    app.add_url_rule("/in/<name>", "in", lambda name: str(login_user(User(name), remember=True)))
    app.add_url_rule("/out", "out", lambda: str(logout_user()))
    app.add_url_rule("/clear", "clear", lambda: str(session.clear()))
    app.add_url_rule("/me", "me", lambda: {"id": current_user.get_id()})
    return app


def who(client: FlaskClient, **options: Any) -> str | None:
    """Return who is logged in."""
    found: str | None = client.get("/me", **options).json["id"]
    return found


def names(client: FlaskClient) -> set[str]:
    """Return the names of the cookies that a browser keeps."""
    return {cookie.key for cookie in client._cookies.values()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("store", [None, "memory:"])
@pytest.mark.parametrize("way_out", ["/out", "/clear"])
def test_u16_renamed_cookies_are_the_cookies(store: str | None, way_out: str) -> None:
    """What the request class says the cookies are counts, whatever keeps the login."""
    client = make(store).test_client()
    client.get("/in/ada")
    assert who(client) == "ada"
    assert {name[-len(SUFFIX) :] for name in names(client)} == {SUFFIX}
    client.get(way_out)
    assert who(client) == ("ada" if store is None and way_out == "/clear" else None)


@pytest.mark.parametrize("store", [None, "memory:"])
def test_u16_a_test_client_is_logged_in_by_renamed_cookies(store: str | None) -> None:
    """``FlaskLoginClient`` gives its cookie the name that the application gives it."""
    assert who(make(store).test_client(user=User("ada"))) == "ada"


def test_u16_a_cookie_without_the_suffix_is_another_instances() -> None:
    """What the request class does not know counts for nothing, and is left alone."""
    app = make("memory:")
    client = app.test_client()
    client.get("/in/ada")
    token = client.get_cookie("admit" + SUFFIX).value
    stranger = app.test_client(use_cookies=False)
    answer = stranger.get("/me", headers={"Cookie": f"admit={token}"})
    assert answer.json == {"id": None}
    assert "Set-Cookie" not in answer.headers
    assert who(stranger, headers={"Cookie": f"admit{SUFFIX}={token}"}) == "ada"
    assert who(stranger) is None
    assert who(stranger, headers={"Cookie": f"admit{SUFFIX}={token}; a={'x' * 70_000}"}) is None


def test_u16_two_renamed_cookies_count_as_none() -> None:
    """Where a sibling host has planted a second one, neither counts, and both are deleted (attack 9)."""
    app = make("memory:")
    tokens = []
    for name in ("ada", "mallory"):
        client = app.test_client()
        client.get(f"/in/{name}", base_url=SECURE)
        tokens.append(client.get_cookie("__Host-admit" + SUFFIX, "printer.example").value)
    own, planted = (f"__Host-admit{SUFFIX}={token}" for token in tokens)
    stranger = app.test_client(use_cookies=False)
    for sent in (f"{own}; {planted}", f"{planted}; {own}"):
        answer = stranger.get("/me", base_url=SECURE, headers={"Cookie": sent})
        assert answer.json == {"id": None}
        assert len(answer.headers.getlist("Set-Cookie")) == 2
    assert who(stranger, base_url=SECURE, headers={"Cookie": f"{own}; {own}"}) == "ada"


@pytest.mark.parametrize("place", ["{0}{1}", "{1}{0}", "{1} {0}"])
def test_u16_no_byte_around_a_name_makes_it_ours(place: str) -> None:
    """A name with any other byte in front or behind is not ours, although the request class strips blanks."""
    app = make("memory:")
    client = app.test_client()
    client.get("/in/ada")
    token, name = client.get_cookie("admit" + SUFFIX).value, "admit" + SUFFIX
    stranger = app.test_client(use_cookies=False)
    for code in range(256):
        byte = chr(code)
        if byte not in "\r\n":
            found = who(stranger, headers={"Cookie": f"{place.format(byte, name)}={token}"})
            # A blank of HTTP is none of the name's; "=" ends it, and ";" begins another.
            is_plain = byte in " \t" or (byte == ";" and place == "{0}{1}")
            assert found == ("ada" if is_plain else None), code


def test_u16_a_planted_look_alike_ends_no_login() -> None:
    """A sibling's cookie with a blank that is none of HTTP neither chooses the session nor ends it."""
    store = MemoryStore()
    app = make(store)
    client = app.test_client()
    client.get("/in/ada")
    token, name = client.get_cookie("admit" + SUFFIX).value, "admit" + SUFFIX
    stranger = app.test_client(use_cookies=False)
    for blank in "\xa0\x85\x0b\x0c\x1c":
        assert who(stranger, headers={"Cookie": f"{name}={token}; {blank}{name}=planted"}) == "ada"
        assert who(stranger, headers={"Cookie": f"{blank}{name}=planted; {name}={token}"}) == "ada"
    assert store.count_sessions("ada") == 1
