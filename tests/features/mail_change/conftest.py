"""What the tests of changes share: a site, and what one does on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from admit.feature import Feature
from tests.features.conftest import ADA, Codes, Phrases, Site

if TYPE_CHECKING:
    from admit.feature import Context
    from admit.model import Account
    from tests.features.conftest import Client

NEW = "Countess@example.org"


class Recovering(Feature):
    """Offers a way to choose another phrase, as a reset does."""

    name = "recovering"

    def recover(self, ctx: Context, account: Account) -> str:
        """Return a link."""
        return f"https://app.example/account/recover/{account.id}"


@pytest.fixture
def site() -> Site:
    """Return a site with an account whose address is confirmed."""
    # Here, so that without the feature it is the tests that can't be loaded.
    from admit.features.mail_change import MailChange

    site = Site(MailChange(), Phrases(), Codes(), Recovering())
    site.account(id="ada")
    return site


def logged_in(site: Site, face: str, identifier: str = ADA) -> Client:
    """Return a client that has just logged in."""
    client = site.client(face)
    client.log_in(identifier)
    assert client.is_in
    return client


def ask(site: Site, client: Client, email: str = NEW) -> str:
    """Ask for a change, and return the link that went to the new address."""
    assert client.send("/mail-change", email=email).status_code in {200, 202}
    return site.links()[-1]


def press(client: Client, link: str) -> int:
    """Open a link, look at its page and press the button; return the status."""
    path = link.removeprefix("https://app.example/account").rpartition("/")[0]
    if client.is_page:
        client.follow(link)
        return client.send(path).status_code
    return client.send(path, token=link.rpartition("/")[2]).status_code


def changed(site: Site, client: Client, email: str = NEW) -> str:
    """Change the address, a second later, and return the way back that went to the old one."""
    site.pass_time(seconds=1)
    assert press(client, ask(site, client, email)) == 200
    return site.links()[-1]


def address(site: Site) -> str:
    """Return the address of the account that is changed."""
    return str(site.store.get_account("ada").email.value)
