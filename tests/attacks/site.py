"""The site that the attacks are aimed at: a whole application, its mailbox, its log, and many browsers."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify
from flask.testing import FlaskClient
from jinja2 import BytecodeCache

from admit.errors import StoreError
from admit.events import Event, Events
from admit.features.account import AccountPages
from admit.features.activity import Activity
from admit.features.devices import Devices
from admit.features.magic_link import MagicLink
from admit.features.mail_change import MailChange
from admit.features.mail_verification import MailVerification
from admit.features.new_device import NewDevice
from admit.features.password import Password
from admit.features.password_reset import PasswordReset
from admit.features.reauthenticate import Reauthenticate
from admit.features.registration import Registration
from admit.flask import LoginManager, current_user, fresh_login_required, login_required
from admit.operations import new_account
from admit.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2.bccache import Bucket
    from werkzeug.test import TestResponse

    from admit.feature import Feature
    from admit.mail import Message
    from admit.model import Account

ORIGIN = "https://app.example"
API = "/api/account"
PASSWORD = "violet anchors drift slowly"
OTHER_PASSWORD = "quiet rivers carry lanterns"
WRONG_PASSWORD = "wrong horses chew batteries"

#: What a browser says of a form or a fetch of the site's own page.
OWN_PAGE = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}

_LINK = re.compile(re.escape(ORIGIN) + r"/account/(?:verify|password-reset)/([\w.-]+)")

SESSION = "__Host-admit"


def all_features() -> list[Feature]:
    """Return one of each feature."""
    return [
        AccountPages(),
        Activity(),
        Password(),
        Registration(),
        MailVerification(),
        PasswordReset(),
        Devices(),
        Reauthenticate(),
        MagicLink(),
        MailChange(),
        NewDevice(),
    ]


class Templates(BytecodeCache):
    """Keeps what the templates are compiled to, so that not every site does it anew."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a bucket with what is kept for it."""
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what is in a bucket."""
        self._compiled[bucket.key] = bucket.bytecode_to_string()


_TEMPLATES = Templates()


class Browser:
    """One client with cookies of its own, which sends what the site's own pages would send."""

    def __init__(self, app: Flask, address: str = "192.0.2.1") -> None:
        self.http = FlaskClient(app, app.response_class, use_cookies=True)
        self.address = address

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request as it is, from this browser's address to the site."""
        environ = {"REMOTE_ADDR": self.address, **options.pop("environ_overrides", {})}
        # A client that keeps cookies throws a header with others away.
        sends_its_own = "Cookie" in options.get("headers", {})
        http = (
            FlaskClient(self.http.application, self.http.response_wrapper, use_cookies=False)
            if sends_its_own
            else self.http
        )
        base_url = options.pop("base_url", ORIGIN)
        # Read to its end and closed, as a server does: some things are done only then.
        return http.open(path, method=method, base_url=base_url, environ_overrides=environ, buffered=True, **options)

    def post(self, path: str, body: Any = None, /, method: str = "POST", **headers: str) -> TestResponse:
        """Send JSON to an action."""
        return self.send(method, API + path, json=body, headers={**OWN_PAGE, **headers})

    def get(self, path: str, **headers: str) -> TestResponse:
        """Ask for a path of the site."""
        return self.send("GET", path, headers=headers)

    def me(self) -> TestResponse:
        """Ask who is logged in."""
        return self.get(f"{API}/")

    def sign_in(self, name: str, password: str = PASSWORD, *, remember: bool = False, **headers: str) -> TestResponse:
        """Try to log in."""
        body = {"identifier": name, "password": password, **({"remember": True} if remember else {})}
        return self.post("/sign-in", body, **headers)

    def cookie(self, name: str = SESSION) -> str | None:
        """Return the value of a cookie that this browser holds."""
        found = self.http.get_cookie(name, "app.example")
        return found.value if found else None

    def plant(self, name: str, value: str) -> None:
        """Put a cookie into this browser, as a thief or somebody on a sibling host would."""
        self.http.set_cookie(name, value, domain="app.example", secure=True)


@dataclass
class Site:
    """An application with accounts, and everything that comes out of it."""

    app: Flask
    login_manager: LoginManager[Any]
    clock: Clock
    mails: list[Message]
    events: list[Event] = field(default_factory=list[Event])

    @property
    def accounts(self) -> Any:
        """What the application has of accounts: stores, throttle, devices."""
        return self.login_manager.keeper.accounts  # type: ignore[union-attr]

    def close(self) -> None:
        """Let go of the store, and of the thread that watches it for what others change."""
        self.login_manager.keeper.gate.store.close()  # type: ignore[union-attr]

    def browser(self, address: str = "192.0.2.1") -> Browser:
        """Return a browser that has never been here."""
        return Browser(self.app, address)

    def mails_to(self, address: str) -> list[Message]:
        """Return the mails to an address, the oldest first."""
        return [mail for mail in self.mails if mail.to == address]

    def token(self, address: str) -> str:
        """Return the token of the link in the last mail to an address that has one."""
        found = [_LINK.search(mail.text) for mail in self.mails_to(address)]
        last = next(one for one in reversed(found) if one is not None)
        return last[1]

    def code(self, address: str) -> str:
        """Return the code in the last mail to an address."""
        found = re.findall(r"^\d{4} \d{4}$", self.mails_to(address)[-1].text, re.MULTILINE)
        return str(found[-1])

    def mailed_token(self, address: str, kind: str) -> str:
        """Return the token of the last link of one kind in the mails to an address, the kind being its path."""
        link = re.compile(rf"{re.escape(ORIGIN)}/account/{kind}/([\w.-]+)")
        found = [link.search(mail.text) for mail in self.mails_to(address)]
        return next(one[1] for one in reversed(found) if one is not None)

    def sign_up(self, address: str, browser: Browser | None = None, password: str = PASSWORD) -> Browser:
        """Sign up, and leave the address unconfirmed."""
        browser = browser or self.browser("203.0.113.77")
        answer = browser.post("/sign-up", {"email": address, "password": password})
        assert answer.status_code == 202, answer.text
        return browser

    def member(self, address: str = "ada@people.example", password: str = PASSWORD) -> Account:
        """Make an account with a confirmed address, as its owner would."""
        browser = self.sign_up(address, password=password)
        confirmed = browser.post("/verify", {"token": self.token(address)})
        assert confirmed.json == {"next": "sign_in", "url": None}
        return self.account(address)

    def unconfirmed(self, address: str, password: str = PASSWORD) -> Account:
        """Make an account whose address nobody has confirmed, and of which nobody knows who has made it."""
        account = new_account(at=self.clock(), email=address)
        with self.app.test_request_context(base_url=ORIGIN):
            ctx = self.accounts.context()
            kept: Account = self.accounts.store.add_account(account, ctx.secret_keeper().enroll(ctx, account, password))
        return kept

    def signed_in(self, address: str, password: str = PASSWORD, *, remember: bool = False, at: str = "") -> Browser:
        """Return a browser that is logged in."""
        browser = self.browser(at or "192.0.2.1")
        answer = browser.sign_in(address, password, remember=remember)
        assert answer.status_code == 200, answer.text
        return browser

    def account(self, address: str) -> Account:
        """Return the account that has an address now."""
        found: Account = self.accounts.store.find_account(address)
        return found

    def reset_token(self, address: str, browser: Browser | None = None) -> str:
        """Ask for a link to choose a password anew, and return its token."""
        asked = (browser or self.browser()).post("/password-reset", {"identifier": address})
        assert asked.status_code == 202
        return self.token(address)


class Outage:
    """A store that can be made to fail: every verb raises what a lost connection raises."""

    def __init__(self, store: Any) -> None:
        self.is_down = False
        put_before_verbs(self, store, self._fail)

    def _fail(self, _verb: str) -> None:
        if self.is_down:
            message = "connection to database-7.internal as admit_rw lost"
            raise StoreError(message)


def put_before_verbs(proxy: object, store: Any, before: Callable[[str], None]) -> None:
    """Give a proxy the verbs of a store, each of which first calls a function with its name."""

    def proxied(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            before(name)
            return verb(*arguments, **options)

        return call

    for name in dir(store):
        if not name.startswith("_"):
            # Put on the proxy itself: since Python 3.12, what only __getattr__ knows does not make it a store.
            found = getattr(store, name)
            setattr(proxy, name, proxied(name, found) if callable(found) else found)


def make_site(
    store: Any,
    features: Iterable[Feature] | None = None,
    *,
    mail: Callable[[Any], object] | None = None,
    **config: Any,
) -> Site:
    """Return a site as it would be in production: no debug, no testing, an address of its own."""
    app = Flask("site")
    app.jinja_options = {**app.jinja_options, "bytecode_cache": _TEMPLATES}
    app.config.update(
        {
            "SECRET_KEY": "b1f0c8d4e6a2479db1f0c8d4e6a2479d",
            "ADMIT_PUBLIC_URL": ORIGIN,
            "ADMIT_THROTTLE_REQUESTS_PER_HOUR": 1000,
            **config,
        }
    )
    mails: list[Message] = []
    told: list[Event] = []
    events = Events()
    events.subscribe(Event, told.append)
    clock = Clock()
    login_manager: LoginManager[Any] = LoginManager(
        app,
        store=store,
        features=list(features) if features is not None else all_features(),
        mail=mail or mails.append,
        events=events,
        clock=clock,
    )
    _views(app)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    return Site(app, login_manager, clock, mails, told)


def _views(app: Flask) -> None:
    """Give the site what an application has of its own: a private page, a sensitive one, and one that fails."""

    @app.get("/private")
    @login_required
    def private() -> Any:
        return jsonify(private=current_user.id)

    @app.post("/transfer")
    @fresh_login_required
    def transfer() -> Any:
        return jsonify(done=True)

    @app.get("/broken")
    def broken() -> Any:
        secret_plan = "tell nobody about the lighthouse"
        raise RuntimeError(secret_plan)
