"""An API with keys in a header and users with alternative ids, with cookies and with a store."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import ConfigurationError
from admit.features.password import Password
from admit.flask import LoginManager, ModelAccounts
from tests.applications.token_api.api import PASSWORD, Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient


@pytest.fixture(params=[(1, False), (1, True), (2, False), (2, True)], ids=lambda one: f"step {one[0]}, debug {one[1]}")
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """Return the application with its tables, in a context that lasts for the test."""
    step, debug = request.param
    with ExitStack() as closing:
        api = Api(step, debug=debug)
        closing.enter_context(api.app.app_context())
        api.db.create_all()
        closing.callback(api.db.engine.dispose)
        closing.callback(api.db.session.remove)
        yield api


def log_in(api: Api, name: str) -> FlaskClient:
    """Return a browser in which somebody has logged in."""
    client = api.app.test_client()
    assert client.post("/login", data={"name": name, "password": PASSWORD}).status_code == 200
    return client


def who(client: FlaskClient, **headers: str) -> Any:
    """Return who is asking."""
    answer = client.get("/me", headers=headers)
    return answer.json["name"] if answer.status_code == 200 else answer.status_code


def test_u10_alternative_ids_work_where_there_are_no_accounts(api: Api) -> None:
    """A login lasts until the application gives the user another id, which ends all of the user's logins."""
    api.add("ada")
    here, there = log_in(api, "ada"), log_in(api, "ada")
    assert [who(here), who(there)] == ["ada", "ada"]
    assert here.post("/password", data={"password": PASSWORD}).status_code == 204
    assert [who(here), who(there)] == [401, 401]
    assert who(log_in(api, "ada")) == "ada"


def test_u10_a_key_names_its_owner_and_starts_no_session(api: Api) -> None:
    """A program is known by its key at each request, beside a browser of somebody else, and nothing is kept."""
    keys = {name: api.add(name) for name in ("ada", "bob")}
    program = api.app.test_client()
    assert who(program, **{"X-Api-Key": keys["ada"]}) == "ada"
    assert who(program) == 401
    assert who(program, **{"X-Api-Key": "x" * 64}) == 401
    browser = log_in(api, "bob")
    assert who(browser) == "bob"
    browser.post("/logout")
    assert who(browser) == 401
    assert who(browser, **{"X-Api-Key": keys["bob"]}) == "bob"


def test_u04_the_next_user_has_no_login_of_a_deleted_one(api: Api) -> None:
    """Eve gets Ada's key in the table, but not her alternative id."""
    api.add("ada")
    hers = log_in(api, "ada")
    api.db.session.delete(api.user.query.one())
    api.db.session.commit()
    api.add("eve")
    assert who(hers) == 401
    assert who(log_in(api, "eve")) == "eve"


def test_u10_accounts_of_these_users_are_refused_at_start() -> None:
    """With accounts one person would have two ids: the sentence says which method to delete, and what for."""
    api = Api(2)
    with api.app.app_context():
        api.db.create_all()
        accounts = ModelAccounts(api.db.session, api.user, identifiers={"name": "username"}, password="password")
        with pytest.raises(ConfigurationError, match=r"User.get_id\(\).*Delete get_id\(\)"):
            LoginManager(store=accounts, features=[Password()]).init_app(api.app)
        api.db.engine.dispose()
