"""The defects of Flask-Login 0.6.3 that Admit does not have: who is there, the guards, the test client, settings.

The numbers are the rows of the list of defects in the contract. Each test runs on both libraries: see conftest.py.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType

import pytest
from flask import Flask

from admit.errors import ConfigurationError

Make = Callable[..., Flask]
Promise = Callable[[], AbstractContextManager[None]]

LOAD_SIGNALS = ["user_accessed", "session_protected", "user_loaded_from_request"]


@pytest.mark.defect
def test_row_13_view_runs_once_under_fresh_login_required(library: ModuleType, make: Make, promise: Promise) -> None:
    """A view that raises AttributeError under `fresh_login_required` is run once, not a second time."""
    app, runs = make(), []

    @app.get("/charge")
    @library.fresh_login_required
    def charge() -> str:
        runs.append("charged")
        return None.charge()

    client = app.test_client()
    client.get("/login/ada")
    with pytest.raises(AttributeError):
        client.get("/charge")
    with promise():
        assert runs == ["charged"]


@pytest.mark.defect(raises=RecursionError)
def test_row_20_user_loader_may_touch_current_user(library: ModuleType, make: Make, person: type) -> None:
    """A loader that looks at `current_user` finds nobody there yet, and the user is loaded."""
    app, found = make(), []

    @app.login_manager.user_loader
    def load(subject: str) -> object:
        found.append(library.current_user.get_id())
        return person(subject)

    client = app.test_client()
    client.get("/login/ada")
    assert client.get("/me").json["id"] == "ada"
    assert found == [None]


@pytest.mark.defect(raises=RecursionError)
@pytest.mark.parametrize("name", LOAD_SIGNALS)
def test_row_20_load_signals_may_touch_current_user(name: str, library: ModuleType, make: Make, person: type) -> None:
    """A receiver of a signal that is sent while the user is loaded may look at `current_user`."""
    app, heard = make(), []
    app.login_manager.request_loader(lambda request: person("robot") if "robot" in request.args else None)

    def receive(*_: object, **__: object) -> None:
        heard.append(library.current_user.get_id())

    client = app.test_client()
    with getattr(library, name).connected_to(receive, app):
        if name != "user_loaded_from_request":
            client.get("/login/ada")
        assert client.get("/me?robot", headers={"User-Agent": "another"}).status_code == 200
    assert heard


@pytest.mark.defect(raises=RecursionError)
def test_row_20_current_user_may_be_logged_in_again(library: ModuleType, make: Make) -> None:
    """`login_user(current_user)` logs in the user that `current_user` stands for."""
    app = make()

    @app.get("/again")
    def again() -> str:
        library.login_user(library.current_user)
        return str(library.current_user.get_id())

    client = app.test_client()
    client.get("/login/ada")
    assert client.get("/again").text == "ada"


@pytest.mark.defect
@pytest.mark.parametrize("path", ["/", "/template", "/static/no-such-file"])
def test_row_14_nothing_is_loaded_that_is_not_asked_for(path: str, make: Make, promise: Promise) -> None:
    """A response that never asked who is there has no `Vary`, no `Set-Cookie`, and called no loader."""
    app, asked = make(), []
    client = app.test_client()
    client.get("/login/ada?remember")
    app.login_manager.user_loader(asked.append)
    app.login_manager.request_loader(asked.append)
    response = client.get(path)
    with promise():
        assert (response.vary.as_set(), response.headers.getlist("Set-Cookie"), asked) == (set(), [], [])


@pytest.mark.defect
def test_row_14_a_page_with_a_user_still_varies(make: Make, promise: Promise) -> None:
    """The response that did ask says `Vary: Cookie` (CVE-2023-30861), and the one before it did not."""
    client = make().test_client()
    client.get("/login/ada")
    assert "Cookie" in client.get("/secret").vary
    with promise():
        assert "Cookie" not in client.get("/").vary


@pytest.mark.defect
def test_row_18_the_user_does_not_leak_between_test_requests(make: Make, promise: Promise) -> None:
    """Two clients under one pushed application context are two people."""
    app = make()
    with app.app_context():
        first = app.test_client()
        first.get("/login/ada")
        assert first.get("/me").json["id"] == "ada"
        with promise():
            assert app.test_client().get("/me").json["id"] is None


@pytest.mark.defect
@pytest.mark.parametrize("mode", ["basic", "strong"])
def test_row_19_client_is_as_asked(mode: str, library: ModuleType, make: Make, person: type, promise: Promise) -> None:
    """A `FlaskLoginClient` is logged in, and fresh if it was asked to be, under "basic" and under "strong"."""
    app = make(SESSION_PROTECTION=mode)
    app.test_client_class = library.FlaskLoginClient
    clients = [app.test_client(user=person("ada"), fresh_login=fresh) for fresh in (True, False)]
    answers = [client.get("/me").json for client in clients]
    with promise():
        assert answers == [{"id": "ada", "fresh": True}, {"id": "ada", "fresh": False}]


@pytest.mark.defect
@pytest.mark.parametrize("where", ["SESSION_PROTECTION", "session_protection"])
def test_row_39_a_typo_in_the_protection_mode_is_an_error(where: str, make: Make, promise: Promise) -> None:
    """A protection mode that does not exist is an error that names those that do, and never means "off"."""

    def visit() -> None:
        app = make(**({where: "Strong"} if where.isupper() else {}))
        app.login_manager.session_protection = "Strong" if where.islower() else "strong"
        client = app.test_client()
        client.get("/login/ada")
        client.get("/me")

    with promise(), pytest.raises(ConfigurationError) as caught:
        visit()
    assert [choice for choice in ('"basic"', '"strong"', "None", "Strong") if choice not in str(caught.value)] == []
    assert_two_sentences(caught.value)


@pytest.mark.defect
def test_missing_loader_says_what_to_do(make: Make, promise: Promise) -> None:
    """An app that sets no loader is told, in two sentences, which decorators to use."""
    client = make(loader=False).test_client()
    client.get("/login/ada")
    with pytest.raises(Exception, match="user_loader") as caught:
        client.get("/me")
    with promise():
        assert isinstance(caught.value, ConfigurationError)
    assert "request_loader" in str(caught.value)
    assert "@login_manager.user_loader" in str(caught.value)
    assert_two_sentences(caught.value)


def assert_two_sentences(error: Exception) -> None:
    """Hold a developer's error to its form: what is wrong, and what to do."""
    sentences = str(error).removesuffix(".").split(". ")
    assert str(error).endswith(".")
    assert len(sentences) == 2
    assert all(sentence[0].isupper() for sentence in sentences)


@pytest.mark.defect(raises=AttributeError)
def test_row_33_anonymous_user_may_be_none(make: Make) -> None:
    """A factory that gives `None` for the anonymous user (as Flask-Security's does) means nobody, and a 401."""
    app = make()
    app.login_manager.anonymous_user = lambda: None
    assert app.test_client().get("/secret").status_code == 401


@pytest.mark.defect
def test_row_31_api_clients_get_a_problem(make: Make, promise: Promise) -> None:
    """With ADMIT_PROBLEM_JSON a client that prefers JSON gets a 401 problem document (RFC 9457) with a challenge."""
    app = make(ADMIT_PROBLEM_JSON=True)
    app.login_manager.login_view = "public"
    response = app.test_client().get("/secret", headers={"Accept": "application/json"})
    with promise():
        assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    assert response.headers["WWW-Authenticate"]
    assert response.json["code"] == "session_required"
    assert response.json["status"] == 401
    assert response.json["error"]
    assert response.cache_control.no_store


PLAIN = [
    ({}, {"Accept": "application/json"}, "the app did not ask for problems"),
    ({"ADMIT_PROBLEM_JSON": True}, {"Accept": "text/html,application/json;q=0.9"}, "a browser"),
    ({"ADMIT_PROBLEM_JSON": True}, {"Accept": "*/*", "Sec-Fetch-Mode": "navigate"}, "a browser that takes anything"),
    ({"ADMIT_PROBLEM_JSON": True}, {}, "nothing said"),
]


@pytest.mark.parametrize(("config", "headers", "case"), PLAIN, ids=[case for *_, case in PLAIN])
def test_row_31_others_are_redirected_as_ever(config: dict, headers: dict, case: str, make: Make) -> None:
    """Where no problem was asked for, or the client is a browser, the answer is Flask-Login's redirect."""
    app = make(**config)
    app.login_manager.login_view = "public"
    assert app.test_client().get("/secret", headers=headers).location == "/?next=%2Fsecret", case


def test_row_31_an_apps_own_answer_wins(make: Make) -> None:
    """An `unauthorized_handler` of the app's own is asked before any problem is made."""
    app = make(ADMIT_PROBLEM_JSON=True)
    app.login_manager.unauthorized_handler(lambda: ("mine", 418))
    assert app.test_client().get("/secret", headers={"Accept": "application/json"}).status_code == 418


def test_row_34_login_disabled_opens_the_guards(make: Make) -> None:
    """LOGIN_DISABLED lets everybody through both guards, as the released Flask-Login does."""
    client = make(LOGIN_DISABLED=True).test_client()
    assert (client.get("/secret").status_code, client.get("/very-secret").status_code) == (200, 200)
