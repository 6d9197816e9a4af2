"""Links in mails: whose address they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from admit.features.mail_verification import MailVerification
from admit.features.password import Password
from admit.features.registration import Registration
from admit.flask import LoginManager
from admit.server import create_app
from admit.server.pages import close_stores

if TYPE_CHECKING:
    from pathlib import Path

    from admit.mail import Message

PASSWORD = "a phrase that nobody else has 9"


class Site:
    """An application whose sign-ups are confirmed by mail."""

    def __init__(self, **config: Any) -> None:
        self.mails: list[Message] = []
        self.app = Flask("site")
        self.app.config.update(config)
        features = [Password(), Registration(), MailVerification()]
        LoginManager(self.app, store="memory:", features=features, mail=self.mails.append)

    def link(self, *, path: str = "", base_url: str | None = None, **environ: Any) -> str:
        """Sign somebody up in a request like this, and return the link that they get."""
        client = Client(self.app if not path else DispatcherMiddleware(Flask("root"), {path: self.app}))
        form = {"email": "ada@example.org", "password": PASSWORD}
        answer = client.post(f"{path}/api/account/sign-up", base_url=base_url, json=form, environ_overrides=environ)
        assert answer.status_code == 202, answer.text
        [link] = [word for word in self.mails.pop().text.split() if "/account/" in word]
        return link.partition("/account/")[0]


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:5001",
        "http://localhost:8080",
        "http://localhost",
        "http://app.localhost:5000",
        "http://[::1]:5000",
        "https://localhost:5443",
    ],
)
def test_n04_links_lead_to_the_running_server(base: str) -> None:
    """During development a link leads to the host and port that the browser asked, so that its cookies count."""
    assert Site(DEBUG=True).link(base_url=base) == base


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5001",
        "a@evil.example#.localhost",
        "evil.example/.localhost",
        "localhost:5001@evil.example",
        "localhost.evil.example",
        "192.0.2.7:5001",
        "",
    ],
)
def test_n04_a_strangers_host_is_in_no_mail(host: str) -> None:
    """A Host header of another machine, or of none, is left for the address at which the server listens."""
    server = {"HTTP_HOST": host, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "5001"}
    assert Site(DEBUG=True).link(**server) == "http://127.0.0.1:5001"
    assert Site(DEBUG=True, ADMIT_PUBLIC_URL="http://127.0.0.1:8000").link(**server) == "http://127.0.0.1:8000"
    if host:
        production = Site(SECRET_KEY="0123456789abcdef" * 2, ADMIT_PUBLIC_URL="https://app.example")
        assert production.link(**server) == "https://app.example"


@pytest.mark.parametrize(
    ("name", "link"),
    [("0.0.0.0", "http://127.0.0.1:5001"), ("::", "http://127.0.0.1:5001"), ("fe80::1", "http://[fe80::1]:5001")],  # noqa: S104 -- nothing is bound
)
def test_n04_a_server_that_listens_everywhere(name: str, link: str) -> None:
    """A server that listens at every address is reached at this machine's own."""
    assert Site(DEBUG=True).link(HTTP_HOST="evil.example", SERVER_NAME=name, SERVER_PORT="5001") == link


def test_n04_a_mounted_application() -> None:
    """During development a link has the path at which the application is mounted."""
    assert Site(DEBUG=True).link(path="/shop", base_url="http://localhost:5001") == "http://localhost:5001/shop"


@pytest.mark.parametrize("base", ["http://localhost:5001", "http://127.0.0.1:5001"])
@pytest.mark.parametrize(
    ("config", "link"),
    [
        ({"ADMIT_PUBLIC_URL": "http://localhost:8000", "DEBUG": True}, "http://localhost:8000"),
        ({"SERVER_NAME": "localhost:8000", "DEBUG": True}, "http://localhost:8000"),
        ({"ADMIT_PUBLIC_URL": "https://app.example"}, "https://app.example"),
    ],
    ids=["set", "server name", "production"],
)
def test_n04_an_address_that_is_set_wins(config: dict[str, Any], link: str, base: str) -> None:
    """An address that somebody has set is the one of all links, during development too."""
    assert Site(**config).link(base_url=base) == link


def test_n04_tests_have_no_server() -> None:
    """In a test, and where nobody asks, links have the address of Flask's own server, as ever."""
    site = Site(TESTING=True)
    assert site.link() == "http://127.0.0.1:5000"
    assert site.link(base_url="http://localhost:5001") == "http://localhost:5001"
    with site.app.app_context():
        mailing = site.app.login_manager.keeper.accounts.mailing  # type: ignore[attr-defined]
        assert mailing.url("password.login").startswith("http://127.0.0.1:5000/")


def test_n04_the_ready_application(tmp_path: Path) -> None:
    """During the development of `admit run` links follow the browser, and never where its address is said."""
    for more, link in (({}, "http://localhost:5001"), ({"ADMIT_PUBLIC_URL": "http://localhost:8000"}, None)):
        app = create_app({"ADMIT_DEV": True, "ADMIT_DB": f"sqlite:///{tmp_path}/app.db", "ADMIT_PORT": 5001, **more})
        with app.test_request_context(base_url="http://localhost:5001"):
            found = app.login_manager.keeper.accounts.mailing.base  # type: ignore[attr-defined]
        assert found == (link or "http://localhost:8000")
        close_stores(app)
