"""What can't work is not offered: without email addresses no email reaches anybody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker  # noqa: TC002 -- SQLAlchemy reads it
from sqlalchemy.pool import StaticPool

from admit import identifiers
from admit.features import everything
from admit.features.magic_link import MagicLink
from admit.features.registration import Registration
from admit.flask import LoginManager, login_required
from admit.stores.memory import MemoryStore
from admit.stores.sql_model import ModelAccounts
from tests.flask.page_site import PASSWORD, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

#: The ways of our pages that need an email.
BY_EMAIL = ("/magic-link", "/password-reset", "/mail-change", "/verify", "/new-device")
USERNAMES = ("username",)


class Base(DeclarativeBase):
    """The tables of an application."""


class User(Base):
    """A user who has a name, and no email."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None] = mapped_column(default=None)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with every feature, where people sign up with a user name alone."""
    return Site(tmp_path, everything(), ADMIT_REGISTRATION_IDENTIFIERS=USERNAMES)


def member(client: FlaskClient) -> FlaskClient:
    """Sign Ada up and in, by her user name."""
    client.post("/account/sign-up", data={"username": "ada", "password": PASSWORD})
    assert client.post("/account/sign-in", data={"identifier": "ada", "password": PASSWORD}).status_code == 303
    return client


def offers(text: str) -> list[str]:
    """Return which of the ways that need an email a page or an answer names."""
    return [one for one in BY_EMAIL if f"/account{one}" in text]


def test_n06_guests(site: Site) -> None:
    """Guests are offered neither a sign-in by email nor a reset."""
    for path in ("/sign-in", "/sign-up", "/sign-out"):
        page = site.client().get(f"/account{path}").text
        assert offers(page) == []
    page = site.client().get("/account/sign-in").text
    assert '<label for="field-identifier">User name</label>' in page


def test_n06_members(site: Site) -> None:
    """Members are not offered to change an email that they don't have, and no page offers them a reset."""
    client = member(site.client())
    for path in ("/", "/password", "/password/confirm", "/devices", "/close"):
        assert offers(client.get(f"/account{path}").text) == []


def test_n06_json(site: Site) -> None:
    """JSON names only the ways in that work."""
    answer = site.client().get("/api/account/")
    assert [one["name"] for one in answer.json["methods"]] == ["password"]


def test_n06_the_description(site: Site) -> None:
    """The OpenAPI description has only what works."""
    described = site.client().get("/api/openapi.json").json
    assert offers("\n".join(described["paths"])) == []
    assert "/api/account/sign-in" in described["paths"]
    assert "magic_link" not in [one["name"] for one in described["tags"]]


def test_n06_somebody_with_an_email() -> None:
    """Somebody to whom an operator has given an email is offered what works for them."""
    app, store = Flask("site"), MemoryStore()
    app.config.update({"TESTING": True, "ADMIT_REGISTRATION_IDENTIFIERS": USERNAMES})
    LoginManager(app, store=store, features=everything(), mail=[].append)
    client = member(app.test_client())
    ada = store.find_account("ada")
    assert ada is not None
    email = replace(identifiers.email("ada@example.org"), verified_at=ada.created_at)
    store.replace_account(ada, replace(ada, identifiers=(*ada.identifiers, email)))
    assert offers(client.get("/account/").text) == ["/mail-change"]
    assert offers(client.get("/account/password").text) == ["/password-reset", "/mail-change"]


def test_n06_both_names(tmp_path: Path) -> None:
    """Where people sign up with both, everything is offered as before."""
    site = Site(tmp_path, everything(), ADMIT_REGISTRATION_IDENTIFIERS=("username", "email"))
    assert offers(site.client().get("/account/sign-in").text) == ["/magic-link", "/password-reset"]


def test_n06_the_only_way_in(tmp_path: Path) -> None:
    """Where the only way in needs an email, people are still sent to it, for those who have one."""
    site = Site(tmp_path, [MagicLink(), Registration(identifiers=USERNAMES)])
    site.app.add_url_rule("/mine", "mine", login_required(lambda: "mine"))
    assert site.client().get("/mine").location.startswith("/account/magic-link")


@pytest.fixture
def engine() -> Iterator[Any]:
    """Return a database in memory with the table of an application."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("names", [{"name": "username"}, {"name": "username", "email": "email"}])
def test_n06_an_adopted_table(engine: Any, names: dict[str, str]) -> None:
    """Over an application's own table it is the table that says whether people have an email."""
    app = Flask("site")
    app.config.update(
        {"TESTING": True, "ADMIT_REGISTRATION_IDENTIFIERS": USERNAMES, "ADMIT_CLOSING_ERASES_USERS": True}
    )
    store = ModelAccounts(sessionmaker(engine), User, identifiers=names, beside=MemoryStore())
    LoginManager(app, store=store, features=everything(), mail=[].append)
    page = app.test_client().get("/account/sign-in").text
    assert offers(page) == (["/magic-link", "/password-reset"] if "email" in names else [])
