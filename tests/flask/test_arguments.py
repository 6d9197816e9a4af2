"""What a login manager is given: it is looked at before anything is opened."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from admit.errors import ConfigurationError
from admit.features.password import Password
from admit.flask import LoginManager

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no store": (
        {"features": [Password()]},
        r"^Features keep accounts in a store, and this LoginManager has none\. Give it one, as in ",
    ),
    "a class": (
        {"features": [Password], "store": "memory:"},
        r"^Password is a class\. Give a feature of it, as in features=\[Password\(\)\]\.$",
    ),
    "a name": (
        {"features": ["password"], "store": "memory:"},
        r"^'password' is no feature\. Give features such as Password\(\) as features=\[…\]\.$",
    ),
}


@pytest.mark.parametrize(("given", "sentence"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("way", ["constructor", "init_app"])
def test_n05_what_is_no_feature_is_refused(given: dict[str, Any], sentence: str, way: str) -> None:
    """Features without a store, and what is no feature, are refused with what to write, and nothing is installed."""
    app = Flask("shop")
    give = LoginManager if way == "constructor" else LoginManager().init_app
    with pytest.raises(ConfigurationError, match=sentence):
        give(app, **given)
    assert "admit" not in app.extensions


def test_n05_features_given_first_may_wait_for_the_store() -> None:
    """A login manager may have its features before the store is known."""
    app = Flask("shop")
    app.config.update(TESTING=True, SECRET_KEY="x" * 40)
    manager = LoginManager(features=[Password()], mail="console:")
    manager.init_app(app, store="memory:")
    assert app.test_client().get("/account/sign-in").status_code == 200
