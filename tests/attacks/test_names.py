"""D5: attacks on names and accounts."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from admit.features.password import Password
from admit.features.password.hashing import Hasher
from admit.features.registration import Registration
from admit.stores import sql_accounts, sql_credentials
from admit.stores.memory import MemoryStore
from tests.attacks.conftest import ADA
from tests.attacks.site import OTHER_PASSWORD, PASSWORD, WRONG_PASSWORD, all_features, make_site, put_before_verbs

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"

TWINS = (
    "ADA@people.example",
    "Ada@People.Example",
    " ada@people.example",
    "ada@people.example ",
    "\uff41da@people.example",
    "ada\uff20people.example",
    "ada@people\uff0eexample",
    "ada@people\u3002example",
    "a\u200bda@people.example",
    "ada\u00ad@people.example",
    "ada@people.example\u200d",
    "\ufeffada@people.example",
    "\u202eada@people.example",
    "a\u0301da@people.example\0",
    "ada@people.example\n",
    "ada@people.example.",
    "ada@PEOPLE.\u24d4xample",
)


def told(answer: TestResponse) -> tuple[Any, ...]:
    """Return all that a client is told, but for the values of cookies."""
    cookies = sorted(line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie"))
    headers = [(name, value) for name, value in answer.headers if name not in {"Set-Cookie", "Date"}]
    return answer.status_code, answer.data, headers, cookies


class Watched:
    """A store that notes which of its verbs are called."""

    def __init__(self, store: Any) -> None:
        self.calls: list[str] = []
        put_before_verbs(self, store, self.calls.append)


class Costs:
    """What an answer costs: its calls of the store and its hashes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Watched(MemoryStore())
        self.site = make_site(self.store, ADMIT_STORE_NEAR_ENTRIES=0)
        for name in ("verify", "hash"):
            monkeypatch.setattr(Hasher, name, self._noting(f"hasher.{name}", getattr(Hasher, name)))

    def _noting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.store.calls.append(name)
            return function(*arguments, **options)

        return call

    def of(self, ask: Callable[[Browser], TestResponse]) -> tuple[TestResponse, list[str]]:
        """Return an answer to a browser that has never been here, and what it cost."""
        browser = self.site.browser()
        self.store.calls.clear()
        answer = ask(browser)
        return answer, list(self.store.calls)


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> Costs:
    """Return what counts the costs of answers on a site on which Ada has an account."""
    found = Costs(monkeypatch)
    found.site.member(ADA)
    return found


@pytest.mark.parametrize("twin", TWINS, ids=range(len(TWINS)))
def test_069_twins(site: Site, twin: str) -> None:
    """No spelling of an address makes a second account beside the first one, or touches that."""
    answer = site.browser().post("/sign-up", {"email": twin, "password": OTHER_PASSWORD})
    assert answer.status_code in {202, 422}
    assert site.accounts.store.count_accounts() == 1
    assert site.browser().sign_in(ADA).status_code == 200
    assert {mail.to for mail in site.mails} == {ADA}


@pytest.mark.parametrize(
    "look_alike",
    [
        "al\u0131ce@people.example",
        "\u0430lice@people.example",
        "ALICE@people.example",
        "\uff21lice@people.example",
        "alice@\u017fite.example",
        "alice@people.example,thief@evil.example",
        "alice@people.example thief@evil.example",
        "alice@people.example\r\nBcc: thief@evil.example",
        "<alice@people.example>",
        '"alice@people.example"@evil.example',
        "alice@people.example@evil.example",
        "thief@evil.example (alice@people.example)",
    ],
    ids=range(12),
)
def test_070_look_alikes(site: Site, look_alike: str) -> None:
    """Whoever asks in a name that resembles another, mails go to the stored address or to nobody."""
    alice = "Alice@people.example"
    site.browser().post("/sign-up", {"email": alice, "password": PASSWORD})
    site.browser().post("/verify", {"token": site.token(alice)})
    site.mails.clear()
    assert site.browser().post("/password-reset", {"identifier": look_alike}).status_code == 202
    assert site.browser().post("/verify/request", {"email": look_alike}).status_code == 202
    assert {mail.to for mail in site.mails} <= {alice}


EXTRA = (
    "is_admin",
    "is_verified",
    "verified",
    "verified_at",
    "roles",
    "role",
    "id",
    "account_id",
    "revision",
    "locked_at",
)


@pytest.mark.parametrize("name", [*EXTRA, "__class__", "__proto__", "constructor", "password_hash", ""])
def test_071_mass_assignment(site: Site, name: str) -> None:
    """Fields that no form has are refused, at sign-up and at sign-in."""
    browser = site.browser()
    for path, body in (
        ("/sign-up", {"email": BOB, "password": PASSWORD}),
        ("/sign-in", {"identifier": ADA, "password": PASSWORD}),
    ):
        answer = browser.post(path, {**body, name: ["admin"]})
        assert answer.status_code == 422
        assert list(answer.json["fields"]) == [name]
    assert site.account(BOB) is None
    made = site.member(BOB)
    assert (made.roles, made.locked_at, made.revision) == (frozenset(), None, 0)


def test_072_sign_ups_at_once(new_site: Callable[..., Site]) -> None:
    """Of eight sign-ups with one address at the same moment all are answered alike, and one becomes an account."""
    features = [one for one in all_features() if one.name != "password"]
    site = new_site([*features, Password(logins_at_once=16)], ADMIT_THROTTLE_MAILS_PER_HOUR=8)
    browsers = [site.browser(f"198.51.100.{number}") for number in range(8)]
    body = {"email": BOB, "password": PASSWORD}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda browser: browser.post("/sign-up", body), browsers))
        assert [answer.status_code for answer in answers] == [202] * 8
        assert len({repr(told(answer)) for answer in answers}) == 1
        assert site.accounts.store.count_accounts() == 0
        links = [re.findall(r"/account/verify/([\w.-]+)", mail.text)[0] for mail in site.mails_to(BOB)]
        confirmed = list(threads.map(lambda browser, link: browser.post("/verify", {"token": link}), browsers, links))
    assert sorted(answer.status_code for answer in confirmed) == [200] + [410] * 7
    assert site.accounts.store.count_accounts() == 1


@pytest.mark.parametrize(
    "name",
    [
        *("admin", "Admin", "ADMIN", "a.d.m.i.n", "ad-min", "root", "me", "api", "support", "null", "\uff41dmin"),
        *(
            "..",
            ".",
            "/",
            "../admin",
            "<b>bob</b>",
            "bob\u202e",
            "bob\u200b",
            "\u0440aypal",
            "b\u0131ll",
            "-bob",
            "bob.",
            "",
        ),
    ],
)
def test_073_reserved_names(new_site: Callable[..., Site], name: str) -> None:
    """Names that would speak for the site, hold markup or look like others can't be had."""
    features = [one for one in all_features() if one.name != "registration"]
    site = new_site([*features, Registration(identifiers=("email", "username"))])
    answer = site.browser().post("/sign-up", {"email": BOB, "username": name, "password": PASSWORD})
    assert answer.status_code == 422
    assert list(answer.json["fields"]) == ["username"]
    assert site.accounts.store.count_accounts() == 0


def test_074_a_name_that_is_used_again(site: Site, thief: Browser) -> None:
    """Whoever gets the address of an account that was deleted inherits neither id, session, link nor password."""
    ada, token, before = site.signed_in(ADA, remember=True), site.reset_token(ADA), site.account(ADA)
    site.accounts.store.delete_account(before.id)
    after = site.member(ADA, OTHER_PASSWORD)
    assert after.id != before.id
    assert ada.me().status_code == 401
    assert thief.sign_in(ADA).status_code == 401
    answer = thief.post("/password-reset/choose", {"token": token, "password": PASSWORD})
    assert answer.json["code"] == "invalid_challenge"
    assert ada.sign_in(ADA, OTHER_PASSWORD).json["account"] == after.id


def _states(site: Site) -> dict[str, str]:
    """Make accounts in every state, and return the names of them and of nobody."""
    names = {state: f"{state}@people.example" for state in ("locked", "closed", "passwordless")}
    for name in names.values():
        site.member(name)
    for state in ("locked", "closed"):
        account = site.account(names[state])
        assert site.accounts.store.replace_account(account, replace(account, **{f"{state}_at": site.clock()}))
    credentials = site.accounts.credentials
    credentials.delete_credential(credentials.get_credential("password", site.account(names["passwordless"]).id).id)
    site.sign_up("waiting@people.example")
    site.unconfirmed("unconfirmed@people.example")
    return names | {
        "open": ADA,
        "unconfirmed": "unconfirmed@people.example",
        "waiting": "waiting@people.example",
        "unknown": "nobody@people.example",
        "unknown-name": "nobody",
        "nonsense": "\u202e@@",
        "empty": "",
        "long": "x" * 3000,
    }


def test_075_077_078_enumeration_at_login(costs: Costs) -> None:
    """Login with a wrong password: unknown, locked, unconfirmed and passwordless accounts are told and cost alike."""
    found = {
        state: costs.of(lambda browser, name=name: browser.sign_in(name, WRONG_PASSWORD))
        for state, name in _states(costs.site).items()
    }
    assert {state: told(answer) for state, (answer, _) in found.items()} == dict.fromkeys(found, told(found["open"][0]))
    assert {state: cost for state, (_, cost) in found.items()} == dict.fromkeys(found, found["open"][1])
    assert found["open"][1].count("hasher.verify") == 1
    assert found["open"][0].status_code == 401


def test_077_accounts_without_a_password(costs: Costs) -> None:
    """No password, the empty one included, logs in to an account that has none."""
    name = _states(costs.site)["passwordless"]
    for password in ("", PASSWORD, "null", "None", "!"):
        assert costs.site.browser().sign_in(name, password).status_code in {401, 422}


@pytest.mark.parametrize("how", ["locked_at", "closed_at"])
def test_078_locked_accounts(site: Site, how: str) -> None:
    """Who has the right password is told that an account is locked; a closed one is answered as a wrong password is."""
    account = site.account(ADA)
    site.accounts.store.replace_account(account, replace(account, **{how: site.clock()}))
    right, wrong = site.browser().sign_in(ADA), site.browser().sign_in(ADA, WRONG_PASSWORD)
    unknown = site.browser().sign_in("nobody@people.example", WRONG_PASSWORD)
    assert told(wrong) == told(unknown)
    assert wrong.status_code == 401
    if how == "closed_at":
        assert told(right) == told(wrong)
    else:
        assert (right.status_code, right.json["code"]) == (403, "account_locked")
    assert site.login_manager.keeper.gate.sessions_of(account.id) == []  # type: ignore[union-attr]


def test_076_enumeration_at_sign_up(costs: Costs) -> None:
    """Signing up with an address that is free, taken or waiting is told and costs alike, with one hash and one mail."""
    costs.site.sign_up(BOB)
    eve = costs.site.unconfirmed("eve@people.example").email.value
    found = {}
    for state, name in (("free", "new@people.example"), ("taken", ADA), ("waiting", BOB), ("unconfirmed", eve)):
        costs.site.mails.clear()
        found[state] = costs.of(lambda one, name=name: one.post("/sign-up", {"email": name, "password": PASSWORD}))
        assert [mail.to for mail in costs.site.mails] == [name], state
        assert found[state][1].count("hasher.hash") == found[state][1].count("add_event") == 1
    assert {state: told(answer) for state, (answer, _) in found.items()} == dict.fromkeys(found, told(found["free"][0]))
    assert {state: cost for state, (_, cost) in found.items()} == dict.fromkeys(found, found["free"][1])
    assert found["free"][0].status_code == 202


def test_076_enumeration_by_weak_passwords(site: Site) -> None:
    """What is wrong with a sign-up is told whether or not the address is taken."""
    weak = [site.browser().post("/sign-up", {"email": name, "password": "weak"}) for name in (ADA, BOB)]
    assert told(weak[0]) == told(weak[1])


def test_076_enumeration_at_confirmations(costs: Costs) -> None:
    """Asking for another link is told alike, whether the address waits for one, or does not, or is nobody's."""
    names = _states(costs.site)
    found = {
        state: costs.of(lambda one, name=name: one.post("/verify/request", {"email": name}))
        for state, name in names.items()
    }
    assert {state: told(answer) for state, (answer, _) in found.items()} == dict.fromkeys(found, told(found["open"][0]))


@pytest.mark.parametrize("path", ["/password-reset", "/verify/request"])
def test_076_the_cost_of_mails(costs: Costs, path: str) -> None:
    """Asking for a mail costs the store alike, whether or not one is sent."""
    field = "identifier" if path == "/password-reset" else "email"
    names = _states(costs.site)
    found = {
        state: costs.of(lambda one, name=name: one.post(path, {field: name}))[1]
        for state, name in names.items()
        if state not in {"nonsense", "empty", "long"}  # no name at all: the asker knows
    }
    assert found == dict.fromkeys(found, found["unknown"])


def test_076_a_mail_server_that_is_down() -> None:
    """A sender that fails makes no difference between known and unknown addresses."""

    def fail(_message: object) -> None:
        message = "connection refused by mail.internal"
        raise OSError(message)

    broken = False
    site = make_site("memory:", mail=lambda message: fail(message) if broken else site.mails.append(message))
    site.member(ADA)
    broken = True
    for path, field in (("/password-reset", "identifier"), ("/sign-up", "email")):
        body = {"password": PASSWORD} if path == "/sign-up" else {}
        answers = [site.browser().post(path, {field: name, **body}) for name in (ADA, "nobody@people.example")]
        assert told(answers[0]) == told(answers[1]), path
        assert "mail.internal" not in answers[0].text


def test_075_rows_are_read_alike(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is not there takes the time that reading one takes: as many are read for a stranger."""
    read: list[str] = []
    for module, name in ((sql_accounts, "_account"), (sql_credentials, "_read")):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *row, one=function, of=name: read.append(of) or one(*row))
    site.browser().sign_in(ADA, WRONG_PASSWORD)
    of_known = list(read)
    read.clear()
    site.browser().sign_in("nobody@people.example", WRONG_PASSWORD)
    assert read == of_known == ["_account", "_read"]
