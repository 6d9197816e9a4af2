"""A site with features in a folder, for the tests of pages: templates there must not ask for what is not there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flask import Flask
from jinja2 import StrictUndefined

from admit.flask import LoginManager
from admit.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from admit.feature import Feature
    from admit.mail import Message

ADA = "ada@example.org"
PASSWORD = "violet anchors drift slowly"
WRONG = "wrong horses chew batteries"


class Site:
    """An application in a folder, whose templates must not ask for what is not there."""

    def __init__(self, folder: Path, features: Iterable[Feature], **config: Any) -> None:
        self.app = Flask("site", root_path=str(folder))
        self.app.config.update({"TESTING": True, "ADMIT_SITE_NAME": "Harbour", **config})
        self.app.jinja_env.undefined = StrictUndefined
        self.mails: list[Message] = []
        self.clock = Clock()
        LoginManager(self.app, store="memory:", features=features, mail=self.mails.append, clock=self.clock)

    def client(self) -> FlaskClient:
        """Return a browser with nobody in it."""
        return self.app.test_client()

    def follow(self, client: FlaskClient) -> TestResponse:
        """Follow the link in the newest mail, to the page where it leads."""
        found = re.search(r"http://[^/]+(?:/shop)?(/account/\S+)", self.mails[-1].text)
        assert found is not None
        return client.get(found[1], follow_redirects=True)

    def member(self) -> FlaskClient:
        """Return a browser in which Ada is signed in."""
        client = self.client()
        client.post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
        if any(mail.subject.startswith("Confirm") for mail in self.mails):
            self.follow(client)
            client.post("/account/verify")
        sign_in(client)
        return client


def sign_in(client: FlaskClient, **fields: str) -> TestResponse:
    """Send the form, right unless told otherwise."""
    return client.post("/account/sign-in", data={"identifier": ADA, "password": PASSWORD} | fields)
