"""The events that the page of a feature names are those that happen when its actions are used, no more and no fewer."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Flask

from admit import tokens
from admit.events import Event, Events, Refused
from admit.feature import Feature
from admit.flask import LoginManager
from admit.model import Credential
from admit_declarations import actions_of, catalogue, events_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from admit.mail import Message

ADA, BOB, EVE = (f"{name}@example.org" for name in ("ada", "bob", "eve"))
WORDS = ("seven", "eleven", "thirteen", "seventeen")
FIRST, SECOND, THIRD, FOURTH = (f"{word} green umbrellas in the attic" for word in WORDS)


MEETING = {name for name, feature in catalogue().items() if type(feature).meet is not Feature.meet}


class Codes(Feature):
    """A second factor that nobody gets past: for a login that stays half done."""

    name = "codes"
    second_factor = True


class Site:
    """All features, and which events happened while an action of which of them was used."""

    def __init__(self, happened: defaultdict[str, set[str]], *, confirms_first: bool = False) -> None:
        self.outbox: list[Message] = []
        self.heard: list[Event] = []
        self.happened = happened
        events = Events()
        events.subscribe(Event, self.heard.append)
        self.app = Flask("site")
        self.app.testing = True
        self.app.config.update(ADMIT_MAIL_VERIFICATION_REQUIRED=confirms_first, ADMIT_THROTTLE_MAILS_PER_HOUR=100)
        self.manager = LoginManager(
            self.app, store="memory:", features=[*catalogue().values(), Codes()], mail=self.outbox.append, events=events
        )

    def use(self, client: FlaskClient, name: str, *, session_id: str = "", **fields: Any) -> TestResponse:
        """Use an action as JSON, and note what happens."""
        feature, _, action = name.partition(".")
        method, path = actions_of(catalogue()[feature])[action].json[0].split(" ")
        self.heard.clear()
        sent = {} if method == "GET" else {"json": fields}
        answer = client.open(path.replace("<session_id>", session_id), method=method, **sent)
        self.happened[feature] |= set()
        for event in self.heard:
            # What is refused belongs to no feature. One that meets who logs in by another makes events of its own.
            if not isinstance(event, Refused):
                owner = type(event).__module__.removeprefix("admit.features.").partition(".")[0]
                self.happened[owner if owner in MEETING else feature].add(type(event).__name__)
        return answer

    def token(self) -> str:
        """Return the token of the link in the latest mail."""
        found: str = re.findall(r"/([\w.-]{40,})", self.outbox[-1].text)[-1]
        return found

    def client(self) -> FlaskClient:
        """Return another browser."""
        return self.app.test_client()

    def log_in(self, name: str, password: str) -> FlaskClient:
        """Return another browser in which somebody has tried to log in."""
        client = self.client()
        self.use(client, "password.login", identifier=name, password=password)
        return client


def walk(site: Site) -> None:
    """Use every action in every way that publishes something."""
    here = site.client()
    site.use(here, "registration.sign_up", email=ADA, password=FIRST)
    site.use(here, "mail_verification.confirm", token=site.token())
    site.use(site.client(), "registration.sign_up", email=ADA, password=FIRST)
    for password in (FIRST, FIRST, SECOND):  # the second time a session is replaced
        site.use(here, "password.login", identifier=ADA, password=password)
    site.use(here, "password.confirm", password=FIRST)
    site.use(here, "password.change", old_password=FIRST, password=SECOND)
    site.use(here, "reauthenticate.show")
    site.log_in(ADA, SECOND)
    [_, other] = site.use(here, "devices.show").json["devices"]
    site.use(here, "devices.end", session_id=other["id"])
    site.use(here, "account.show")
    site.use(here, "account.take_away")
    site.use(here, "account.sign_out")
    site.log_in(ADA, SECOND)
    site.use(here, "password_reset.ask", identifier=ADA)
    site.use(here, "password_reset.choose", token=site.token(), password=THIRD)


def walk_by_mail(site: Site) -> None:
    """Log in by mail, move to another address and back, and deny a login."""
    here = site.client()
    site.use(here, "magic_link.ask", identifier=ADA)
    site.use(here, "magic_link.enter", code="00000000")
    for _ in range(2):  # the second time a session is replaced
        site.use(here, "magic_link.ask", identifier=ADA)
        site.use(here, "magic_link.use", token=site.token())
    site.use(here, "mail_change.ask", email="ada@example.com")
    site.use(here, "mail_change.confirm", token=site.token())
    site.use(site.client(), "mail_change.undo", token=site.token())
    site.use(site.client(), "password_reset.choose", token=site.token(), password=FOURTH)
    site.log_in(ADA, FOURTH)
    site.use(site.client(), "new_device.deny", token=site.token())
    site.use(site.client(), "password_reset.choose", token=site.token(), password=THIRD)
    for _ in range(2):  # the second login opens it again
        site.use(site.log_in(ADA, THIRD), "closing.close")
    site.use(here, "magic_link.ask", identifier=ADA)
    site.use(here, "magic_link.use", token=site.token())


def walk_on(site: Site) -> None:
    """Confirm what somebody else has set up, stay half logged in, and ask too often."""
    here = site.client()
    site.use(site.client(), "registration.sign_up", email=EVE, password=FIRST)
    confirmation = site.token()
    site.log_in(EVE, FIRST)
    site.use(here, "registration.sign_up", email=BOB, password=FIRST)
    site.use(here, "magic_link.ask", identifier=BOB)
    site.use(here, "magic_link.use", token=site.token())
    site.use(site.client(), "mail_verification.confirm", token=confirmation)
    account = site.log_in(ADA, THIRD).get("/api/account/").json["id"]
    code = Credential(tokens.new_id(), "codes", account, account, "", datetime.now(UTC))
    site.manager.keeper.accounts.credentials.add_credential(code)
    site.log_in(ADA, THIRD)
    site.use(here, "magic_link.ask", identifier=ADA)
    site.use(here, "magic_link.use", token=site.token())
    for _ in range(11):
        site.log_in(ADA, FIRST)
    for _ in range(31):
        site.use(site.client(), "password_reset.ask", identifier=ADA)
    site.use(site.client(), "mail_verification.request", email=ADA)
    site.use(site.client(), "magic_link.ask", identifier=ADA)
    site.use(here, "mail_change.ask", email="bob@example.com")
    site.use(site.client(), "registration.sign_up", email="carl@example.org", password=FIRST)
    site.use(site.client(), "activity.show")


def walk_waiting(site: Site) -> None:
    """Sign up where an address has to be confirmed first, with one that is free and with one that is taken by then."""
    here, other = site.client(), site.client()
    for client in (here, other):
        site.use(client, "registration.sign_up", email=ADA, password=FIRST)
    site.use(here, "mail_verification.request", email=ADA)
    site.use(here, "mail_verification.enter", code="00000000")
    site.use(here, "mail_verification.confirm", token=site.token())
    site.use(other, "mail_verification.request", email=ADA)


def test_the_events_of_a_feature_are_those_that_happen() -> None:
    """Using all actions publishes exactly the events that the pages name, feature by feature."""
    site = Site(defaultdict(set))
    walk(site)
    walk_by_mail(site)
    walk_on(site)
    walk_waiting(Site(site.happened, confirms_first=True))
    named = {name: {event.__name__ for event in events_of(feature)} for name, feature in catalogue().items()}
    assert dict(site.happened) == named
