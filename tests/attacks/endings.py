"""What somebody can hold of an account, and what can be done with an account, each as one makes it over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from admit import identifiers, tokens
from admit.erasure import erase_account
from admit.features.account import AccountPages
from admit.features.closing import Closing
from admit.features.magic_link import MagicLink
from admit.features.mail_change import MailChange
from admit.features.mail_verification import MailVerification
from admit.features.new_device import DeviceMet, NewDevice
from admit.features.password import Password
from admit.features.password_reset import PasswordReset
from admit.features.reauthenticate import Reauthenticate
from admit.features.registration import Registration, SignUp
from admit.flask.members import AccountUser
from admit.flask.remember import encode_cookie
from admit.model import Account, Credential
from admit.operations import lock_account, unlock_account
from tests.attacks.factors import Badge, Dongle, enroll
from tests.attacks.site import OTHER_PASSWORD, PASSWORD, SESSION, make_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.site import Browser, Site

    Act = Callable[[], Any]

#: Where the button of a link's page is, if not where the link is.
_BUTTONS = {"password-reset": "password-reset/choose", "magic-link": "magic-link/use"}

__all__ = ["CHANGES", "HELD", "Person", "Street", "unlock"]


class Street:
    """A site, and the people on it."""

    def __init__(self, store: str, *, is_strict: bool) -> None:
        first = [AccountPages(), Password(memory_kib=7168, time_cost=5), PasswordReset(), MagicLink(), Badge()]
        second = [Dongle(), Reauthenticate(), MailVerification(required=is_strict), MailChange(), NewDevice()]
        # Many ask for something here, and none of it is about how often.
        bursts = {f"ADMIT_THROTTLE_{name}_BURST": 100_000 for name in ("PAIR", "ADDRESS", "ACCOUNT", "LOGIN")}
        hourly = {f"ADMIT_THROTTLE_{name}_PER_HOUR": 100_000 for name in ("REQUESTS", "MAILS")}
        features = [*first, *second, Closing(), Registration(mode=SignUp.INVITATION)]
        self.site: Site = make_site(store, features, **bursts, **hourly)
        # What makes a remember cookie count: an application that has its users from Flask-Login.
        self.site.login_manager.user_loader(self._load_user)
        self.hash = self.site.accounts.features["password"].hasher.hash(PASSWORD)
        self.count = 0

    def close(self) -> None:
        """Let go of the store."""
        self.site.close()

    def person(self, *, verified: bool) -> Person:
        """Return somebody who has had an account for a while, with one browser that is logged in."""
        self.count += 1
        now = self.site.clock()
        name = identifiers.email(f"user{self.count}@people.example")
        named = replace(name, verified_at=now) if verified else name
        account = Account(tokens.new_account_id(now), (named,), now - timedelta(days=2))
        password = Credential(tokens.new_id(), "password", account.id, account.id, self.hash, now)
        self.site.accounts.store.add_account(account, password)
        return Person(self.site, account.id, f"new{self.count}@people.example")

    def _load_user(self, user_id: str) -> AccountUser | None:
        account = self.site.accounts.store.get_account(user_id)
        return None if account is None else AccountUser(account)


@dataclass
class Person:
    """Somebody with an account; ``target`` is the address that they would like to have next."""

    site: Site
    id: str
    target: str

    def __post_init__(self) -> None:
        """Log in where changes are made."""
        self.here = self.let_in()
        self.waiting, self.back = "", ""
        #: The status of the page of the link that was opened last.
        self.page = 0

    @property
    def account(self) -> Account:
        """The account as it is now."""
        found: Account = self.site.accounts.store.get_account(self.id)
        return found

    @property
    def label(self) -> str:
        """The address that the account has now."""
        return self.account.label

    def browser(self) -> Browser:
        """Return a browser that has never been here."""
        return self.site.browser("198.51.100.66")

    def let_in(self) -> Browser:
        """Return a browser with a session."""
        browser = self.browser()
        browser.plant(SESSION, self.site.accounts.keeper.gate.admit(self.id, "password").token)
        return browser

    def log_in(self, browser: Browser, label: str = "") -> Any:
        """Log in by a badge, and by the second factor where there is one."""
        name = label or self.label
        answer = browser.post("/badge", {"identifier": name, "badge": f"badge of {name}"})
        return browser.post("/dongle", {"code": "0110"}) if answer.status_code == 200 and _waits(answer) else answer

    def mailed(self, kind: str, address: str = "") -> str:
        """Return the token of the last link of one kind that was mailed to an address."""
        return self.site.mailed_token(address or self.label, kind)

    def move(self, target: str) -> str:
        """Change the address, and return the token of the way back."""
        old, browser = self.label, self.let_in()
        assert browser.post("/mail-change", {"email": target}).status_code == 202
        moved = browser.post("/mail-change/confirm", {"token": self.mailed("mail-change/confirm", target)})
        assert moved.status_code == 200, moved.text
        return self.mailed("mail-change/undo", old)


def _opened(person: Person, browser: Browser, kind: str, token: str, body: dict[str, str]) -> Any:
    """Open a link's page and press its button, by JSON; the status of the page is noted."""
    page = browser.send("GET", f"/account/{kind}/{token}", follow_redirects=True)
    person.page = 401 if page.request.path.endswith("/sign-in") else page.status_code
    return browser.post(f"/{_BUTTONS.get(kind, kind)}", {"token": token, **body})


# -- what is held: each makes it, and returns what tries it ---------------------------------------


def password(person: Person) -> Act:
    """The password."""
    label = person.label
    return lambda: person.browser().sign_in(person.label if _is_there(person) else label)


def session_here(person: Person) -> Act:
    """The session of the browser in which the change is made."""
    return person.here.me


def session_elsewhere(person: Person) -> Act:
    """A session of another browser."""
    return person.let_in().me


def remember_cookie(person: Person) -> Act:
    """A remember cookie that Flask-Login made, before the application had this library."""
    browser = person.browser()
    with person.site.app.test_request_context():
        browser.plant("remember_token", encode_cookie(person.id))
    return lambda: browser.get("/private", Accept="application/json")


def known_device(person: Person) -> Act:
    """The mark of a device: it is known if its owner is not told of the next login on it."""
    browser, label = person.browser(), person.label
    assert person.log_in(browser).status_code == 200

    def attempt() -> Any:
        answer = person.log_in(browser, person.label if _is_there(person) else label)
        told = isinstance(person.site.events[-1], DeviceMet)
        return 410 if answer.status_code == 200 and told else answer

    return attempt


def magic_link(person: Person) -> Act:
    """A link to log in by, in the browser that has asked for it."""
    browser = person.browser()
    browser.post("/magic-link", {"identifier": person.label})
    token = person.mailed("magic-link")
    return lambda: _opened(person, browser, "magic-link", token, {})


def magic_code(person: Person) -> Act:
    """A code to log in by, in the browser that has asked for it."""
    browser = person.browser()
    browser.post("/magic-link", {"identifier": person.label})
    code = person.site.code(person.label)
    return lambda: browser.post("/magic-link/code", {"code": code})


def reset_link(person: Person) -> Act:
    """A link to choose a new password."""
    person.browser().post("/password-reset", {"identifier": person.label})
    token, body = person.mailed("password-reset"), {"password": "amber kettles hum tonight"}
    return lambda: _opened(person, person.browser(), "password-reset", token, body)


def confirmation_link(person: Person) -> Act:
    """A link that confirms the address of an account."""
    person.browser().post("/verify/request", {"email": person.label})
    token = person.mailed("verify")
    return lambda: _opened(person, person.browser(), "verify", token, {})


def waiting_sign_up(person: Person) -> Act:
    """A sign-up with an address that no account has yet."""
    browser, token = person.browser(), _invitation(person)
    signed_up = browser.post("/sign-up", {"email": person.target, "password": PASSWORD, "invitation": token})
    assert signed_up.status_code == 202, signed_up.text
    person.waiting = person.mailed("verify", person.target)
    return lambda: browser.post("/verify", {"token": person.waiting})


def mail_change_link(person: Person) -> Act:
    """A link that makes another address count, for who is logged in."""
    target, browser = f"more-{person.target}", person.let_in()
    browser.post("/mail-change", {"email": target})
    token = person.mailed("mail-change/confirm", target)

    def attempt() -> Any:
        if browser.me().status_code != 200 and _is_there(person):
            person.log_in(browser)
        return _opened(person, browser, "mail-change/confirm", token, {})

    return attempt


def way_back(person: Person) -> Act:
    """The link by which an old address takes a change of the address back."""
    token = person.move(f"moved-{person.target}")
    person.here = person.let_in()
    return lambda: _opened(person, person.browser(), "mail-change/undo", token, {})


def denial_link(person: Person) -> Act:
    """The link that says of a login that it was somebody else's."""
    token = _told_of(person)
    return lambda: _opened(person, person.browser(), "new-device", token, {})


def pending_login(person: Person) -> Act:
    """A login that waits for its second factor."""
    enroll(person.site.accounts.credentials, person.id, "0110")
    browser = person.browser()
    assert _waits(browser.post("/badge", {"identifier": person.label, "badge": f"badge of {person.label}"}))
    return lambda: browser.post("/dongle", {"code": "0110"})


def invitation(person: Person) -> Act:
    """A link by which somebody may sign up."""
    token, address = _invitation(person), f"guest-{person.target}"
    return lambda: person.browser().post("/sign-up", {"email": address, "password": PASSWORD, "invitation": token})


# -- what is done: each prepares it, and returns what does it --------------------------------------


def password_change(person: Person) -> Act:
    """The owner changes the password."""
    return lambda: person.here.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})


def password_reset(person: Person) -> Act:
    """The owner chooses a new password by a link."""
    person.browser().post("/password-reset", {"identifier": person.label})
    token = person.mailed("password-reset")
    return lambda: person.here.post("/password-reset/choose", {"token": token, "password": OTHER_PASSWORD})


def denial(person: Person) -> Act:
    """The owner says that a login was not theirs."""
    token = _told_of(person)
    return lambda: person.here.post("/new-device", {"token": token})


def confirmation_elsewhere(person: Person) -> Act:
    """The owner of the address confirms it in a browser that has not signed up with it."""
    if person.waiting:
        return lambda: person.here.post("/verify", {"token": person.waiting})
    person.browser().post("/verify/request", {"email": person.label})
    token = person.mailed("verify")
    return lambda: person.here.post("/verify", {"token": token})


def lock(person: Person) -> Act:
    """An operator locks the account."""
    gate, store = person.site.accounts.keeper.gate, person.site.accounts.store
    return lambda: lock_account(gate, store, person.id, at=person.site.clock(), by="operator")


def unlock(person: Person) -> Act:
    """An operator locks the account, and unlocks it."""
    gate, store = person.site.accounts.keeper.gate, person.site.accounts.store

    def act() -> None:
        lock(person)()
        unlock_account(gate, store, person.id, at=person.site.clock(), by="operator")

    return act


def closing(person: Person) -> Act:
    """The owner closes the account."""
    return lambda: person.here.post("/close")


def reopening(person: Person) -> Act:
    """The owner closes the account, and opens it again by a login."""

    def act() -> Any:
        assert person.here.post("/close").status_code == 200
        return person.log_in(person.browser())

    return act


def erasure(person: Person) -> Act:
    """The owner closes the account, and it is erased; before any of what is held would be too old by itself."""
    accounts = person.site.accounts

    def act() -> None:
        assert person.here.post("/close").status_code == 200
        gate, at = accounts.keeper.gate, person.site.clock()
        assert erase_account(gate, accounts.stores, accounts.features.values(), person.account, at=at)

    return act


def mail_change(person: Person) -> Act:
    """The owner changes the address."""
    assert person.here.post("/mail-change", {"email": person.target}).status_code == 202
    token = person.mailed("mail-change/confirm", person.target)
    return lambda: person.here.post("/mail-change/confirm", {"token": token})


def undoing(person: Person) -> Act:
    """The owner takes back a change of the address, which somebody has made before."""
    return lambda: person.here.post("/mail-change/undo", {"token": person.back})


def sign_out(person: Person) -> Act:
    """The owner logs out."""
    return lambda: person.here.post("/sign-out")


def sign_in(person: Person) -> Act:
    """Somebody logs in elsewhere, who may be a thief."""
    return lambda: person.log_in(person.browser())


#: By the name of the row, in the order of the page.
HELD: dict[str, Callable[[Person], Act]] = {
    "password": password,
    "session in the same browser": session_here,
    "session elsewhere": session_elsewhere,
    "remember cookie of Flask-Login": remember_cookie,
    "known device": known_device,
    "sign-in link": magic_link,
    "sign-in code": magic_code,
    "reset link": reset_link,
    "confirmation link": confirmation_link,
    "waiting sign-up": waiting_sign_up,
    "link to a new email": mail_change_link,
    "way back to the old email": way_back,
    '"it wasn\'t me" link': denial_link,
    "half-done login": pending_login,
    "invitation": invitation,
}
#: By the name of the column, in the order of the page.
CHANGES: dict[str, Callable[[Person], Act]] = {
    "password changed": password_change,
    "password reset": password_reset,
    "it wasn't me": denial,
    "email confirmed elsewhere": confirmation_elsewhere,
    "locked": lock,
    "unlocked": unlock,
    "closed": closing,
    "opened again": reopening,
    "erased": erasure,
    "email changed": mail_change,
    "change of email undone": undoing,
    "signed out": sign_out,
    "somebody signs in": sign_in,
}


# -- steps ----------------------------------------------------------------------------------------


def _is_there(person: Person) -> bool:
    return person.site.accounts.store.get_account(person.id) is not None


def _waits(answer: Any) -> bool:
    return bool((answer.json or {}).get("status") == "pending")


def _invitation(person: Person) -> str:
    token: str = person.site.accounts.features["registration"].invite(person.site.accounts.keeper.gate)
    return token


def _told_of(person: Person) -> str:
    """Return the token of the mail about a login on a device that is not known."""
    assert person.log_in(person.browser()).status_code == 200
    return person.mailed("new-device")
