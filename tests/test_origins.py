"""Who has made an account, and who has set up what is in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from admit import origins
from admit.model import ADOPTED, Account, Credential
from admit.stores.memory import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = Account("ada", (), NOW)
SECRET = Credential("1", "phrases", "ada", "ada", "hash", NOW)


class Request:
    """As much of a request as it takes."""

    def __init__(self, credentials: MemoryStore | None = None) -> None:
        self.now = NOW
        self.credentials = credentials or MemoryStore()
        self.kept: dict[str, str] = {}
        self.keeps: dict[str, str] = {}
        self.pending_token: str | None = None


class Adopting(MemoryStore):
    """An application's own users."""

    def open(self, **options: Any) -> Any:
        """Open nothing."""

    def examples(self) -> None:
        """Return nothing."""

    def load_user(self, account_id: str) -> None:
        """Return nobody."""


@pytest.mark.parametrize("way", ["cookie", "header"])
def test_marks(way: str) -> None:
    """A mark tells the client that made an account from all others, until it is taken away."""
    asked = Request()
    ctx = cast("Any", asked)
    assert not origins.was_made_here(ctx, ACCOUNT)
    mark = origins.mark(ctx, ACCOUNT)
    asked.credentials.add_credential(mark)
    assert not origins.was_made_here(ctx, ACCOUNT)
    secret = asked.keeps[origins.KIND]
    assert secret not in mark.secret
    if way == "cookie":
        asked.kept[origins.KIND] = secret
    else:
        asked.pending_token = secret
    assert origins.was_made_here(ctx, ACCOUNT)
    assert not origins.was_made_here(ctx, replace(ACCOUNT, id="bob"))
    for _ in range(2):
        origins.unmark(ctx, ACCOUNT)
    assert not origins.was_made_here(ctx, ACCOUNT)
    assert asked.keeps[origins.KIND] == ""


@pytest.mark.parametrize(
    ("credential", "changes", "store", "is_of_sign_up"),
    [
        (SECRET, {}, MemoryStore, True),
        (None, {}, MemoryStore, False),
        (origins.set_up(SECRET, "operator"), {}, MemoryStore, False),
        (origins.set_up(SECRET, "import"), {}, MemoryStore, False),
        (replace(SECRET, details={ADOPTED: "x"}), {}, MemoryStore, False),
        (SECRET, {"roles": frozenset({"admin"})}, MemoryStore, False),
        (SECRET, {"locked_at": NOW}, MemoryStore, False),
        (SECRET, {}, Adopting, False),
        (replace(SECRET, kind=origins.KIND), {}, Adopting, True),
    ],
    ids=range(9),
)
def test_who_has_made_an_account(
    credential: Credential | None, changes: dict[str, Any], store: type[MemoryStore], *, is_of_sign_up: bool
) -> None:
    """An account with a mark is of a sign-up; without one it is, unless anything speaks for somebody else."""
    asked = Request(store())
    if credential is not None:
        asked.credentials.add_credential(credential)
    assert origins.is_of_sign_up(cast("Any", asked), replace(ACCOUNT, **changes)) == is_of_sign_up


@pytest.mark.parametrize(
    ("credential", "may_be"),
    [
        (SECRET, True),
        (origins.set_up(SECRET, "operator"), False),
        (origins.set_up(SECRET, "import"), True),
        (origins.set_up(replace(SECRET, details={ADOPTED: "x"}), "operator"), True),
    ],
    ids=range(4),
)
def test_whose_a_credential_is(credential: Credential, *, may_be: bool) -> None:
    """Only what an operator has set up, and no other program, is certain to be no stranger's."""
    assert origins.may_be_strangers(credential) == may_be
