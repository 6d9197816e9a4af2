# ruff: noqa: D102 -- what the methods of a case do is said once, in Case
"""What is half done: sessions and links in one store, accounts and passwords in another, and each step failing in turn.

The table of docs/store-down.md says for each operation what is left when one of its steps fails, and what mends it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admit.changing import outdated
from admit.erasure import erase_closed
from admit.errors import StoreError
from admit.events import AccountReopened
from admit.features.activity import Activity
from admit.features.devices import Devices
from admit.features.mail_change import MailChanged
from admit.features.password import PasswordChanged
from admit.features.registration import Registration, SignUp
from admit.operations import close_account, lock_account, unlock_account
from admit.stores.memory import MemoryStore
from tests.attacks import test_audit_gate as gate
from tests.attacks.site import OTHER_PASSWORD, PASSWORD
from tests.steps import fail

if TYPE_CHECKING:
    from admit.model import Account
    from tests.attacks.site import Browser

_MOST = 200
_MINUTE = timedelta(minutes=1)
_PAGE = Path(__file__).parents[2] / "docs" / "store-down.md"


class House(gate.House):
    """A site over two stores."""

    def __init__(self) -> None:
        super().__init__(
            MemoryStore(), MemoryStore(), more=[Activity(), Devices(), Registration(mode=SignUp.INVITATION)]
        )
        self.browsers: list[Browser] = []

    def browser(self) -> Browser:
        """Return a browser that has never been here, and remember it."""
        browser = super().browser()
        self.browsers.append(browser)
        return browser

    def held(self) -> set[str]:
        """Return the ids of the sessions whose token some browser holds."""
        return {(one.cookie() or "").partition(".")[0] for one in self.browsers}

    def is_in(self, browser: Browser, account: Account) -> bool:
        """Tell whether a browser is logged in to an account."""
        answer = browser.me()
        return bool(answer.status_code == 200) and answer.json["id"] == account.id

    def told(self, kind: type, account: Account) -> int:
        """Return how often something was told of an account."""
        return sum(isinstance(one, kind) and one.subject == account.id for one in self.site.events)

    def mails(self, address: str, word: str) -> int:
        """Return how many mails an address was sent that have a word in their subject."""
        return sum(word in one.subject.lower() for one in self.site.mails_to(address))


@dataclass
class Case:
    """One operation on an account that a thief is logged in to."""

    house: House
    account: Account
    thief: Browser
    #: What the operation, and the case between its steps, have to remember.
    owner: Browser

    #: Whether the thief is out once it is done, and whether whoever does it is in.
    ends_thief = False

    def prepare(self) -> None:
        """Do what comes before the operation."""

    def act(self) -> Any:
        """Do the operation; the same once more mends what is half done."""
        raise NotImplementedError

    def half(self) -> None:
        """Check what must hold whatever has failed."""

    def whole(self) -> None:
        """Check that it is done after the repeat."""

    @property
    def standing(self) -> Account:
        """The account as it is now."""
        return self.house.standing(self.account)

    def signs_in(self, password: str = PASSWORD) -> bool:
        """Tell whether the owner gets in."""
        self.owner.sign_in(self.account.label, password)
        return self.house.is_in(self.owner, self.account)


class SigningIn(Case):
    """Signing in."""

    def act(self) -> Any:
        return self.owner.sign_in(self.account.label)

    def whole(self) -> None:
        assert self.house.is_in(self.owner, self.account)


class SigningInByMail(Case):
    """Signing in by mail."""

    def act(self) -> Any:
        asked = self.owner.post("/magic-link", {"identifier": self.account.label})
        if asked.status_code == 202 and self.house.mails(self.account.label, ""):
            self.owner.post("/magic-link/use", {"token": self.house.token(self.account, "magic-link")})

    def whole(self) -> None:
        assert self.house.is_in(self.owner, self.account)


class SigningInByTwo(Case):
    """Signing in with a second factor."""

    def prepare(self) -> None:
        self.both = gate.by_both_factors(self.house, self.account, self.owner)

    def act(self) -> Any:
        return self.both()

    def whole(self) -> None:
        assert self.house.is_in(self.owner, self.account)


class Confirming(Case):
    """Confirming with the password."""

    def prepare(self) -> None:
        self.house.let_in(self.account, self.owner)

    def act(self) -> Any:
        answer = self.owner.post("/password/confirm", {"password": PASSWORD})
        return self.owner.sign_in(self.account.label) if answer.status_code == 401 else answer

    def whole(self) -> None:
        assert self.house.is_in(self.owner, self.account)


class ChangingPassword(Case):
    """Changing the password."""

    ends_thief = True

    def prepare(self) -> None:
        self.house.let_in(self.account, self.owner)

    def act(self) -> Any:
        body = {"old_password": PASSWORD, "password": OTHER_PASSWORD}
        answer = self.owner.post("/password", body)
        if answer.status_code != 401 or self.signs_in(OTHER_PASSWORD) or not self.signs_in():
            return answer
        return self.owner.post("/password", body)

    def half(self) -> None:
        gate.changed_and_told(self.house, self.account, self.thief)

    def whole(self) -> None:
        assert self.signs_in(OTHER_PASSWORD)
        assert self.house.told(PasswordChanged, self.account) == 1


class Resetting(Case):
    """Choosing a new password by a link."""

    ends_thief = True

    def prepare(self) -> None:
        self.choose = gate.password_reset(self.house, self.account)

    def act(self) -> Any:
        answer: Any = self.choose()
        if answer.status_code == 410 and not self.standing.epoch:
            answer = gate.password_reset(self.house, self.account)()
        return answer

    def half(self) -> None:
        gate.changed_and_told(self.house, self.account, self.thief)

    def whole(self) -> None:
        assert self.signs_in(OTHER_PASSWORD)


class ChangingAddress(Case):
    """Changing the mail address."""

    def prepare(self) -> None:
        self.house.let_in(self.account, self.owner)
        self.new = f"new-{self.account.label}"

    def act(self) -> Any:
        if self.standing.label == self.new:
            return
        if not self.house.is_in(self.owner, self.account):
            self.owner.sign_in(self.account.label)
        asked = self.owner.post("/mail-change", {"email": self.new})
        if asked.status_code == 202 and self.house.mails(self.new, ""):
            token = self.house.site.mailed_token(self.new, "mail-change/confirm")
            self.owner.post("/mail-change/confirm", {"token": token})

    def half(self) -> None:
        is_moved = self.standing.label == self.new
        assert self.house.told(MailChanged, self.account) == is_moved
        links = [one for one in self.house.site.mails_to(self.account.label) if "/mail-change/undo/" in one.text]
        assert len(links) == is_moved

    def whole(self) -> None:
        assert self.standing.label == self.new


class TakingBack(Case):
    """Taking an account back."""

    ends_thief = True

    def prepare(self) -> None:
        self.back: Any = gate.moved(self.house, self.account)

    def act(self) -> Any:
        return self.back()

    def half(self) -> None:
        gate.thief_is_out_once_it_is_done(self.house, self.account, self.thief)

    def whole(self) -> None:
        assert self.standing.label == self.account.label
        assert not self.signs_in()


class Denying(Case):
    """Saying that a sign-in was not one's own."""

    ends_thief = True

    def prepare(self) -> None:
        self.deny: Any = gate.denial(self.house, self.account)

    def act(self) -> Any:
        return self.deny()

    def half(self) -> None:
        gate.thief_is_out_once_it_is_done(self.house, self.account, self.thief)

    def whole(self) -> None:
        assert self.house.mails(self.account.label, "")
        assert not self.signs_in()


class Locking(Case):
    """Locking an account."""

    ends_thief = True

    def act(self) -> Any:
        return lock_account(
            self.house.gate, self.house.site.accounts.store, self.account.id, at=self.house.site.clock()
        )

    def whole(self) -> None:
        assert self.standing.locked_at is not None
        assert not self.signs_in()


class Unlocking(Case):
    """Unlocking it after a lock that was interrupted."""

    ends_thief = True

    def prepare(self) -> None:
        locked = replace(outdated(self.account), locked_at=self.house.site.clock())
        assert self.house.site.accounts.store.replace_account(self.account, locked)

    def act(self) -> Any:
        at = self.house.site.clock()
        return unlock_account(self.house.gate, self.house.site.accounts.store, self.account.id, at=at)

    def half(self) -> None:
        assert self.standing.locked_at is not None or not self.house.is_in(self.thief, self.account)

    def whole(self) -> None:
        assert self.signs_in()


class Closing(Case):
    """Closing an account."""

    ends_thief = True

    def prepare(self) -> None:
        self.house.let_in(self.account, self.owner)

    def act(self) -> Any:
        answer = self.owner.post("/close")
        if answer.status_code == 401 and self.standing.closed_at is None and self.signs_in():
            answer = self.owner.post("/close")
        return answer

    def half(self) -> None:
        is_closed = self.standing.closed_at is not None
        assert (self.house.mails(self.account.label, "closed") > 0) == is_closed
        assert not is_closed or not self.house.is_in(self.thief, self.account)

    def whole(self) -> None:
        assert self.standing.closed_at is not None
        assert not self.house.is_in(self.owner, self.account)


class Reopening(Case):
    """Opening it again by signing in."""

    ends_thief = True

    def prepare(self) -> None:
        closed = replace(outdated(self.account), closed_at=self.house.site.clock())
        assert self.house.site.accounts.store.replace_account(self.account, closed)

    def act(self) -> Any:
        return self.owner.sign_in(self.account.label)

    def half(self) -> None:
        is_open = self.standing.closed_at is None
        assert self.house.told(AccountReopened, self.account) == is_open
        assert self.house.mails(self.account.label, "open") == is_open
        assert not is_open or not self.house.is_in(self.thief, self.account)

    def whole(self) -> None:
        assert self.house.is_in(self.owner, self.account)


class Erasing(Case):
    """Erasing an account."""

    ends_thief = True

    def prepare(self) -> None:
        self.house.let_in(self.account, self.owner)
        at = self.house.site.clock() - timedelta(days=30)
        close_account(self.house.gate, self.house.site.accounts.store, self.account.id, at=at)

    def act(self) -> Any:
        accounts = self.house.site.accounts
        features = accounts.features.values()
        return list(erase_closed(self.house.gate, accounts.stores, features, now=self.house.site.clock()))

    def half(self) -> None:
        assert not self.house.is_in(self.owner, self.account)

    def whole(self) -> None:
        assert self.standing is None
        assert self.house.site.accounts.credentials.list_credentials(self.account.id) == []


class SigningUp(Case):
    """Signing up with an invitation."""

    def prepare(self) -> None:
        self.token = self.house.site.accounts.features["registration"].invite(self.house.gate)
        self.new = f"guest-{self.account.label}"

    def act(self) -> Any:
        body = {"email": self.new, "password": PASSWORD, "invitation": self.token}
        return self.owner.post("/sign-up", body)

    def whole(self) -> None:
        made = self.house.site.account(self.new)
        assert made is not None
        assert self.owner.sign_in(self.new).status_code == 200
        other = {"email": f"other-{self.new}", "password": PASSWORD, "invitation": self.token}
        assert self.house.browser().post("/sign-up", other).status_code in {401, 410}
        assert self.house.site.account(other["email"]) is None


class SigningOut(Case):
    """Signing out."""

    def prepare(self) -> None:
        self.house.let_in(self.account, self.owner)
        self.token = self.owner.cookie() or ""

    def act(self) -> Any:
        return self.owner.post("/sign-out")

    def whole(self) -> None:
        assert self.token.partition(".")[0] not in self.house.living(self.account)


class EndingOne(Case):
    """Ending one device."""

    ends_thief = True

    def prepare(self) -> None:
        self.house.let_in(self.account, self.owner)
        self.its = (self.thief.cookie() or "").partition(".")[0]

    def act(self) -> Any:
        return self.owner.post(f"/devices/{self.its}", method="DELETE")

    def whole(self) -> None:
        assert self.house.is_in(self.owner, self.account)


class EndingOthers(Case):
    """Ending all other devices."""

    ends_thief = True

    def prepare(self) -> None:
        self.house.let_in(self.account, self.owner)

    def act(self) -> Any:
        return self.owner.post("/devices", method="DELETE")

    def whole(self) -> None:
        assert self.house.is_in(self.owner, self.account)


CASES = [
    SigningUp,
    SigningIn,
    SigningInByMail,
    SigningInByTwo,
    Confirming,
    ChangingPassword,
    Resetting,
    ChangingAddress,
    TakingBack,
    Denying,
    Locking,
    Unlocking,
    Closing,
    Reopening,
    Erasing,
    SigningOut,
    EndingOne,
    EndingOthers,
]


@pytest.mark.parametrize("kind", CASES, ids=lambda one: one.__name__)
def test_whatever_fails_a_repeat_mends_it(kind: type[Case]) -> None:
    """Whatever step fails, nobody is in who should be out, it is told what was done, and the same once more does it."""
    house = House()
    for at in range(1, _MOST):
        # One call alone, or all from there on, as where a process is killed.
        lasting = at % 2 == 0
        account = house.account()
        case = kind(house, account, house.let_in(account, house.browser()), house.browser())
        case.prepare()
        with house.steps.acting(fail, at, lasting=lasting), suppress(StoreError):
            case.act()
        if house.steps.count < at:
            assert at > 2
            return
        case.half()
        case.act()
        case.half()
        case.whole()
        assert not (kind.ends_thief and house.is_in(case.thief, account))
        house.site.clock.advance(_MINUTE)
        assert house.living(account) <= house.held()
    pytest.fail("There are more steps than are tried.")


def test_the_table_has_every_operation() -> None:
    """The page says of each operation that is tried here what is left and what mends it."""
    rows = re.findall(r"^\| ([A-Z][^|]+) \|", _PAGE.read_text().partition("## Half done")[2], re.MULTILINE)
    assert {row.strip() for row in rows} - {"Operation"} == {(one.__doc__ or "").rstrip(".") for one in CASES}
