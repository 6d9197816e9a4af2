"""Coroutine loaders and coroutine views, in every mixture."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from flask import Flask, request

Make = Callable[..., Flask]

NEVER_AWAITED = ["ignore:coroutine .* was never awaited:RuntimeWarning"]
VIEWS = ["/me", "/async-me", "/secret", "/very-secret", "/async-secret", "/async-very-secret"]


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """Let go of the coroutines that Flask-Login never awaits while their warnings are still expected."""
    yield
    sys.last_exc = sys.last_value = sys.last_traceback = None
    gc.collect()


def make_async_site(library: ModuleType, make: Make, *, loader: bool = True) -> Flask:
    """Make a site with coroutine views beside the plain ones; the views ask for the user inside the running loop."""
    app = make(loader=loader)

    async def me() -> str:
        await asyncio.sleep(0)
        return str(library.current_user.get_id())

    app.add_url_rule("/async-me", "async_me", me)
    app.add_url_rule("/async-secret", "async_secret", library.login_required(me))
    app.add_url_rule("/async-very-secret", "async_very_secret", library.fresh_login_required(me))
    return app


@pytest.mark.defect(raises=AttributeError, warns=NEVER_AWAITED)
@pytest.mark.parametrize("path", VIEWS)
def test_row_15_coroutine_user_loader(path: str, library: ModuleType, make: Make, person: type) -> None:
    """A coroutine `user_loader` loads the user for plain and coroutine views, and within the request it serves."""
    app, seen = make_async_site(library, make, loader=False), []

    @app.login_manager.user_loader
    async def load(subject: str) -> object:
        await asyncio.sleep(0)
        seen.append(request.path)
        return person(subject)

    client = app.test_client()
    client.get("/login/ada")
    assert client.get(path).status_code == 200
    assert seen[-1] == path


@pytest.mark.defect(raises=AttributeError, warns=NEVER_AWAITED)
@pytest.mark.parametrize("path", ["/me", "/async-me", "/secret", "/async-secret"])
def test_row_15_coroutine_request_loader(path: str, library: ModuleType, make: Make, person: type) -> None:
    """A coroutine `request_loader` names the user for plain and coroutine views."""
    app = make_async_site(library, make, loader=False)

    @app.login_manager.request_loader
    async def load(request: object) -> object:
        await asyncio.sleep(0)
        return person(request.headers["X-Name"])

    assert app.test_client().get(path, headers={"X-Name": "robot"}).status_code == 200


@pytest.mark.parametrize("path", ["/async-secret", "/async-very-secret"])
def test_coroutine_views_are_guarded(path: str, library: ModuleType, make: Make) -> None:
    """Both guards refuse nobody's request for a coroutine view, and let the user's through."""
    client = make_async_site(library, make).test_client()
    assert client.get(path).status_code == 401
    client.get("/login/ada")
    assert client.get(path).text == "ada"


@pytest.mark.parametrize("path", ["/me", "/async-me"])
def test_what_a_coroutine_loader_raises_is_raised(path: str, library: ModuleType, make: Make) -> None:
    """An exception out of a coroutine loader reaches the view as it is: nobody is let in by it, nor silently out."""
    app = make_async_site(library, make, loader=False)

    @app.login_manager.request_loader
    async def load(_: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        app.test_client().get(path)
