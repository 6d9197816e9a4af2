"""What the tests of the Flask side share: one small site that either library can run, and the proof of a defect.

A test marked `@pytest.mark.defect` runs twice: on Admit, where it must pass, and on the released Flask-Login, where it
must fail, and with the exception that the mark names (`Broken`, unless it names another). `Broken` comes only out of
`with promise():`, so what leads up to the promise must work on both, and no other failure can pass for the defect.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import ModuleType

import flask_login
import pytest
from flask import Flask, render_template_string, request, session

import admit.flask


class Broken(Exception):
    """A promise that the library did not keep."""


@dataclass(frozen=True)
class Person:
    """A user, as an application would write one without either library's mixin."""

    id: str | int
    is_active: bool = True
    is_anonymous: bool = False

    @property
    def is_authenticated(self) -> bool:
        """Follow `is_active`, as the mixins do."""
        return self.is_active

    def get_id(self) -> str | int:
        """Give the id as it is, an int as an int."""
        return self.id


def make_site(library: ModuleType, *, loader: bool = True, **config: object) -> Flask:
    """Make a site that logs in whoever is named in the path, with `config` on top of its own."""
    app = Flask("site")
    app.config.update({"TESTING": True, "SECRET_KEY": "of the tests", **config})
    manager = library.LoginManager(app)
    if loader:
        manager.user_loader(Person)
    add_logins(app, library)
    add_pages(app, library)
    return app


def add_logins(app: Flask, library: ModuleType) -> None:
    """Add the routes that change who is logged in."""

    @app.get("/login/<path:name>", defaults={"kind": str})
    @app.get("/login-number/<int:name>", defaults={"kind": int})
    def login(name: str | int, kind: type) -> str:
        seconds = request.args.get("seconds", type=int)
        duration = None if seconds is None else timedelta(seconds=seconds)
        return str(library.login_user(Person(kind(name)), remember="remember" in request.args, duration=duration))

    @app.get("/logout")
    def logout() -> str:
        return str(library.logout_user())

    @app.get("/logout-and-clear")
    def logout_and_clear() -> str:
        library.logout_user()
        session.clear()
        return ""


def add_pages(app: Flask, library: ModuleType) -> None:
    """Add a page that asks nobody, one that says who is there, a template, and a page under each guard."""
    app.add_url_rule("/", "public", lambda: "public")
    app.add_url_rule("/template", "template", lambda: render_template_string("a page for everybody"))
    app.add_url_rule("/secret", "secret", library.login_required(lambda: "secret"))
    app.add_url_rule("/very-secret", "very_secret", library.fresh_login_required(lambda: "very secret"))

    @app.get("/me")
    def me() -> dict[str, object]:
        return {"id": library.current_user.get_id(), "fresh": library.login_fresh()}


@contextmanager
def promise() -> Iterator[None]:
    """Say that what is asserted inside is what the library promises."""
    try:
        yield
    except (AssertionError, pytest.fail.Exception) as error:
        raise Broken(str(error)) from error


@pytest.fixture(name="promise", scope="session")
def promise_fixture() -> Callable[[], AbstractContextManager[None]]:
    """Give `promise`, which marks the assertion that the defect breaks."""
    return promise


@pytest.fixture(name="person", scope="session")
def person_fixture() -> type[Person]:
    """Give the class of the site's users."""
    return Person


@pytest.fixture
def library() -> ModuleType:
    """Give the library under test: Admit, and for a test of a defect Flask-Login in its turn."""
    return admit.flask


@pytest.fixture
def make(library: ModuleType) -> Callable[..., Flask]:
    """Give `make_site` for the library under test; it takes the configuration."""
    return partial(make_site, library)


@pytest.fixture(scope="session")
def make_real() -> Callable[..., Flask]:
    """Give `make_site` for the released Flask-Login."""
    return partial(make_site, flask_login)


@pytest.fixture(scope="session")
def make_ours() -> Callable[..., Flask]:
    """Give `make_site` for Admit, for properties: one fixture serves all the examples."""
    return partial(make_site, admit.flask)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", "defect(raises=Broken): passes on Admit, and fails so on Flask-Login 0.6.3.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test of a defect on Admit, and on Flask-Login with the failure that is expected there."""
    mark = metafunc.definition.get_closest_marker("defect")
    if mark is None:
        return
    marks = [
        pytest.mark.xfail(strict=True, raises=mark.kwargs.get("raises", Broken), reason="the defect in Flask-Login"),
        pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
        *map(pytest.mark.filterwarnings, mark.kwargs.get("warns", ())),
    ]
    libraries = [pytest.param(admit.flask, id="admit"), pytest.param(flask_login, id="flask_login", marks=marks)]
    metafunc.parametrize("library", libraries)
