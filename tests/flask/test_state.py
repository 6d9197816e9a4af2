"""What an application has of Admit is its own, and pages of ours stand back where the application names one."""

from __future__ import annotations

import gc

import pytest
from flask import Flask, get_flashed_messages

from admit.errors import ConfigurationError, StoreError
from admit.features.password import Password
from admit.features.reauthenticate import Reauthenticate
from admit.flask import LoginManager, fresh_login_required, login_required, login_user
from admit.flask.mixins import UserMixin
from admit.flask.state import close_with, state_of


class User(UserMixin):
    """Whoever."""

    id = "ada"


@pytest.fixture
def app() -> Flask:
    """Return an application with two guarded views, and login pages of its own that show what was flashed."""
    app = Flask("shop")
    app.config.update(TESTING=True, SECRET_KEY="x" * 40)
    app.add_url_rule("/login", "login", lambda: " ".join(get_flashed_messages()))
    app.add_url_rule("/again", "again", lambda: " ".join(get_flashed_messages()))
    app.add_url_rule("/private", "private", login_required(lambda: "private"))
    app.add_url_rule("/secret", "secret", fresh_login_required(lambda: "secret"))
    app.add_url_rule("/in", "in", lambda: str(login_user(User(), fresh=False)))
    return app


@pytest.mark.parametrize("when", ["before", "after"])
def test_u20_a_login_page_may_be_named_after_init_app(app: Flask, when: str) -> None:
    """Whenever an application names its own pages, people are sent there and read its messages."""
    manager = LoginManager(store="memory:", features=[Password(), Reauthenticate()])
    manager.user_loader(lambda _: User())

    def name_pages() -> None:
        manager.login_view, manager.refresh_view = "login", "again"

    if when == "before":
        name_pages()
    manager.init_app(app)
    if when == "after":
        name_pages()
    client = app.test_client()
    page = client.get("/private", headers={"Accept": "text/html"}, follow_redirects=True)
    assert (page.request.path, page.text) == ("/login", manager.login_message)
    client.get("/in")
    page = client.get("/secret", headers={"Accept": "text/html"}, follow_redirects=True)
    assert (page.request.path, page.text) == ("/again", manager.needs_refresh_message)


def test_our_pages_say_themselves_what_they_are_for(app: Flask) -> None:
    """Where the application names no page, ours are shown, and nothing is flashed."""
    manager = LoginManager(app, store="memory:", features=[Password(), Reauthenticate()])
    manager.user_loader(lambda _: User())
    client = app.test_client()
    answer = client.get("/private", headers={"Accept": "text/html"})
    assert answer.location.startswith("/account/sign-in?next=")
    client.get("/in")
    answer = client.get("/secret", headers={"Accept": "text/html"})
    assert answer.location.startswith("/account/")
    assert client.get("/login").text == ""


def test_an_application_without_a_login_manager_is_told() -> None:
    """Whoever forgot ``init_app`` reads what to call."""
    with pytest.raises(ConfigurationError, match=r"'shop' has no LoginManager\. Call login_manager\.init_app\(app\)"):
        state_of(Flask("shop"))


def test_a_store_without_close_is_left_as_it_is() -> None:
    """What has nothing to close is no trouble when its application is gone, and what fails to close is none either."""

    class Broken:
        closed = 0

        def close(self) -> None:
            self.closed += 1
            message = "there is nobody"
            raise StoreError(message)

    app, broken = Flask("shop"), Broken()
    close_with(app, [object(), broken])
    del app
    gc.collect()
    assert broken.closed == 1
