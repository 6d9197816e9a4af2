"""D3: attacks on the links of mails: resets, confirmations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.features.mail_verification import MailVerification
from admit.features.password import Password
from tests.attacks.conftest import ADA
from tests.attacks.site import (
    API,
    ORIGIN,
    OTHER_PASSWORD,
    PASSWORD,
    SESSION,
    WRONG_PASSWORD,
    all_features,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}

HOSTS = (
    {"Host": "evil.example"},
    {"Host": "app.example:evil.example"},
    {"Host": "app.example@evil.example"},
    {"Host": "app.example.evil.example"},
    {"Host": ""},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "8080"},
    {"X-Forwarded-Server": "evil.example"},
    {"X-Host": "evil.example"},
    {"X-Original-Host": "evil.example"},
    {"X-Rewrite-Url": "//evil.example/"},
    {"X-Original-Url": "//evil.example/"},
    {"X-Forwarded-Prefix": "//evil.example"},
    {"Forwarded": "host=evil.example;proto=http"},
    {"Referer": "https://evil.example/"},
)


def told(answer: TestResponse) -> tuple[Any, ...]:
    """Return all that a client is told, but for the values of cookies."""
    cookies = sorted(line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie"))
    headers = [(name, value) for name, value in answer.headers if name not in {"Set-Cookie", "Date"}]
    return answer.status_code, answer.data, headers, cookies


def is_refused(answer: TestResponse) -> bool:
    """Tell whether a token was refused as one that opens nothing."""
    return answer.status_code in {400, 410} and answer.json["code"] == "invalid_challenge"


def choose(browser: Browser, token: object, password: str = OTHER_PASSWORD, **more: Any) -> TestResponse:
    """Try to choose a password by the token of a link."""
    return browser.post("/password-reset/choose", {"token": token, "password": password, **more})


@pytest.mark.parametrize("headers", HOSTS, ids=range(len(HOSTS)))
@pytest.mark.parametrize("path", ["/password-reset", "/verify/request", "/sign-up"])
def test_037_reset_host_poisoning(site: Site, path: str, headers: dict[str, str]) -> None:
    """Every link in every mail leads to the configured address, whatever the request says of hosts."""
    site.unconfirmed(BOB)
    site.mails.clear()
    body = {
        "/password-reset": {"identifier": ADA},
        "/verify/request": {"email": BOB},
        "/sign-up": {"email": "new@people.example", "password": PASSWORD},
    }[path]
    answer = site.browser().send("POST", API + path, json=body, headers={**SAME_ORIGIN, **headers})
    assert answer.status_code in {202, 400}
    assert "evil" not in answer.text + str(answer.headers)
    assert len(site.mails) == (answer.status_code == 202)
    for mail in site.mails:
        assert "evil" not in mail.text + (mail.html or "")
        assert f"{ORIGIN}/account/" in mail.text


def test_038_reset_token_double_use(new_site: Callable[..., Site]) -> None:
    """Of eight uses of one link at the same moment exactly one succeeds."""
    site = new_site([*(one for one in all_features() if one.name != "password"), Password(logins_at_once=16)])
    site.member(ADA)
    token = site.reset_token(ADA)
    browsers = [site.browser() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        passwords = [f"{OTHER_PASSWORD} number {number}" for number in range(8)]
        answers = list(threads.map(lambda browser, one: choose(browser, token, one), browsers, passwords))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert sum(map(is_refused, answers)) == 7
    assert site.browser().sign_in(ADA, passwords[statuses.index(200)]).status_code == 200


def test_039_reset_token_tampering(site: Site, thief: Browser) -> None:
    """A token that was guessed, cut, recased, prefixed or is of another type is refused, and the real one lives on."""
    token = site.reset_token(ADA)
    first, _, second = token.partition(".")
    texts = ["", " ", ".", token[:-1], token + "A", token.swapcase(), f" {token}", f"{token}\n", f"x{token}", second]
    texts += [f"{first}.{'A' * 43}", f"{'A' * 22}.{second}", f"{first}.", f".{second}", f"{second}.{first}", token * 2]
    texts += [f"{token}\0", f"{first}%2e{second}", "%", "*", "' OR 1=1 --", "0", "None"]
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    texts += [token[:-1] + sign for sign in signs if sign != token[-1]]
    for text in texts:
        assert is_refused(choose(thief, text)), text
    for value in (None, 0, 1, True, [], [token], {}, {"$ne": ""}):
        assert choose(thief, value).status_code == 422
    assert choose(site.browser(), token).status_code == 200


def test_040_older_tokens_are_dead(site: Site) -> None:
    """A link is dead once there is a newer one or another password, and once its time is over."""
    browser = site.browser()
    first, second = site.reset_token(ADA), site.reset_token(ADA)
    assert is_refused(choose(browser, first))
    ada = site.signed_in(ADA)
    assert ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    assert is_refused(choose(browser, second, PASSWORD))
    third = site.reset_token(ADA)
    site.clock.advance(timedelta(minutes=20))
    assert is_refused(choose(browser, third, PASSWORD))
    fourth = site.reset_token(ADA)
    assert choose(browser, fourth, PASSWORD).status_code == 200
    assert is_refused(choose(browser, fourth, OTHER_PASSWORD))


@pytest.mark.parametrize("how", ["locked_at", "closed_at", "deleted"])
def test_040_tokens_of_an_account_that_is_locked(site: Site, how: str) -> None:
    """A link does not outlive its account's being locked, closed or deleted; its holder is told that it is locked."""
    token, account, store = site.reset_token(ADA), site.account(ADA), site.accounts.store
    if how == "deleted":
        store.delete_account(account.id)
    else:
        store.replace_account(account, replace(account, **{how: site.clock()}))
    answer = choose(site.browser(), token)
    assert is_refused(answer) if how != "locked_at" else answer.json["code"] == "account_locked"
    if how != "deleted":
        assert store.replace_account(store.get_account(account.id), replace(account, locked_at=None, closed_at=None))
        assert site.browser().sign_in(ADA).status_code == 200, "the password is what it was"


def test_041_tokens_of_one_purpose_at_another_place(site: Site, thief: Browser) -> None:
    """Each kind of token works at its own place and nowhere else."""
    ada = site.signed_in(ADA)
    site.sign_up(BOB)
    tokens = {
        "session": ada.cookie(),
        "device": ada.cookie(f"{SESSION}-devices"),
        "verify": site.token(BOB),
        "reset": site.reset_token(ADA),
    }
    for kind, token in tokens.items():
        assert token
        if kind != "reset":
            assert is_refused(choose(thief, token)), kind
        if kind != "verify":
            assert is_refused(thief.post("/verify", {"token": token})), kind
        if kind != "session":
            assert thief.get(f"{API}/", Authorization=f"Bearer {token}").status_code == 401, kind
        planted = site.browser()
        planted.plant(SESSION, token)
        assert planted.me().status_code == (200 if kind == "session" else 401), kind
        assert thief.sign_in(ADA, WRONG_PASSWORD, **{"Admit-Pending": token}).status_code == 401
    assert thief.post("/verify", {"token": tokens["verify"]}).status_code == 200
    assert choose(thief, tokens["reset"]).status_code == 200


def test_042_a_token_with_somebody_elses_id(site: Site) -> None:
    """A link is bound to its account: ids in body, query or cookies change nobody else's password."""
    site.member(BOB)
    bob, token, thief = site.account(BOB), site.reset_token(ADA), site.browser()
    for name in ("user_id", "account", "subject", "id", "identifier", "email"):
        assert choose(thief, token, **{name: bob.id}).status_code == 422
    thief.plant(SESSION, site.signed_in(BOB).cookie() or "")
    body = {"token": token, "password": OTHER_PASSWORD}
    answer = thief.send("POST", f"{API}/password-reset/choose?user_id={bob.id}", json=body, headers=SAME_ORIGIN)
    assert answer.status_code == 200
    assert site.browser().sign_in(BOB).status_code == 200
    assert site.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 200


@pytest.mark.parametrize("page", ["verify", "password-reset"])
def test_043_the_token_leaves_the_address(site: Site, thief: Browser, page: str) -> None:
    """Following a link redirects to an address without the token, and no Referer tells of it."""
    token = site.reset_token(ADA)
    answer = thief.get(f"/account/{page}/{token}")
    assert answer.status_code == 303
    assert token not in answer.headers["Location"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_044_scanners_follow_links(site: Site) -> None:
    """Following a link any number of times, by any method that changes nothing, uses nothing up."""
    site.sign_up(BOB)
    reset, verify = site.reset_token(ADA), site.token(BOB)
    scanner = site.browser()
    for path in (f"/account/verify/{verify}", f"/account/password-reset/{reset}"):
        for method in ("GET", "GET", "HEAD", "OPTIONS", "GET"):
            assert scanner.send(method, path).status_code in {303, 405}
    assert site.account(BOB) is None
    assert choose(site.browser(), reset).status_code == 200
    assert site.browser().post("/verify", {"token": verify}).status_code == 200


def test_045_mail_flood(site: Site) -> None:
    """However many addresses ask, and for whatever mail, one mailbox gets a bounded number of mails an hour."""
    site.unconfirmed(BOB)
    site.clock.advance(timedelta(hours=2))
    site.mails.clear()
    for number in range(25):
        browser = site.browser(f"198.51.{number}.7")
        spelled = (ADA.upper(), f" {ADA}", ADA)[number % 3]
        assert browser.post("/password-reset", {"identifier": spelled}).status_code == 202
        assert browser.post("/sign-up", {"email": ADA, "password": PASSWORD}).status_code == 202
        assert browser.post("/verify/request", {"email": BOB}).status_code == 202
    assert len(site.mails_to(ADA)) == 2 * 20  # links to choose a password, and notes that somebody tried to sign up
    assert len(site.mails_to(BOB)) == 20
    # Nor does it void the last mail that was sent, or strangers could keep the owner from ever using one.
    assert choose(site.browser(), site.mailed_token(ADA, "password-reset")).status_code == 200
    assert site.browser().post("/verify", {"token": site.mailed_token(BOB, "verify")}).status_code == 200
    site.clock.advance(timedelta(hours=1))
    assert site.reset_token(ADA)
    assert len(site.mails_to(ADA)) == 2 * 20 + 2, "the note of the new password, which is never left out, and the link"


def test_045_one_address_asks_for_many_mailboxes(new_site: Callable[..., Site]) -> None:
    """One address can't have mails sent to ever more mailboxes: it is told to wait."""
    site = new_site(ADMIT_THROTTLE_REQUESTS_PER_HOUR=30)
    browser = site.browser()
    answers = [browser.post("/password-reset", {"identifier": f"p{one}@people.example"}) for one in range(31)]
    assert [answer.status_code for answer in answers] == [202] * 30 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert browser.post("/sign-up", {"email": BOB, "password": PASSWORD}).status_code == 429


def test_046_enumeration_at_reset(site: Site) -> None:
    """Asking for a reset is answered alike for known, unknown, unconfirmed and locked accounts, and for nonsense."""
    site.unconfirmed(BOB)
    site.member("eve@people.example")
    eve = site.account("eve@people.example")
    site.accounts.store.replace_account(eve, replace(eve, locked_at=site.clock()))
    names = [ADA, "nobody@people.example", BOB, "eve@people.example", "nonsense", "", "\u202eadmin", "x" * 300]
    answers = [site.browser().post("/password-reset", {"identifier": name}) for name in names]
    assert len({repr(told(answer)) for answer in answers}) == 1
    assert answers[0].status_code == 202


def test_048_a_link_logs_nobody_in(site: Site, thief: Browser) -> None:
    """Choosing a password by a link gives no session, and ends all that there are."""
    ada = site.signed_in(ADA)
    answer = choose(thief, site.reset_token(ADA))
    assert answer.json == {"next": "sign_in"}
    assert thief.cookie() is None
    assert not answer.headers.getlist("Admit-Token")
    assert thief.me().status_code == 401
    assert ada.me().status_code == 401


def test_049_a_leaked_database_opens_nothing(site: Site, tmp_path: Path) -> None:
    """Neither a token of a mail or cookie nor a password is in the files of the database."""
    site.sign_up(BOB)
    browser = site.signed_in(ADA, remember=True)
    secrets = [site.token(BOB), site.reset_token(ADA), browser.cookie() or "", PASSWORD]
    secrets += [browser.cookie(f"{SESSION}-devices") or ""]
    leaked = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert ADA.encode() in leaked
    for secret in secrets:
        assert secret
        half = secret.rpartition(".")[2]
        assert half.encode() not in leaked


def test_051_pre_hijacking_by_an_earlier_sign_up(site: Site, thief: Browser) -> None:
    """Whoever signs up first with somebody else's address has nothing once its owner comes."""
    site.sign_up(BOB, thief, "the attacker knows this one")
    marks = site.token(BOB)
    bob = site.sign_up(BOB, site.browser(), PASSWORD)
    assert bob.post("/verify", {"token": site.token(BOB)}).json["next"] == "sign_in"
    assert is_refused(thief.post("/verify", {"token": marks}))
    thief.sign_in(BOB, "the attacker knows this one")
    assert thief.me().status_code == 401
    assert site.browser().sign_in(BOB, "the attacker knows this one").status_code == 401
    assert bob.sign_in(BOB).status_code == 200


def test_051_pre_hijacking_by_the_owners_click(site: Site, thief: Browser) -> None:
    """An owner who confirms a sign-up of somebody else's gets the account, and the squatter's password is void."""
    site.sign_up(BOB, thief, "the attacker knows this one")
    bob = site.browser()
    confirmed = bob.post("/verify", {"token": site.token(BOB)})
    assert confirmed.json["next"] == "choose_secret"
    assert thief.sign_in(BOB, "the attacker knows this one").status_code == 401
    token = confirmed.json["url"].rpartition("/")[2]
    assert choose(bob, token).status_code == 200
    assert bob.sign_in(BOB, OTHER_PASSWORD).status_code == 200
    assert thief.sign_in(BOB, "the attacker knows this one").status_code == 401


def test_051_pre_hijacking_after_the_owner(site: Site, thief: Browser) -> None:
    """A squatter who signs up after the owner, before the owner has confirmed, gains nothing by either link."""
    bob = site.sign_up(BOB, site.browser(), PASSWORD)
    own = site.token(BOB)
    site.sign_up(BOB, thief, "the attacker knows this one")
    assert bob.post("/verify", {"token": own}).json["next"] == "sign_in"
    assert is_refused(bob.post("/verify", {"token": site.token(BOB)}))
    thief.sign_in(BOB, "the attacker knows this one")
    assert thief.me().status_code == 401
    assert bob.sign_in(BOB).status_code == 200


def test_051_pre_hijacking_with_a_session(new_site: Callable[..., Site]) -> None:
    """Where unconfirmed accounts may log in, a squatter's session, reset and device end when the owner confirms."""
    features = [one for one in all_features() if one.name != "mail_verification"]
    site = new_site([*features, MailVerification(required=False)])
    thief = site.sign_up(BOB, site.browser("198.51.100.66"), "the attacker knows this one")
    assert thief.sign_in(BOB, "the attacker knows this one").status_code == 200
    site.browser().post("/password-reset", {"identifier": BOB})
    assert len(site.mails_to(BOB)) == 1, "an unconfirmed address gets no reset"
    assert site.browser().post("/verify", {"token": site.token(BOB)}).json["next"] == "choose_secret"
    assert thief.me().status_code == 401
    assert thief.sign_in(BOB, "the attacker knows this one").status_code == 401


def test_051_a_squatter_cannot_bring_the_owners_mark(site: Site, thief: Browser) -> None:
    """The mark of another sign-up, or of none, does not make a browser the one that made the account."""
    site.sign_up(BOB, thief, "the attacker knows this one")
    name = f"{SESSION}-kept-sign_up"
    bob = site.browser()
    other = site.sign_up("other@people.example", site.browser())
    for value in ("", "x", other.cookie(name) or "", "A" * 43):
        site.sign_up(BOB, thief, "the attacker knows this one")
        bob.plant(name, value)
        token = site.token(BOB)
        assert bob.post("/verify", {"token": token}).json["next"] == "choose_secret"
        account = site.account(BOB)
        site.accounts.store.delete_account(account.id)
        site.clock.advance(timedelta(hours=1))


def test_052_confirming_elsewhere_logs_nobody_in(site: Site, thief: Browser) -> None:
    """A link to confirm an address, opened in a browser of somebody else's, gives that browser no session."""
    site.sign_up(BOB)
    answer = thief.post("/verify", {"token": site.token(BOB)})
    assert answer.status_code == 200
    assert thief.cookie() is None
    assert thief.me().status_code == 401


def test_052_an_unconfirmed_address_grants_nothing(site: Site) -> None:
    """Before its address is confirmed an account can't log in, and the answer says so only for a right password."""
    browser = site.sign_up(BOB)
    assert browser.sign_in(BOB, WRONG_PASSWORD).json["code"] == "invalid_credentials"
    refused = browser.sign_in(BOB)
    assert refused.status_code == 403
    assert refused.json["code"] == "verification_required"
    assert browser.me().status_code == 401
    assert site.mails_to(BOB)
    site.mails.clear()
    assert browser.post("/password-reset", {"identifier": BOB}).status_code == 202
    assert not site.mails
