"""D4: attacks on what is done with passwords."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import pytest

from admit.events import Event
from admit.features.password import Password
from admit.features.password.hashing import Hasher
from tests.attacks.conftest import ADA
from tests.attacks.payloads import INJECTIONS, WRONG_TYPES
from tests.attacks.site import API, OTHER_PASSWORD, OWN_PAGE, PASSWORD, WRONG_PASSWORD, all_features, make_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"

#: Every action that takes a body, with one that is right.
BODIES: dict[str, dict[str, Any]] = {
    "/sign-in": {"identifier": ADA, "password": PASSWORD},
    "/sign-up": {"email": BOB, "password": PASSWORD},
    "/password-reset": {"identifier": ADA},
    "/password-reset/choose": {"token": "t", "password": PASSWORD},
    "/verify": {"token": "t"},
    "/verify/request": {"email": ADA},
    "/password": {"old_password": PASSWORD, "password": OTHER_PASSWORD},
    "/password/confirm": {"password": PASSWORD},
}
FIELDS = [(path, name) for path, body in BODIES.items() for name in body]


def raw(browser: Browser, path: str, data: bytes, **headers: str) -> TestResponse:
    """Send bytes as JSON."""
    return browser.send(
        "POST", API + path, data=data, headers={"Content-Type": "application/json", **OWN_PAGE, **headers}
    )


def settings_with(**settings: Any) -> list[Any]:
    """Return all features, with these settings of passwords."""
    return [*(one for one in all_features() if one.name != "password"), Password(**settings)]


@pytest.mark.parametrize(("path", "name"), FIELDS)
def test_053_055_types_of_fields(site: Site, ada: Browser, path: str, name: str) -> None:
    """A field of another type is refused with its name, NoSQL operators among them."""
    for value in WRONG_TYPES:
        answer = ada.post(path, {**BODIES[path], name: value})
        # The optional fields of a sign-up may be null, which is as if they were missing.
        assert answer.status_code == 422, value
        assert any(field.startswith(name) for field in answer.json["fields"]), answer.json
    assert ada.me().status_code == 200


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("data", [b"[]", b'["a"]', b'"a"', b"1", b"null", b"true", b"", b" ", b"{}"])
def test_054_types_of_bodies(site: Site, ada: Browser, path: str, data: bytes) -> None:
    """A body that is no object, or an empty one, is refused."""
    assert raw(ada, path, data).status_code in {400, 422}


@pytest.mark.parametrize("payload", INJECTIONS)
def test_056_injection(site: Site, thief: Browser, payload: str) -> None:
    """What would be code to some database, template or shell is a wrong name or a wrong password, and no more."""
    assert thief.sign_in(payload).status_code == 401
    assert thief.sign_in(ADA, payload).status_code == 401
    assert thief.post("/password-reset", {"identifier": payload}).status_code == 202
    assert thief.post("/verify/request", {"email": payload}).status_code == 202
    assert thief.post("/sign-up", {"email": payload, "password": PASSWORD}).status_code == 422
    assert site.accounts.store.count_accounts() == 1


@pytest.mark.parametrize("sign", ["\0", "\x01", "\x7f", "\x1b", "\r", "\n", "\x85"])
def test_057_nul_and_control_characters(site: Site, thief: Browser, sign: str) -> None:
    """A password with NUL or control characters added is not the one without, and can't be chosen with NUL."""
    for bent in (PASSWORD + sign, sign + PASSWORD, PASSWORD + sign * 20):
        assert thief.sign_in(ADA, bent).status_code in {401, 422}
    if sign == "\0":
        assert thief.post("/sign-up", {"email": BOB, "password": OTHER_PASSWORD + sign}).status_code == 422


def test_058_the_whole_password_counts(site: Site) -> None:
    """A password is not cut after 72 bytes, or anywhere else."""
    long = "seventy two bytes are not enough for this one, said the lighthouse keeper and went on writing " * 3
    browser = site.sign_up(BOB, password=long)
    browser.post("/verify", {"token": site.token(BOB)})
    for cut in (71, 72, 128, len(long) - 1):
        assert site.browser().sign_in(BOB, long[:cut]).status_code == 401
        assert site.browser().sign_in(BOB, long[:cut] + "x" * (len(long) - cut)).status_code == 401
    assert site.browser().sign_in(BOB, long).status_code == 200


def test_059_near_misses(site: Site) -> None:
    """Nothing but the exact password is the password."""
    misses = [PASSWORD.upper(), PASSWORD.title(), f" {PASSWORD}", f"{PASSWORD} ", PASSWORD[:-1], PASSWORD + "x"]
    misses += [PASSWORD.replace(" ", "\u00a0"), PASSWORD.replace("l", "\uff4c"), "", " "]
    for number, miss in enumerate(misses):
        browser = site.browser(f"198.51.100.{number}")
        # An empty one is said to be missing, whoever's it would be.
        assert browser.sign_in(ADA, miss).status_code == (401 if miss else 422)


@pytest.mark.parametrize("field", ["identifier", "password"])
def test_060_huge_fields(site: Site, thief: Browser, field: str) -> None:
    """A password or name of a megabyte is refused unread, and one that fits into a body costs no more than any."""
    for size, statuses in ((1_000_000, {413}), (100_000, {413}), (15_000, {401, 422}), (5_000, {401, 422})):
        begun = monotonic()
        answer = thief.post("/sign-in", {"identifier": ADA, "password": PASSWORD, field: "x" * size})
        assert answer.status_code in statuses
        assert monotonic() - begun < 2


def test_060_longest_password(site: Site) -> None:
    """Passwords of 64 code points and many more are taken, beyond 1,024 they are refused with the field."""
    words = "correct horse battery staple lighthouse "
    assert site.browser().post("/sign-up", {"email": BOB, "password": (words * 30)[:1024]}).status_code == 202
    refused = site.browser().post("/sign-up", {"email": "eve@people.example", "password": (words * 30)[:1025]})
    assert refused.status_code == 422
    assert list(refused.json["fields"]) == ["password"]


def test_061_composed_and_decomposed(site: Site) -> None:
    """A password logs in however a keyboard composes its letters."""
    phrase = "caf\u00e9 \u00fcber \u00e5ngstr\u00f6m lampe"
    browser = site.sign_up(BOB, password=normalize("NFC", phrase))
    browser.post("/verify", {"token": site.token(BOB)})
    assert site.browser().sign_in(BOB, normalize("NFD", phrase)).status_code == 200


@pytest.mark.parametrize("field", ["identifier", "password"])
@pytest.mark.parametrize("half", [b"\\ud800", b"\\udfff", b"\\ud800\\ud800", b"a\\udc00b"])
def test_062_lone_surrogates(site: Site, thief: Browser, field: str, half: bytes) -> None:
    """Half of a character is refused, in values and in names of fields."""
    body = b'{"identifier": "a", "password": "b"}'
    value = b'"a"' if field == "identifier" else b'"b"'
    assert raw(thief, "/sign-in", body.replace(value, b'"' + half + b'"')).status_code == 400
    assert raw(thief, "/sign-in", body.replace(field.encode(), half)).status_code == 400


@pytest.mark.parametrize(
    "weak",
    [
        "",
        "short",
        "fourteen chars",
        "passwordpassword",
        "123456789012345",
        "aaaaaaaaaaaaaaa",
        "bob@people.example",
        "BOB@PEOPLE.EXAMPLE",
        " " * 20,
    ],
)
def test_063_weak_passwords(site: Site, weak: str) -> None:
    """A password that is short, common, or made of the account's own words is refused with the reason."""
    for answer in (
        site.browser().post("/sign-up", {"email": BOB, "password": weak}),
        site.signed_in(ADA).post("/password", {"old_password": PASSWORD, "password": weak})
        if "bob" not in weak.lower()
        else site.browser().post("/sign-up", {"email": BOB, "password": weak}),
    ):
        assert answer.status_code == 422
        assert list(answer.json["fields"]) == ["password"]
        assert answer.json["fields"]["password"]
    assert site.account(BOB) is None


@pytest.mark.parametrize(
    "good",
    [
        "correct lighthouse battery staple",
        "fünf graue Katzen im Regen",
        "зелёный фонарь мост река",
        "緑の灯台で静かに手紙を読む夜明け前",
        "\U0001f511 keys on the kitchen table",
        "nospacesbutlongenoughforanybody",
    ],
)
def test_064_good_passphrases(site: Site, good: str) -> None:
    """Long passphrases of any script are taken, without rules of composition."""
    assert site.browser().post("/sign-up", {"email": BOB, "password": good}).status_code == 202


def test_065_weaker_hashes_are_replaced(site: Site) -> None:
    """A hash with weaker parameters is replaced at the next login."""
    account, credentials = site.account(ADA), site.accounts.credentials
    from argon2 import PasswordHasher

    old = credentials.get_credential("password", account.id)
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    assert credentials.replace_credential(old, replace(old, secret=weak))
    assert site.browser().sign_in(ADA, WRONG_PASSWORD).status_code == 401
    assert credentials.get_credential("password", account.id).secret == weak
    site.signed_in(ADA)
    assert credentials.get_credential("password", account.id).secret.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_066_login_floods_are_bounded(new_site: Callable[..., Site]) -> None:
    """A burst of logins gets 503 and Retry-After beyond a few, while others are served, and counts against nobody."""
    site = new_site(settings_with(logins_at_once=2))
    site.member(ADA)
    ada = site.signed_in(ADA)
    with ThreadPoolExecutor(16) as threads:
        tries = [threads.submit(site.browser("198.51.100.66").sign_in, ADA, WRONG_PASSWORD) for _ in range(60)]
        assert ada.me().status_code == 200
        answers = [one.result() for one in tries]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {401, 503, 429} or set(statuses) == {401, 503}
    assert statuses.count(401) <= 10
    assert all(int(one.headers["Retry-After"]) > 0 for one in answers if one.status_code == 503)


@pytest.mark.parametrize("name", ["password_hash", "hash", "secret", "credential", "credentials", "kind"])
@pytest.mark.parametrize("path", BODIES)
def test_067_hashes_are_no_fields(site: Site, ada: Browser, path: str, name: str) -> None:
    """No action takes a hash from a client."""
    answer = ada.post(path, {**BODIES[path], name: "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA"})
    assert answer.status_code == 422
    assert list(answer.json["fields"]) == [name]


def test_157_a_change_needs_the_old_password(site: Site, ada: Browser) -> None:
    """Whoever has stolen a session can't change the password: without the old one, or from another site."""
    for old in (WRONG_PASSWORD, PASSWORD.upper(), OTHER_PASSWORD):
        assert ada.post("/password", {"old_password": old, "password": OTHER_PASSWORD}).status_code == 403
    assert ada.post("/password", {"password": OTHER_PASSWORD}).status_code == 422
    body = {"old_password": PASSWORD, "password": OTHER_PASSWORD}
    assert ada.post("/password", body, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert ada.post("/password", body, **{"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert ada.me().status_code == 200, "a wrong old password ends nothing"
    assert site.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 401


def test_157_guessing_the_old_password_is_throttled(site: Site, ada: Browser) -> None:
    """A stolen session is no place to guess the password at: tries are counted as logins are."""
    answers = [ada.post("/password/confirm", {"password": f"guess number {one}"}) for one in range(12)]
    assert {answer.status_code for answer in answers[-2:]} == {429}
    change = ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    assert change.status_code == 429


def test_157_the_owner_is_told(site: Site, ada: Browser) -> None:
    """A change of the password is told to its owner by mail, and the mail holds no password."""
    site.mails.clear()
    ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    [mail] = site.mails_to(ADA)
    assert PASSWORD not in mail.text
    assert OTHER_PASSWORD not in mail.text


def test_068_no_secret_is_told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """No password or token of any flow, right or wrong, is in a log, an event, an answer or an output."""
    caplog.set_level(logging.DEBUG)
    site = make_site("memory:")
    canary, other = "canary violet anchors drift", "canary quiet rivers carry"
    answers: list[TestResponse] = []
    browser = site.browser()
    answers.append(browser.post("/sign-up", {"email": BOB, "password": canary}))
    verify = site.token(BOB)
    answers.append(browser.post("/verify", {"token": verify + "x"}))
    answers.append(browser.post("/verify", {"token": verify}))
    answers.append(browser.sign_in(BOB, "canary wrong one"))
    answers.append(browser.sign_in(canary, "canary wrong one"))
    answers.append(browser.sign_in(BOB, canary, remember=True))
    tokens = [verify, browser.cookie() or "", browser.cookie("__Host-admit-devices") or ""]
    answers.append(browser.post("/password", {"old_password": canary, "password": "canary"}))
    answers.append(browser.post("/password", {"old_password": canary, "password": 7, "more": canary}))
    answers.append(browser.post("/password/strength", {"password": canary}))
    answers.append(browser.post("/password", {"old_password": canary, "password": other}))
    tokens.append(browser.cookie() or "")
    reset = site.reset_token(BOB)
    tokens.append(reset)
    answers.append(browser.post("/password-reset/choose", {"token": reset, "password": "canary"}))
    answers.append(browser.post("/password-reset/choose", {"token": reset, "password": canary}))
    answers.append(raw(browser, "/sign-in", b'{"identifier": "a", "password": "canary'))
    answers.append(browser.post("/sign-out"))
    kept = [repr(account) for account in site.accounts.store.list_accounts()]
    kept += [repr(one) for one in site.accounts.credentials.list_credentials(site.account(BOB).id)]
    kept += [repr(one) for one in site.mails]
    kept += [repr(link) for link in site.accounts.stores.events.read_chain(after=0)]
    printed = capfd.readouterr()
    told = "\n".join([caplog.text, printed.out, printed.err, *map(repr, site.events), *kept])
    told += "\n".join(answer.text for answer in answers)
    assert site.events
    assert all(isinstance(one, Event) for one in site.events)
    for secret in [*tokens, "canary"]:
        assert secret
        assert secret.rpartition(".")[2] not in told


def test_068_exactly_one_hash(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way that a login can go costs one hash, never two and never none."""
    hashed: list[str] = []
    verify, make = Hasher.verify, Hasher.hash
    monkeypatch.setattr(Hasher, "verify", lambda *a, **k: hashed.append("verify") or verify(*a, **k))
    monkeypatch.setattr(Hasher, "hash", lambda *a, **k: hashed.append("hash") or make(*a, **k))
    site.sign_up(BOB)
    for name, password in ((ADA, PASSWORD), (ADA, WRONG_PASSWORD), ("nobody", PASSWORD), (BOB, PASSWORD), ("", "")):
        hashed.clear()
        site.browser().sign_in(name, password)
        assert hashed == ["verify"], name
