"""D3 and others, as far as they are about changing the mail address, and taking it back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.stores.memory import MemoryStore
from tests.attacks.conftest import ADA
from tests.attacks.factors import Dongle, enroll
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, PASSWORD, SESSION, all_features, make_site, put_before_verbs
from tests.attacks.test_links import HOSTS, choose, is_refused, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"
NEW = "countess@people.example"
CONFIRM, UNDO = "mail-change/confirm", "mail-change/undo"


def ask(site: Site, browser: Browser, address: str = NEW) -> str:
    """Ask for a change, and return the token of the link to the new address."""
    assert browser.post("/mail-change", {"email": address}).status_code == 202
    return site.mailed_token(address, CONFIRM)


def changed(site: Site, browser: Browser, address: str = NEW, old: str = ADA) -> str:
    """Change the address, and return the token of the way back to the old one."""
    site.clock.advance(timedelta(seconds=1))
    token = ask(site, browser, address)
    assert browser.post(f"/{CONFIRM}", {"token": token}).json["email"] == address
    return site.mailed_token(old, UNDO)


def confirm(browser: Browser, token: object, **more: Any) -> Any:
    """Try to confirm a change."""
    return browser.post(f"/{CONFIRM}", {"token": token, **more})


def undo(browser: Browser, token: object, **more: Any) -> Any:
    """Try to take a change back."""
    return browser.post(f"/{UNDO}", {"token": token, **more})


@pytest.mark.parametrize("headers", HOSTS, ids=range(len(HOSTS)))
def test_037_links_of_another_host(site: Site, headers: dict[str, str]) -> None:
    """The links to the new and to the old address lead to the configured one, whatever the request says of hosts."""
    ada, browser = site.signed_in(ADA), site.browser()
    site.mails.clear()
    sent = {"Sec-Fetch-Site": "same-origin", "Authorization": f"Bearer {ada.cookie()}", **headers}
    answer = browser.send("POST", f"{API}/mail-change", json={"email": NEW}, headers=sent)
    assert answer.status_code in {202, 400}
    token = ask(site, ada) if answer.status_code == 400 else site.mailed_token(NEW, CONFIRM)
    answer = browser.send("POST", f"{API}/{CONFIRM}", json={"token": token}, headers=sent)
    assert answer.status_code in {200, 400}
    assert len(site.mails) == 1 + (answer.status_code == 200)
    for mail in site.mails:
        assert "evil" not in mail.text + (mail.html or "")
        assert f"{ORIGIN}/account/mail-change/" in mail.text


def test_038_both_links_many_times_at_once(site: Site) -> None:
    """Of eight uses of either link at the same moment exactly one succeeds."""
    ada = site.signed_in(ADA)
    token = ask(site, ada)
    browsers = [site.signed_in(ADA) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: confirm(one, token), browsers))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert sum(map(is_refused, answers)) == 7
    back = site.mailed_token(ADA, UNDO)
    fewer = [site.browser() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda one: undo(one, back), fewer))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 401, 410, 503}
    assert site.account(ADA) is not None


def test_039_bent_links(site: Site, ada: Browser) -> None:
    """A link that was guessed, cut or recased is refused at either end, and the real one lives on."""
    token = ask(site, ada)
    first, _, second = token.partition(".")
    texts = [token[:-1], token.swapcase(), f" {token}", f"{token}\n", f"{first}.{'A' * 43}", f"{'A' * 22}.{second}"]
    texts += [f"{second}.{first}", token * 2, f"{token}\0", f"{first}%2e{second}"]
    texts += [token[:-1] + sign for sign in "ABCabc012-_" if sign != token[-1]]
    assert all(is_refused(confirm(ada, text)) for text in texts)
    assert confirm(ada, token).status_code == 200
    back = site.mailed_token(ADA, UNDO)
    for text in (back[:-1], back.swapcase(), f"{back}\n", back[:22] + "." + "A" * 43, "A" * 22 + back[22:]):
        assert is_refused(undo(ada, text))
    assert undo(site.browser(), back).status_code == 200


def test_040_older_links_to_a_new_address_are_dead(site: Site, ada: Browser) -> None:
    """A link is dead once there is a newer one, another password or another address, and once its time is over."""
    first, second = ask(site, ada), ask(site, ada, "lovelace@people.example")
    assert is_refused(confirm(ada, first))
    assert ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    assert is_refused(confirm(ada, second))
    third = ask(site, ada)
    site.clock.advance(timedelta(days=1))
    ada = site.signed_in(ADA, OTHER_PASSWORD)
    assert is_refused(confirm(ada, third))
    reset = site.reset_token(ADA)
    assert confirm(ada, ask(site, ada)).status_code == 200
    assert is_refused(choose(site.browser(), reset))


def test_041_tokens_of_other_purposes(site: Site) -> None:
    """Each of the two kinds of token works at its own place and nowhere else."""
    ada = site.signed_in(ADA)
    reset = site.reset_token(ADA)
    token = ask(site, ada)
    for other in (reset, ada.cookie(), ada.cookie(f"{SESSION}-devices"), "", "x", token.swapcase(), token + "A"):
        assert is_refused(confirm(ada, other))
        assert is_refused(undo(ada, other))
    assert is_refused(undo(ada, token))
    for value in (None, 0, True, [], [token], {}):
        assert confirm(ada, value).status_code == 422
        assert undo(ada, value).status_code == 422
    back = changed(site, ada)
    assert is_refused(confirm(ada, back))
    for path in ("/verify", "/magic-link/use"):
        assert is_refused(ada.post(path, {"token": back}))
    assert is_refused(choose(ada, back))
    stranger = site.browser()
    for name in (SESSION, f"{SESSION}-devices"):
        stranger.plant(name, back)
    assert stranger.me().status_code == 401
    assert undo(stranger, back).status_code == 200


def test_042_somebody_elses_id(site: Site) -> None:
    """Neither link changes the address of an account that the request names."""
    bob, ada = site.member(BOB), site.signed_in(ADA)
    token = ask(site, ada)
    for name in ("user_id", "account", "subject", "id", "email"):
        assert confirm(ada, token, **{name: bob.id}).status_code == 422
        assert undo(ada, token, **{name: bob.id}).status_code == 422
    assert site.account(BOB).id == bob.id


@pytest.mark.parametrize("kind", [CONFIRM, UNDO])
def test_043_044_following_the_links(site: Site, thief: Browser, kind: str) -> None:
    """Following either link takes the token out of the address, and uses nothing up, by whatever method."""
    ada = site.signed_in(ADA)
    token = ask(site, ada) if kind == CONFIRM else changed(site, ada)
    for browser in (thief, ada):
        for method in ("GET", "HEAD", "OPTIONS", "GET"):
            answer = browser.send(method, f"/account/{kind}/{token}")
            assert answer.status_code in {303, 405}
            assert token not in answer.headers.get("Location", "")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert browser.get(f"/account/{kind}").status_code in {200, 303}
    assert site.account(ADA if kind == CONFIRM else NEW) is not None
    assert ada.post(f"/{kind}", {"token": token}).status_code == 200


def test_045_mail_flood(site: Site) -> None:
    """Neither one account nor many can fill a mailbox, or send to ever more of them."""
    ada = site.signed_in(ADA)
    answers = [ada.post("/mail-change", {"email": f"p{one}@people.example"}).status_code for one in range(7)]
    assert answers == [202] * 5 + [429] * 2
    for name in ("bob", "eve", "dan"):
        site.member(f"{name}@people.example")
        browser = site.signed_in(f"{name}@people.example")
        for _ in range(3):
            assert browser.post("/mail-change", {"email": NEW}).status_code == 202
    assert len(site.mails_to(NEW)) == 5


class Watched:
    """A store that notes which of its verbs are called."""

    def __init__(self, store: Any) -> None:
        self.calls: list[str] = []
        put_before_verbs(self, store, self.calls.append)


def test_046_enumeration() -> None:
    """Asking for an address is told and costs alike, whether it is free, taken, or waits to be confirmed."""
    store = Watched(MemoryStore())
    site = make_site(store, ADMIT_STORE_NEAR_ENTRIES=0)
    site.member(ADA)
    site.member(BOB)
    site.sign_up("waiting@people.example")
    site.unconfirmed("unconfirmed@people.example")
    found = {}
    for address in ("free@people.example", BOB, "waiting@people.example", "unconfirmed@people.example"):
        ada = site.signed_in(ADA)
        store.calls.clear()
        site.mails.clear()
        answer = ada.post("/mail-change", {"email": address})
        found[address] = (told(answer), list(store.calls), [mail.to == address for mail in site.mails])
    assert len({repr(one) for one in found.values()}) == 1
    assert found[BOB][0][0] == 202
    assert found[BOB][2] == [True]


def test_047_no_way_past_a_second_factor(new_site: Callable[..., Site]) -> None:
    """Whoever has only the old mailbox takes the account back, and is asked for the second factor like everybody."""
    site = new_site([*all_features(), Dongle()])
    account = site.member(ADA)
    ada = site.signed_in(ADA)
    back = changed(site, ada)
    enroll(site.accounts.credentials, account.id, "the dongle of Ada")
    thief = site.browser("198.51.100.66")
    assert undo(thief, back).status_code == 200
    assert thief.me().status_code == 401
    assert choose(thief, site.token(ADA)).status_code == 200
    assert thief.sign_in(ADA, OTHER_PASSWORD).json["needs"] == ["dongle"]
    assert thief.me().status_code == 401


def test_049_a_leaked_database_opens_nothing(site: Site, tmp_path: Path) -> None:
    """Neither token is in the files of the database."""
    ada = site.signed_in(ADA)
    back = changed(site, ada)
    other = ask(site, ada, "third@people.example")
    leaked = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert NEW.encode() in leaked
    for token in (back, other):
        assert token.partition(".")[2].encode() not in leaked


def test_050_resets_go_to_the_old_address_until_the_new_one_is_confirmed(site: Site) -> None:
    """Until then the old address gets what is asked for and logs in; from then on the new one does, and is told."""
    ada = site.signed_in(ADA)
    token = ask(site, ada)
    site.mails.clear()
    for name in (ADA, NEW):
        assert site.browser().post("/password-reset", {"identifier": name}).status_code == 202
    assert [mail.to for mail in site.mails] == [ADA]
    old = site.token(ADA)
    assert site.browser().sign_in(NEW).status_code == 401
    assert site.browser().sign_in(ADA).status_code == 200
    assert confirm(ada, token).status_code == 200
    assert is_refused(choose(site.browser(), old))
    site.mails.clear()
    for name in (ADA, NEW):
        assert site.browser().post("/password-reset", {"identifier": name}).status_code == 202
    assert [mail.to for mail in site.mails] == [NEW]
    assert site.browser().sign_in(ADA).status_code == 401


def test_050_a_thief_of_a_session(site: Site) -> None:
    """A thief who changes the address, the password and the address again has nothing once the owner takes it back."""
    thief = site.signed_in(ADA, at="198.51.100.66")
    back = changed(site, thief)
    assert thief.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    thiefs = changed(site, thief, "third@people.example", old=NEW)
    site.browser().post("/sign-up", {"email": ADA, "password": OTHER_PASSWORD})
    reset = site.reset_token("third@people.example")
    owner = site.browser()
    assert undo(owner, back).json == {"email": ADA, "next": "check_mail"}
    assert owner.me().status_code == thief.me().status_code == 401
    assert is_refused(undo(thief, thiefs))
    assert is_refused(choose(thief, reset))
    for name in (ADA, NEW, "third@people.example"):
        for password in (PASSWORD, OTHER_PASSWORD):
            assert thief.sign_in(name, password).status_code == 401
    assert choose(owner, site.token(ADA), "seven green umbrellas in the attic").status_code == 200
    assert owner.sign_in(ADA, "seven green umbrellas in the attic").status_code == 200


def test_050_a_session_that_was_left_open(site: Site) -> None:
    """Whoever finds an open session that is not fresh changes no address, and neither does a stranger."""
    ada = site.signed_in(ADA, remember=True)
    site.clock.advance(timedelta(hours=1))
    refused = ada.post("/mail-change", {"email": NEW})
    assert refused.status_code == 403
    assert refused.json["code"] == "reauthentication_required"
    assert site.browser().post("/mail-change", {"email": NEW}).status_code == 401
    assert not site.mails_to(NEW)


def test_051_confirming_for_an_attackers_account(site: Site, thief: Browser) -> None:
    """Whoever has somebody else's address sent a link can't have them confirm it, logged in or not."""
    site.member("eve@people.example")
    thief.sign_in("eve@people.example")
    token = ask(site, thief)
    victim = site.browser()
    assert confirm(victim, token).status_code == 401
    ada = site.signed_in(ADA)
    assert is_refused(confirm(ada, token))
    assert site.account(NEW) is None


def test_106_a_form_of_another_site(site: Site) -> None:
    """Another site in the owner's browser asks for no change, confirms none and takes none back."""
    ada = site.signed_in(ADA)
    token = ask(site, ada)
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    ada.get(f"/account/{CONFIRM}/{token}")
    for path, form in (("mail-change", {"email": BOB}), (CONFIRM, {}), (CONFIRM, {"token": token}), (UNDO, {})):
        assert ada.send("POST", f"/account/{path}", data=form, headers=foreign).status_code == 403
    assert ada.send("GET", f"/account/{CONFIRM}/{token}", headers={"Sec-Fetch-Site": "none"}).status_code == 303
    assert ada.me().json["email"] == ADA
