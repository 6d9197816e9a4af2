"""``admit purge``: sessions, what features keep, and accounts that were closed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.errors import ConfigurationError, StoreError
from admit.features import everything
from admit.flask import LoginManager
from admit.operations import close_account
from admit.stores.memory import MemoryStore
from admit.testing import Clock
from admit.testing.samples import an_account

if TYPE_CHECKING:
    from click.testing import Result

    from admit.feature import Feature

GRACE = timedelta(days=14)


class Refusing(MemoryStore):
    """A store that may be out of reach, or refuse to delete anybody."""

    refusal: Exception | None = None

    def delete_account(self, account_id: str) -> bool:
        """Refuse, if it is to."""
        if self.refusal:
            raise self.refusal
        return super().delete_account(account_id)


class Site:
    """An application over a store in memory, and its command line."""

    def __init__(self, features: list[Feature]) -> None:
        self.clock, self.store = Clock(), Refusing()
        self.app = Flask("site")
        self.app.testing = True
        manager: LoginManager[Any] = LoginManager(
            self.app, store=self.store, features=features, clock=self.clock, mail=lambda _: None
        )
        self.gate = manager.sessions.gate
        self.gate.admission.grace = GRACE

    def run(self, *words: str) -> Result:
        """Run ``flask admit purge``."""
        return self.app.test_cli_runner().invoke(args=["admit", "purge", *words])

    def closed(self, count: int) -> None:
        """Add accounts whose owners have left, each of which had a session."""
        for number in range(count):
            account = self.store.add_account(an_account(f"user{number}"))
            self.gate.admit(account.id, "password")
            close_account(self.gate, self.store, account.id, at=self.clock())


@pytest.fixture
def site() -> Site:
    """Return a site with every feature."""
    return Site(everything())


def test_everything_goes(site: Site) -> None:
    """What is over goes, accounts are erased once their grace is over, and both are counted."""
    site.closed(3)
    assert "Removed 0 rows, and erased 0 accounts." in site.run().stdout
    site.clock.advance(GRACE + timedelta(seconds=1))
    result = site.run("--batch", "2")
    assert "Removed 3 rows, and erased 3 accounts." in result.stdout
    assert "Erasing" in result.stderr
    assert site.store.count_accounts() == 0
    assert json.loads(site.run("--json").stdout) == {"removed": 0, "erased": 0}


def test_one_account_is_one(site: Site) -> None:
    """One account is called one."""
    site.closed(1)
    site.clock.advance(GRACE + timedelta(seconds=1))
    assert "and erased 1 account." in site.run().stdout


@pytest.mark.parametrize(
    ("refusal", "said"),
    [(StoreError("no route to host"), "The store did not answer"), (ConfigurationError("Give it a."), "Give it a.")],
)
def test_what_goes_wrong_is_said(site: Site, refusal: Exception, said: str) -> None:
    """A store that does not answer, and an application's database that does not let go, are told in a sentence."""
    site.closed(1)
    site.clock.advance(GRACE + timedelta(seconds=1))
    site.store.refusal = refusal
    result = site.run()
    assert result.exit_code == 1
    assert said in result.stderr
    site.store.refusal = None
    assert "erased 1 account." in site.run().stdout


def test_where_there_are_no_accounts() -> None:
    """Where sessions are all there is, they are all that is purged."""
    site = Site([])
    session = site.gate.admit("ada", "login")
    site.closed(1)
    site.clock.advance(GRACE * 9)
    assert "erased 0 accounts." in site.run().stdout
    assert site.gate.resume(session.token).session is None
    assert site.store.count_accounts() == 1
