"""A site whose one feature takes a word instead of a password, for tests of what is seen from outside."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask
from jinja2 import DictLoader

from admit.errors import IdentifierTaken, InvalidCredentials, StoreError
from admit.events import LoginFailed
from admit.feature import Context, Feature, Reply, Secret, Signed, action
from admit.flask import LoginManager, UserMixin, current_user
from admit.operations import create_account, new_account
from admit.stores.memory import MemoryStore
from admit.testing import Clock

if TYPE_CHECKING:
    from admit.gate import Gate
    from admit.model import Session

WORD = "xyzzy"
ADA = "ada@example.org"


class WordForm(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody says they are, and the word."""

    identifier: str
    word: Secret


class Words(Feature):
    """Lets in whoever knows the word."""

    name = "words"
    logs_in = "login"

    @action("POST", "/word", title="Say the word", errors=[InvalidCredentials])
    def login(self, ctx: Context, form: WordForm) -> Reply[Signed]:
        """Log in."""
        attempt = ctx.throttle.attempt(form.identifier, ctx.client)
        account = ctx.accounts.find_account(form.identifier)
        if account is None or form.word != WORD:
            ctx.publish(LoginFailed(at=ctx.now, subject="", method=self.name, reason="wrong", client=ctx.client))
            raise InvalidCredentials
        attempt.succeeded()
        return ctx.admit(account.id, self.name, frozenset())

    @action("POST", "/word/mail", title="Send the word")
    def send(self, ctx: Context) -> Reply[None]:
        """Send a mail without ado."""
        ctx.post(ADA, "word", {})
        return Reply(None)

    @action("GET", "/word/broken", title="Break")
    def broken(self, ctx: Context) -> Reply[None]:
        """Fail as no action may."""
        message = f"{ADA} and a secret"
        raise RuntimeError(message)


class Failing(MemoryStore):
    """A store that can be told not to answer."""

    fails = False

    def get_session(self, session_id: str) -> Session | None:
        """Return the session, or fail."""
        if self.fails:
            message = f"no answer about {session_id}"
            raise StoreError(message)
        return super().get_session(session_id)


def make_site(store: Any = None, *, features: bool = True, mail: Any = print, **config: Any) -> Flask:
    """Make the site with one account, Ada's; a page says who is there."""
    app = Flask("observed")
    app.config.update({"TESTING": True, "SECRET_KEY": "of the tests", **config})
    clock = Clock()
    login_manager: LoginManager[Any] = LoginManager(
        app, store=store or Failing(), features=[Words()] if features else [], mail=mail, clock=clock
    )
    if features:
        accounts = vars(app)["login_manager"].keeper.accounts.store
        with suppress(IdentifierTaken):  # another process has made it
            create_account(gate_of(app), accounts, new_account(at=clock(), email=ADA, verified=True))
    else:
        login_manager.user_loader(lambda subject: type("User", (UserMixin,), {"id": subject})())
    app.jinja_loader = DictLoader({"word.txt": f"A word\n{WORD}", "word.html": WORD, "words/send.html": WORD})
    app.add_url_rule("/me", "me", lambda: str(current_user.is_authenticated))
    return app


def say(app: Flask, word: str = WORD, identifier: str = ADA) -> int:
    """Say a word as a new client; return the status of the answer."""
    return app.test_client().post("/api/account/word", json={"identifier": identifier, "word": word}).status_code


def gate_of(app: Flask) -> Gate:
    """Return the gate of the site."""
    gate: Gate = vars(app)["login_manager"].sessions.gate
    return gate
