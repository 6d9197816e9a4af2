"""Finding the user of a request, and refusing those who may not go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Blueprint, Flask, current_app, g, session
from flask_session import Session as ServerSideSession

from admit.errors import ConfigurationError
from admit.flask import (
    FlaskLoginClient,
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_remembered,
    login_required,
    login_user,
    logout_user,
    set_login_view,
    user_loaded_from_header,
    user_loaded_from_request,
    user_login_confirmed,
)

if TYPE_CHECKING:
    from flask import Request, Response

Make = Callable[..., Flask]


def manager(app: Flask) -> LoginManager:
    """Return the application's login manager."""
    found: LoginManager = app.login_manager  # type: ignore[attr-defined]
    return found


def test_an_application_without_a_login_manager() -> None:
    """Asking who the user is says that init_app() was not called."""
    with Flask("site").test_request_context(), pytest.raises(ConfigurationError, match=r"Call login_manager\.init_app"):
        _ = current_user.is_authenticated


def test_outside_of_a_request() -> None:
    """Outside of a request current_user stands for None."""
    assert not current_user


def test_one_manager_for_two_applications() -> None:
    """Each application's configuration counts for its own requests."""
    login_manager: LoginManager = LoginManager()
    login_manager.user_loader(lambda _: None)
    pages = []
    for name in ("one", "two"):
        app = Flask(name)
        app.secret_key = name
        app.config["LOGIN_DISABLED"] = name == "two"
        login_manager.init_app(app, add_context_processor=False)
        app.add_url_rule("/", "index", login_required(lambda: "in"))
        pages.append(app.test_client().get("/").status_code)
    assert pages == [401, 200]


def test_init_app_twice_changes_nothing(make: Make) -> None:
    """Calling init_app() a second time leaves one answer to everything."""
    app = make()
    manager(app).init_app(app)
    response = app.test_client().get("/login/ada?remember")
    assert [line.split("=")[0] for line in response.headers.getlist("Set-Cookie")] == ["remember_token", "session"]


def test_request_loader_and_header_loader(make: Make) -> None:
    """A user may come from the request itself, or from a header; a signal says so."""
    heard: list[object] = []

    def hear(_app: Flask, user: object) -> None:
        heard.append((user, current_user._get_current_object()))

    def load(request: Request) -> UserMixin | None:
        return known.get(request.args.get("key", ""))

    user = type("User", (UserMixin,), {"id": "ada"})()
    known = {"k": user}
    app = make(loader=False)
    manager(app).request_loader(load)
    with pytest.warns(DeprecationWarning, match="header_loader"):
        manager(app).header_loader({"h": user}.get)
    client = app.test_client()
    with user_loaded_from_request.connected_to(hear), user_loaded_from_header.connected_to(hear):
        assert client.get("/me?key=k").json == {"id": "ada", "fresh": False}
        assert client.get("/me", headers={"Authorization": "h"}).json == {"id": "ada", "fresh": False}
        assert client.get("/me", headers={"Authorization": "x"}).json == {"id": None, "fresh": False}
        assert client.get("/me?key=x").json == {"id": None, "fresh": False}
    assert heard == [(user, user)] * 2


def test_a_subclass_that_loads_by_itself_without_loaders(make: Make) -> None:
    """The steps that subclasses call find nobody where there is no loader for them."""
    app = make(loader=False)
    with app.test_request_context():
        for found in (
            manager(app)._load_user_from_remember_cookie("x"),
            manager(app)._load_user_from_request(app.request_class({})),
            manager(app)._load_user_from_header("x"),
        ):
            assert found is None


def test_a_user_who_is_gone_is_nobody(make: Make) -> None:
    """A session or a remember cookie of a user whom the loader does not find is nobody's."""
    app = make()
    client = app.test_client()
    client.get("/login/ada?remember")
    manager(app).user_loader(lambda _: None)
    assert client.get("/me").json == {"id": None, "fresh": True}
    client.delete_cookie("session")
    response = client.get("/me")
    assert response.json == {"id": None, "fresh": False}
    assert "Set-Cookie" not in response.headers


def test_a_loader_that_fails_fails_the_request(make: Make) -> None:
    """A loader that raises makes no user of anybody, and is asked again (fail closed)."""
    app = make()
    asked: list[str] = []

    def load(user_id: str) -> UserMixin:
        asked.append(user_id)
        raise LookupError(user_id)

    @app.get("/twice")
    def twice() -> str:
        for _ in range(2):
            with pytest.raises(LookupError):
                _ = current_user.is_authenticated
        return ""

    client = app.test_client()
    client.get("/login/ada")
    manager(app).user_loader(load)
    assert client.get("/twice").status_code == 200
    assert asked == ["ada", "ada"]


def test_what_extensions_write_into_g_counts(make: Make, person: type[Any]) -> None:
    """A user that an extension notes, in g or by the manager's own step, is the user of this request."""
    app = make()

    @app.before_request
    def note() -> None:
        g._login_user = person("of g")

    assert app.test_client().get("/me").json == {"id": "of g", "fresh": False}
    with app.test_request_context():
        manager(app)._update_request_context_with_user(person("of the step"))
        assert g._login_user.id == current_user.id == "of the step"


def test_after_the_request_in_a_with_block(make: Make) -> None:
    """Tests may look at current_user after the request, as long as the client keeps its context."""
    with make().test_client() as client:
        client.get("/login/ada")
        assert current_user.id == "ada"


def test_pushed_contexts(make: Make) -> None:
    """Requests inside of one application context don't see each other's users."""
    app = make()
    with app.app_context():
        client = app.test_client()
        client.get("/login/ada")
        assert client.get("/me").json == {"id": "ada", "fresh": True}
        assert app.test_client().get("/me").json == {"id": None, "fresh": False}


def test_overridden_steps(make: Make) -> None:
    """A subclass sees every response, and may change how a session is protected and restored."""

    class Own(LoginManager):
        seen = 0

        def _update_remember_cookie(self, response: Response) -> Response:
            self.seen += 1
            return super()._update_remember_cookie(response)

        def _session_protection_failed(self) -> bool:
            return bool(session.get("blocked"))

    app = make()
    own = Own()
    own.user_loader(manager(app).user_callback or pytest.fail)
    own.init_app(app)

    @app.get("/block")
    def block() -> str:
        session["blocked"] = True
        return ""

    client = app.test_client()
    client.get("/login/ada")
    client.get("/")
    assert own.seen == 2
    client.get("/block")
    assert client.get("/me").json == {"id": None, "fresh": True}


def test_another_identifier(make: Make) -> None:
    """An application's own idea of a place replaces address and user agent, in both directions."""
    app = make(SESSION_PROTECTION="strong")
    places = ["here"]
    manager(app)._session_identifier_generator = lambda: places[0]
    client = app.test_client()
    client.get("/login/ada", headers={"User-Agent": "one"})
    assert client.get("/me", headers={"User-Agent": "two"}).json == {"id": "ada", "fresh": True}
    places[0] = "there"
    assert client.get("/me").json == {"id": None, "fresh": False}


def test_a_server_side_session_gets_a_new_id_at_login(make: Make, tmp_path: Any) -> None:
    """A session id that was planted before the login is not the logged-in one (attacks 1 and 2)."""
    app = make(SESSION_TYPE="filesystem", SESSION_FILE_DIR=str(tmp_path))
    with pytest.warns(DeprecationWarning, match="FileSystem"):
        ServerSideSession(app)
    client, planter = app.test_client(), app.test_client()
    planter.get("/login/mallory")
    planted = planter.get_cookie("session")
    assert planted is not None
    planter.get("/logout")
    client.set_cookie("session", planted.value)
    client.get("/login/ada")
    logged_in = client.get_cookie("session")
    assert logged_in is not None
    assert logged_in.value != planted.value
    assert client.get("/me").json == {"id": "ada", "fresh": True}
    assert planter.get("/me").json == {"id": None, "fresh": False}


def test_blueprints_have_login_pages_of_their_own(make: Make) -> None:
    """A blueprint's login page counts for exactly that blueprint; None means a plain 401."""
    app = make()
    manager(app).login_view = "/login"
    manager(app).blueprint_login_views = {"admin": "/admin/login", "api": None}
    for name in ("admin", "api", "shop"):
        blueprint = Blueprint(name, name, url_prefix=f"/{name}")
        blueprint.add_url_rule("/secret", "secret", login_required(lambda: ""))
        app.register_blueprint(blueprint)
    client = app.test_client()
    assert client.get("/admin/secret").location == "/admin/login?next=%2Fadmin%2Fsecret"
    assert client.get("/api/secret").status_code == 401
    assert client.get("/shop/secret").location == "/login?next=%2Fshop%2Fsecret"


def test_setting_login_views(make: Make) -> None:
    """set_login_view() keeps the application's page when the first blueprint gets one, and can change it."""
    app = make()
    with app.app_context():
        set_login_view("/login")
        set_login_view("/admin/login", Blueprint("admin", "admin"))
        assert manager(app).blueprint_login_views == {None: "/login", "admin": "/admin/login"}
        set_login_view("/api/login", Blueprint("api", "api"))
        assert manager(app).login_view is None
        set_login_view("/enter")
        assert manager(app).login_view == "/enter"
        assert manager(app).blueprint_login_views == {"admin": "/admin/login", "api": "/api/login"}


@pytest.mark.parametrize("view", ["unauthorized", "needs_refresh"])
def test_refusals(make: Make, view: str) -> None:
    """A refusal is a redirect with a translated message, an answer of the application's own, or a 401."""
    app = make()
    login_manager = manager(app)
    client = app.test_client()
    with app.test_request_context("/page"):
        assert app.make_response(app.handle_user_exception(refuse(login_manager, view))).status_code == 401  # type: ignore[arg-type]
        login_manager.login_view = login_manager.refresh_view = "/enter"
        login_manager.localize_callback = str.upper
        assert getattr(login_manager, view)().location == "/enter?next=%2Fpage"
        [(_, message)] = session["_flashes"]
        assert message.isupper()
        login_manager.login_message = login_manager.needs_refresh_message = ""
        getattr(login_manager, view)()
        assert len(session["_flashes"]) == 1
        setattr(login_manager, f"{view}_callback", lambda: "own answer")
        assert getattr(login_manager, view)() == "own answer"
    assert client.get("/").status_code == 200


def refuse(login_manager: LoginManager, view: str) -> Exception:
    """Return what the refusal raises where no page is set."""
    try:
        getattr(login_manager, view)()
    except Exception as error:  # noqa: BLE001 -- an HTTP error of any kind
        return error
    pytest.fail("nothing was raised")


def test_next_in_the_session(make: Make) -> None:
    """With USE_SESSION_FOR_NEXT the page to return to is in the session, and the login URL is clean."""
    app = make(USE_SESSION_FOR_NEXT=True)
    manager(app).login_view = "/enter"
    with app.test_client() as client:
        assert client.get("/secret?page=2").location == "/enter"
        assert session["next"] == "/secret?page=2"


def test_refreshing_each_request(make: Make) -> None:
    """With REMEMBER_COOKIE_REFRESH_EACH_REQUEST the valid cookie of the user gets a new lease, no other."""
    app = make(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True)
    client = app.test_client()
    client.get("/login/ada?remember")
    assert "remember_token=" in client.get("/me").headers["Set-Cookie"]
    assert "Set-Cookie" not in client.get("/").headers
    client.delete_cookie("remember_token")
    assert "Set-Cookie" not in client.get("/me").headers
    client.set_cookie("remember_token", "grace|" + "0" * 128)
    assert "Set-Cookie" not in client.get("/me").headers


def test_the_duration_of_the_login_counts(make: Make) -> None:
    """The remember cookie lasts as long as the login said, else as is configured."""
    app = make(REMEMBER_COOKIE_DURATION=timedelta(days=2))
    client = app.test_client()
    for path, duration in (("/login/ada?remember&seconds=60", 60), ("/login/ada?remember", 2 * 86400)):
        client.get(path)
        cookie = client.get_cookie("remember_token")
        assert cookie is not None
        assert cookie.expires is not None
        left = cookie.expires.timestamp() - __import__("time").time()
        assert duration - 10 < left <= duration


def test_remembering_twice_in_one_request(make: Make, person: type[Any]) -> None:
    """Two logins in one request make one remember cookie, of the second."""
    app = make()

    @app.get("/both")
    def both() -> str:
        login_user(person("ada"), remember=True)
        login_user(person("grace"), remember=True)
        return ""

    response = app.test_client().get("/both")
    [cookie] = [line for line in response.headers.getlist("Set-Cookie") if line.startswith("remember_token")]
    assert cookie.startswith("remember_token=grace|")


def test_the_typed_current_user(make: Make, person: type[Any]) -> None:
    """The manager's own current_user is the same proxy as everybody's."""
    app = make()
    with app.test_request_context():
        login_user(person("ada"))
        assert manager(app).current_user is current_user
        assert isinstance(manager(app).current_user, person)


def test_logging_in_and_out_in_one_request(make: Make, person: type[Any]) -> None:
    """Logging out takes back what logging in had promised in the same request."""
    app = make()

    @app.get("/both")
    def both() -> str:
        login_user(person("ada"), remember=True)
        logout_user()
        return ""

    response = app.test_client().get("/both")
    assert "remember_token" not in str(response.headers)


def test_a_user_without_an_id_can_not_log_in(make: Make, person: type[Any]) -> None:
    """A user who was never stored has no id, and no session is made for nobody."""
    with make().test_request_context(), pytest.raises(ConfigurationError, match="Store the user before"):
        login_user(person(None))


def test_an_inactive_user_can_be_forced_in(make: Make, person: type[Any]) -> None:
    """A user who is not active stays out, unless the application insists."""
    dormant = person("ada", is_active=False)
    with make().test_request_context():
        assert not login_user(dormant)
        assert current_user.is_anonymous
        assert login_user(dormant, force=True)
        assert current_user.id == "ada"


def test_anonymous_user_may_be_none(make: Make) -> None:
    """A factory that makes None is fine: guards refuse nobody as they refuse anybody else."""
    app = make()
    manager(app).anonymous_user = lambda: None
    assert app.test_client().get("/secret").status_code == 401


def test_the_test_client(make: Make, person: type[Any]) -> None:
    """A FlaskLoginClient is its user, or nobody, as fresh as it says."""
    app = make()
    app.test_client_class = FlaskLoginClient
    assert app.test_client().get("/me").json == {"id": None, "fresh": False}
    for fresh in (True, False):
        client = app.test_client(user=person("ada"), fresh_login=fresh)
        assert client.get("/me").json == {"id": "ada", "fresh": fresh}


def test_guards_in_blueprints_and_hooks(make: Make) -> None:
    """A guard may sit on a hook, and lets the exempt methods pass."""
    app = make()

    @app.before_request
    @login_required
    def guard() -> None:
        return None

    client = app.test_client()
    assert client.get("/").status_code == 401
    assert client.options("/").status_code == 200


def test_confirming_makes_fresh(make: Make) -> None:
    """confirm_login() makes a stale login fresh, here and from now on, and a signal says so."""
    app = make()
    heard: list[object] = []

    def hear(sender: object) -> None:
        heard.append(sender)

    @app.get("/confirm")
    def confirm() -> str:
        confirm_login()
        return ""

    client = app.test_client()
    client.get("/login/ada", headers={"User-Agent": "one"})
    assert client.get("/me", headers={"User-Agent": "two"}).json == {"id": "ada", "fresh": False}
    assert client.get("/me", headers={"User-Agent": "three"}).json == {"id": "ada", "fresh": False}
    with user_login_confirmed.connected_to(hear):
        client.get("/confirm", headers={"User-Agent": "two"})
    assert client.get("/me", headers={"User-Agent": "two"}).json == {"id": "ada", "fresh": True}
    assert heard == [app]


def test_remembered_or_not(make: Make) -> None:
    """login_remembered() tells whether the browser's valid remember cookie is there."""
    app = make()
    app.add_url_rule("/remembered", "remembered", lambda: str(login_remembered()))
    client = app.test_client()
    client.get("/login/ada")
    assert client.get("/remembered").text == "False"
    client.get("/login/ada?remember")
    assert client.get("/remembered").text == "True"
    client.set_cookie("remember_token", "ada|junk")
    assert client.get("/remembered").text == "False"


def test_strong_and_a_session_that_was_never_bound(make: Make) -> None:
    """Under "strong" a session that notes no place counts as none; the remember cookie speaks for itself."""
    app = make(SESSION_PROTECTION="strong")
    client = app.test_client()
    client.get("/login/ada?remember")
    with client.session_transaction() as kept:
        del kept["_id"]
    assert client.get("/me").json == {"id": "ada", "fresh": False}
    with client.session_transaction() as kept:
        del kept["_id"]
    client.delete_cookie("remember_token")
    assert client.get("/me").json == {"id": None, "fresh": False}


def test_strong_and_a_session_from_elsewhere(make: Make) -> None:
    """Under "strong" a session that turns up elsewhere ends there, with its remember cookie."""
    client = make(SESSION_PROTECTION="strong").test_client()
    client.get("/login/ada?remember", headers={"User-Agent": "one"})
    response = client.get("/me", headers={"User-Agent": "two"})
    assert response.json == {"id": None, "fresh": False}
    assert client.get_cookie("remember_token") is None


def test_a_duration_of_another_type(make: Make) -> None:
    """A duration that is no timedelta is refused before anything is written."""
    app = make(REMEMBER_COOKIE_DURATION="3 days")
    with app.test_request_context():
        session["_user_id"] = "ada"
        with pytest.raises(ConfigurationError, match="REMEMBER_COOKIE_DURATION must be"):
            manager(app)._set_cookie(app.response_class())


def test_within_needs_a_store(make: Make) -> None:
    """A limit in minutes can't be kept by a cookie without a time, and the error says what to do."""
    app = make()
    guarded = fresh_login_required(within=timedelta(minutes=5))(lambda: "in")
    client = app.test_client()
    app.add_url_rule("/payout", "payout", guarded)
    client.get("/login/ada")
    with pytest.raises(ConfigurationError, match="Give the LoginManager a store"):
        client.get("/payout")


def test_without_a_secret_key(make: Make) -> None:
    """An application without a key serves anonymous requests, whatever cookies they bring (attack 18)."""
    app = make(SECRET_KEY=None)
    client = app.test_client()
    client.set_cookie("remember_token", "ada|" + "0" * 128)
    client.set_cookie("session", "junk")
    assert client.get("/me").json == {"id": None, "fresh": False}
    assert client.options("/secret").status_code == 200
    with app.app_context():
        assert current_app.login_manager is manager(app)  # type: ignore[attr-defined]
