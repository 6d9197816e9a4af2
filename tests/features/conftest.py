"""What the tests of features share: a site with the features of a test, driven as JSON or as pages.

Features never know each other, so neither do their tests: where one needs passwords, it gets `Phrases`, a feature of
the tests that keeps them as they are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pytest
from flask import Flask
from jinja2 import ChoiceLoader, FunctionLoader

import admit
from admit import identifiers, tokens
from admit.errors import InvalidCredentials, InvalidInput, Text
from admit.events import Event, Events
from admit.feature import Context, Demand, Feature, Reply, Secret, Signed, action
from admit.flask import LoginManager
from admit.model import Account, Credential, Factor
from admit.stores.memory import MemoryStore
from admit.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from admit.mail import Message

SOURCE = Path(admit.__file__).parent
PHRASE = "a phrase that will do"
ADA = "Ada@example.org"


class PhraseForm(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody says they are, and the proof."""

    identifier: str
    phrase: Secret
    remember: bool = False


class Phrases(Feature):
    """Keeps what people choose as it is: for tests only, where hashing would be for nothing."""

    name = "phrases"
    logs_in = "login"
    proves = "confirm"

    @action("POST", "/phrase", title="Say the phrase", page="phrases/login", errors=[InvalidCredentials])
    def login(self, ctx: Context, form: PhraseForm) -> Reply[Signed]:
        """Log in."""
        return ctx.admit(self._owner(ctx, form), self.name, frozenset({Factor.KNOW}), remember=form.remember)

    @action("POST", "/phrase/confirm", title="Say it again", page="phrases/login", demands=Demand.SESSION)
    def confirm(self, ctx: Context, form: PhraseForm) -> Reply[Signed]:
        """Prove it once more."""
        return ctx.confirm(self._owner(ctx, form), self.name, frozenset({Factor.KNOW}))

    def enroll(self, ctx: Context, account: Account, secret: str) -> Credential:
        """Return what would keep a phrase."""
        if len(secret) < 5:
            raise InvalidInput({"password": Text("It is too short.")})
        return Credential(tokens.new_id(), self.name, account.id, account.id, secret, ctx.now)

    def replace(self, ctx: Context, account: Account, credential: Credential) -> None:
        """Make it the one that counts, as a feature does that knows of no epochs."""
        old = ctx.credentials.get_credential(self.name, account.id)
        if old is None:
            ctx.credentials.add_credential(credential)
        else:
            ctx.credentials.replace_credential(old, replace(old, secret=credential.secret))
        ctx.gate.revoke_all(account.id, by="phrase")

    def _owner(self, ctx: Context, form: PhraseForm) -> str:
        account = ctx.accounts.find_account(identifiers.key_of(form.identifier) or "")
        kept = ctx.credentials.get_credential(self.name, account.id) if account else None
        if kept is None or kept.secret != form.phrase:
            raise InvalidCredentials
        return kept.subject


class Codes(Feature):
    """A second factor that takes one code, for ever: for tests only."""

    name = "codes"
    second_factor = True
    proves = "check"

    @action("POST", "/code", title="Type the code", page="codes/check", errors=[InvalidCredentials])
    def check(self, ctx: Context, form: PhraseForm) -> Reply[Signed]:
        """Complete a login."""
        begun = ctx.gate.pending(ctx.pending_token or "")
        kept = ctx.credentials.get_credential(self.name, begun.subject)
        if kept is None or kept.secret != form.phrase:
            raise InvalidCredentials
        return ctx.admit(begun.subject, self.name, frozenset({Factor.HAVE}))


class Client:
    """One browser, or one client of the JSON API: what it sends is the same."""

    def __init__(self, site: Site, face: str) -> None:
        self.site = site
        self.is_page = face == "page"
        self.http: FlaskClient = site.app.test_client()
        self.http.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"

    def send(self, path: str, method: str = "POST", **fields: Any) -> TestResponse:
        """Send an action its input, as a form or as JSON."""
        if self.is_page:
            options: dict[str, Any] = {} if method == "GET" else {"data": _texts(fields)}
            return self.http.open(f"/account{path}", method="GET" if method == "GET" else "POST", **options)
        options = {} if method == "GET" else {"json": fields}
        return self.http.open(f"/api/account{path}", method=method, **options)

    def get(self, path: str) -> TestResponse:
        """Ask for an action that only looks."""
        return self.send(path, "GET")

    def follow(self, url: str) -> TestResponse:
        """Follow a link of a mail, as a browser does."""
        return self.http.get(urlsplit(url).path, follow_redirects=True)

    def log_in(self, identifier: str = ADA, phrase: str = PHRASE, **fields: Any) -> TestResponse:
        """Log in by the phrase."""
        return self.send("/phrase", identifier=identifier, phrase=phrase, **fields)

    @property
    def is_in(self) -> bool:
        """Whether somebody is logged in, as the application's own views see it."""
        return self.http.get("/who").text != "nobody"


class Site:
    """An application with features, in memory, whose mails and events are kept and whose clock stands still."""

    def __init__(self, *features: Feature, loader: Callable[[str], Any] | None = None, **config: Any) -> None:
        self.app = Flask("site")
        self.app.config.update({"TESTING": True, "ADMIT_PUBLIC_URL": "https://app.example", **config})
        # So that a test fails for what it is about: pages are tested in tests/browser and tests/flask/test_pages.py.
        self.mails: list[Message] = []
        self.heard: list[Event] = []
        self.clock = Clock()
        self.store = MemoryStore()
        events = Events()
        events.subscribe(Event, self.heard.append)
        self.manager = LoginManager(
            self.app, store=self.store, features=features, mail=self.mails.append, clock=self.clock, events=events
        )
        if loader is not None:
            self.manager.user_loader(loader)
        self.gate = self.manager.sessions.gate
        self.app.jinja_loader = ChoiceLoader([FunctionLoader(_plain_page)])
        self.app.add_url_rule("/who", "who", _who)

    def client(self, face: str = "json") -> Client:
        """Return a new client."""
        return Client(self, face)

    def account(self, email: str | None = ADA, *, verified: bool = True, **changes: Any) -> Account:
        """Add an account with a phrase."""
        named = () if email is None else (identifiers.email(email),)
        if verified:
            named = tuple(replace(one, verified_at=self.clock()) for one in named)
        account = replace(Account(tokens.new_account_id(self.clock()), named, self.clock()), **changes)
        phrase = Credential(tokens.new_id(), "phrases", account.id, account.id, PHRASE, self.clock())
        self.store.add_account(account, phrase)
        return account

    def of(self, kind: type[Event]) -> list[Event]:
        """Return the events of this kind."""
        return [event for event in self.heard if isinstance(event, kind)]

    def links(self) -> list[str]:
        """Return the links in all mails, the latest last."""
        return [
            link
            for mail in self.mails
            for link in re.findall(r"https://app\.example/account\S*/[\w.-]{20,}", mail.text)
        ]

    def pass_time(self, **units: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**units))


@pytest.fixture(params=["json", "page"])
def face(request: pytest.FixtureRequest) -> str:
    """Return how actions are used: each test that asks for it runs both ways."""
    return str(request.param)


def _plain_page(name: str) -> str | None:
    # The features of these tests have no templates of their own.
    name = name.removeprefix("admit/")
    if name.startswith(("phrases/", "codes/")) or not list(SOURCE.rglob(name)):
        return "{{ title }} {{ error }} {{ fields }} {{ reply }}\n\n{{ url }}\n\n{{ confirm_url }}\n\n{{ code }}"
    return None


def _who() -> str:
    from admit.flask import current_user

    return str(current_user.label) if current_user.is_authenticated else "nobody"


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in fields.items()}
