"""A user class as old tutorials print it, with `is_active` and its kin as methods, means what it says.

With Flask-Login a bound method is always true, so who was switched off gets in: each test shows both.
"""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType

import pytest
from flask import Flask

Make = Callable[..., Flask]
Promise = Callable[[], AbstractContextManager[None]]


def make_tutorial_user(*, active: bool = True, authenticated: bool = True) -> object:
    """Make a user of a class of its own, so that no earlier test has had its warning."""

    class TutorialUser:
        def is_active(self) -> bool:
            return active

        def is_authenticated(self) -> bool:
            return authenticated

        def is_anonymous(self) -> bool:
            return False

        def get_id(self) -> str:
            return "ada"

    return TutorialUser()


def make_tutorial_site(library: ModuleType, make: Make, user: object) -> Flask:
    """Make a site whose one user is the tutorial's."""
    app = make(loader=False)
    app.login_manager.user_loader(lambda _: user)
    app.add_url_rule("/enter", "enter", lambda: str(library.login_user(user)))
    return app


@pytest.mark.defect
@pytest.mark.filterwarnings("ignore:.*TutorialUser")
def test_inactive_user_is_refused(library: ModuleType, make: Make, promise: Promise) -> None:
    """`login_user` asks the method `is_active`, and does not log in a user who is not active."""
    client = make_tutorial_site(library, make, make_tutorial_user(active=False)).test_client()
    with promise():
        assert client.get("/enter").text == "False"
        assert client.get("/secret").status_code == 401


@pytest.mark.defect
@pytest.mark.parametrize("path", ["/secret", "/very-secret"])
@pytest.mark.filterwarnings("ignore:.*TutorialUser")
def test_unauthenticated_user_does_not_pass_the_guards(
    path: str,
    library: ModuleType,
    make: Make,
    promise: Promise,
) -> None:
    """Both guards ask the method `is_authenticated`."""
    client = make_tutorial_site(library, make, make_tutorial_user(authenticated=False)).test_client()
    assert client.get("/enter").text == "True"
    with promise():
        assert client.get(path).status_code == 401


@pytest.mark.defect
def test_the_author_is_told_once(library: ModuleType, make: Make, promise: Promise) -> None:
    """However often the user is looked at, the author of the class hears once that a property was meant."""
    client = make_tutorial_site(library, make, make_tutorial_user()).test_client()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [client.get(path).status_code for path in ("/enter", "/secret", "/very-secret", "/secret")] == [200] * 4
    with promise():
        assert [str(warning.message) for warning in caught if "TutorialUser" in str(warning.message)] != []
    [warning] = caught
    assert "property" in str(warning.message)
