"""Flask's session behind the lazy interface: opened when it is used, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface

from admit.flask.lazy_session import LazySession, LazySessionInterface

if TYPE_CHECKING:
    from flask import Request
    from flask.sessions import SecureCookieSession


class Counting(SecureCookieSessionInterface):
    """Flask's own interface, counting how often it opens a session."""

    def __init__(self) -> None:
        self.opened = 0

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Count, and do what Flask does."""
        self.opened += 1
        return super().open_session(app, request)


@pytest.fixture
def app() -> Flask:
    """Return an application whose session is lazy."""
    app = Flask(__name__)
    app.secret_key = "a secret for tests"
    app.session_interface = LazySessionInterface(Counting())

    @app.get("/write")
    def write() -> str:
        session["basket"] = ["apple"]
        return ""

    @app.get("/read")
    def read() -> Any:
        return session.get("basket", [])

    @app.get("/clear")
    def clear() -> str:
        session.clear()
        return ""

    @app.get("/touch")
    def touch() -> str:
        return type(session._get_current_object()).__name__  # type: ignore[attr-defined]

    @app.get("/nothing")
    def nothing() -> str:
        return ""

    return app


def opened(app: Flask) -> int:
    """Return how often a session was opened."""
    interface = app.session_interface
    assert isinstance(interface, LazySessionInterface)
    count: int = interface.opened  # an attribute of the wrapped interface
    return count


def test_a_view_that_reads_nothing_opens_nothing(app: Flask) -> None:
    """A request whose view leaves the session alone neither opens it nor varies by cookie."""
    client = app.test_client()
    client.get("/write")
    before = opened(app)
    response = client.get("/nothing")
    assert opened(app) == before
    assert "Vary" not in response.headers
    assert "Set-Cookie" not in response.headers


def test_what_was_written_is_read_back(app: Flask) -> None:
    """Writing saves the real session, reading opens it once, clearing deletes its cookie."""
    client = app.test_client()
    assert "session=" in client.get("/write").headers["Set-Cookie"]
    before = opened(app)
    response = client.get("/read")
    assert response.json == ["apple"]
    assert opened(app) == before + 1
    assert "Cookie" in response.vary
    assert "Max-Age=0" in client.get("/clear").headers["Set-Cookie"]
    assert client.get("/read").json == []


def test_a_mere_touch_varies_but_opens_nothing(app: Flask) -> None:
    """A request that fetched the session without reading it varies by cookie; it is still not opened."""
    response = app.test_client().get("/touch")
    assert response.text == "LazySession"
    assert "Cookie" in response.vary
    assert opened(app) == 0


def test_it_is_a_whole_mapping_and_a_session(app: Flask) -> None:
    """Every way to use a session reaches the real one: items, length, flags and foreign attributes."""
    with app.test_request_context("/"):
        lazy = session._get_current_object()  # type: ignore[attr-defined]
        assert isinstance(lazy, LazySession)
        assert lazy.opened is None
        assert not lazy.modified
        session["a"] = 1
        assert list(session) == ["a"]
        assert len(session) == 1
        del session["a"]
        assert "a" not in session
        session.permanent = True
        assert session.permanent
        lazy.modified = False
        assert lazy.opened is not None
        assert lazy.opened.modified is False
        with pytest.raises(AttributeError, match="sid"):
            _ = lazy.sid


def test_without_a_secret_key_writing_says_so() -> None:
    """An application without a key serves requests, and the first write names the missing key."""
    app = Flask(__name__)
    app.session_interface = LazySessionInterface(app.session_interface)

    @app.get("/")
    def read() -> str:
        return str(session.get("a"))

    @app.get("/write")
    def write() -> str:
        with pytest.raises(RuntimeError, match="secret key"):
            session["a"] = 1
        return "refused"

    client = app.test_client()
    assert client.get("/").text == "None"
    assert client.get("/write").text == "refused"
