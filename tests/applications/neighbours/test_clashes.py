"""An application with routes and templates of its own at places where Admit has some."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from flask import Blueprint, Flask, redirect, render_template

from admit.errors import ConfigurationError
from admit.feature import Context, Feature, Reply, action
from admit.features import everything
from admit.features.account import AccountPages
from admit.features.devices import Devices
from admit.features.password import Password
from admit.flask import LoginManager

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def add_well_known(app: Flask) -> None:
    """Add a view at an address that password managers ask for."""
    app.add_url_rule("/.well-known/change-password", "own", lambda: redirect("/settings"))


def add_account(app: Flask) -> None:
    """Add a page for the account."""
    app.add_url_rule("/account/", "own", lambda: "my account")


def add_device(app: Flask) -> None:
    """Add a view whose address varies, under another name."""
    app.add_url_rule("/api/account/devices/<uuid:device>", "own", lambda device: "", methods=["DELETE"])


def add_any_method(app: Flask) -> None:
    """Add a page and its form as one view."""
    app.add_url_rule("/account/sign-in", "own", lambda: "", methods=["GET", "POST"])


def add_description(app: Flask) -> None:
    """Add a description of an API of the application."""
    app.add_url_rule("/api/openapi.json", "own", dict)


def add_blueprint(app: Flask) -> None:
    """Add a blueprint of the application that has the prefix of ours."""
    blueprint = Blueprint("mine", __name__, url_prefix="/account")
    blueprint.add_url_rule("/", "own", lambda: "")
    app.register_blueprint(blueprint)


CLASHES = {
    add_well_known: ("/.well-known/change-password", "own", "admit_change-password", "Remove yours"),
    add_account: ("/account/", "own", "admit.account_show_page", "ADMIT_PREFIX"),
    add_device: ("/api/account/devices/<session_id>", "own", "admit.devices_end_json", "ADMIT_API_PREFIX"),
    add_any_method: ("/account/sign-in", "own", "admit.password_login_", "ADMIT_PREFIX"),
    add_description: ("/api/openapi.json", "own", "admit_api.description", "ADMIT_API_DOCS"),
    add_blueprint: ("/account/", "mine.own", "admit.account_show_page", "ADMIT_PREFIX"),
}


def site(**config: Any) -> Flask:
    """Return an application without a route."""
    app = Flask("site")
    app.config.update(TESTING=True, SECRET_KEY="of the tests", **config)
    return app


def add_accounts(app: Flask) -> None:
    """Give it accounts."""
    LoginManager(app, store="memory:", features=[AccountPages(), Devices(), Password()])


def told(error: ConfigurationError, add: Callable[[Flask], None]) -> bool:
    """Tell whether an error names the address, both views, and what to do."""
    address, theirs, ours, remedy = CLASHES[add]
    return all(part in str(error) for part in (address, repr(theirs), f"'{ours}", remedy))


@pytest.mark.parametrize("add", CLASHES)
def test_u20_a_clash_with_a_route_that_is_there_is_an_error_at_start(add: Callable[[Flask], None]) -> None:
    """A route of the application at an address of ours is named, with ours, as soon as ours are added."""
    app = site()
    add(app)
    with pytest.raises(ConfigurationError) as raised:
        add_accounts(app)
    assert told(raised.value, add)


@pytest.mark.parametrize("add", CLASHES)
def test_u20_a_clash_with_a_later_route_is_an_error_at_each_request(add: Callable[[Flask], None]) -> None:
    """A route that comes later is named at the first request, whatever that asks for, and at every other one."""
    app = site()
    add_accounts(app)
    add(app)
    client = app.test_client()
    for _ in range(2):
        with pytest.raises(ConfigurationError) as raised:
            client.get("/anything")
        assert told(raised.value, add)


def test_u20_a_clash_is_a_500_in_production(caplog: pytest.LogCaptureFixture) -> None:
    """Where errors are answered, nobody is served by either of two views, and the log has the sentence."""
    app = Flask("site")
    app.config.update(SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566")
    add_accounts(app)
    add_account(app)
    assert app.test_client().get("/account/").status_code == 500
    assert "/account/ has two views, 'own' of the application and 'admit.account_show_page' of Admit." in caplog.text


def test_u20_routes_beside_ours_are_no_clash() -> None:
    """Other methods, other paths below our prefix, and a route for all the rest are the application's own business."""
    app = site()
    app.add_url_rule("/account", "bare", lambda: "bare", redirect_to=None, strict_slashes=True)
    app.add_url_rule("/account/", "close", lambda: "closed", methods=["DELETE"])
    app.add_url_rule("/account/orders", "orders", lambda: "orders")
    add_accounts(app)
    app.add_url_rule("/account/<path:rest>", "rest", lambda rest: rest)
    app.add_url_rule("/<path:rest>", "everything", lambda rest: rest)
    app.add_url_rule("/account/sign-in", "never", lambda: "", build_only=True)
    client = app.test_client()
    assert client.get("/account/orders").text == "orders"
    assert client.delete("/account/").text == "closed"
    assert client.get("/account/what/else").text == "what/else"
    assert client.get("/account/sign-in").status_code == 200


def test_u20_another_host_is_no_clash() -> None:
    """The same path on another subdomain is another address."""
    app = Flask("site", subdomain_matching=True)
    app.config.update(TESTING=True, SERVER_NAME="app.example", SECRET_KEY="of the tests")
    add_accounts(app)
    app.add_url_rule("/account/", "own", lambda: "the blog's", subdomain="blog")
    assert app.test_client().get("/account/", base_url="http://blog.app.example").text == "the blog's"


@pytest.mark.parametrize("add", [add_account, add_device, add_any_method])
def test_u20_another_prefix_solves_it(add: Callable[[Flask], None]) -> None:
    """What the error says to do does it."""
    app = site(ADMIT_PREFIX="/me", ADMIT_API_PREFIX="/api/me")
    add(app)
    add_accounts(app)
    client = app.test_client()
    assert client.get("/me/sign-in").status_code == 200
    assert client.post("/api/me/sign-in", json={"identifier": "ada", "password": "x"}).status_code == 401


# -- templates ---------------------------------------------------------------------------------------------------------


def put(folder: Path, name: str, text: str) -> None:
    """Write a template of the application."""
    path = folder / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_u20_templates_of_the_application_are_not_taken_for_ours(tmp_path: Path) -> None:
    """Pages and mails of ours are below admit/, so that the application's template of another name stays its own."""
    for name in ("account/show", "password/sign_in", "registration/sign_up", "password_reset/mail", "base", "error"):
        for kind in ("html", "txt"):
            put(tmp_path, f"{name}.{kind}", "the application's own")
    mails: list[Any] = []
    app = Flask("site", root_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="of the tests", ADMIT_MAIL_VERIFICATION_REQUIRED=False)
    LoginManager(app, store="memory:", features=everything(), mail=mails.append)
    app.add_url_rule("/own", "own", lambda: render_template("account/show.html"))
    client = app.test_client()
    person = {"email": "ada@example.org", "password": "seven green umbrellas in the attic"}
    client.post("/account/sign-up", data=person)
    link = re.search(r"http://[^/]+(/account/\S+)", mails[-1].text)
    assert link
    client.get(link[1], follow_redirects=True)
    client.post("/account/verify")
    client.post("/account/sign-in", data={"identifier": person["email"], "password": person["password"]})
    for path in ("/account/", "/account/sign-in", "/account/sign-up"):
        assert "the application's own" not in client.get(path).text
    client.post("/account/password-reset", data={"identifier": person["email"]})
    assert all("the application's own" not in mail.text + mail.html for mail in mails)
    assert client.get("/own").text == "the application's own"


def test_u20_templates_below_admit_replace_ours(tmp_path: Path) -> None:
    """The name to override a page or mail by is ours with admit/ before it."""
    put(tmp_path, "admit/password/sign_in.html", "{% extends 'admit/base.html' %}{% block content %}Ahoy{% endblock %}")
    put(tmp_path, "admit/error.html", "No.")
    app = Flask("site", root_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="of the tests")
    add_accounts(app)
    assert "Ahoy" in app.test_client().get("/account/sign-in").text


class Bell(Feature):
    """A feature of another package: for tests only."""

    name = "bell"

    @action("GET", "/bell", title="Ring", page="bell/ring")
    def ring(self, ctx: Context) -> Reply[None]:
        """Ring."""
        del ctx
        return Reply(None)


@pytest.mark.parametrize("place", ["bell/ring.html", "admit/bell/ring.html"])
def test_u20_templates_of_other_features_may_be_elsewhere(tmp_path: Path, place: str) -> None:
    """A feature of the application has its templates where it likes, below admit/ or not."""
    put(tmp_path, place, "ding")
    app = Flask("site", root_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="of the tests")
    LoginManager(app, store="memory:", features=[Bell()])
    assert app.test_client().get("/account/bell").text == "ding"
