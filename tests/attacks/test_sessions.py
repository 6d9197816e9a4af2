"""D1: attacks on sessions and their cookie."""

from __future__ import annotations

import string
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit.features.password import Password
from admit.stores.memory import MemoryStore
from tests.attacks.conftest import ADA
from tests.attacks.payloads import COOKIE_HEADERS, JUNK, SHAPED
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, PASSWORD, SESSION, Outage, all_features, make_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"


def with_token(site: Site, token: str) -> Browser:
    """Return a browser that holds a session cookie of somebody's."""
    browser = site.browser("198.51.100.66")
    browser.plant(SESSION, token)
    return browser


def held(browser: Browser) -> str:
    """Return the session token of a browser that is logged in."""
    found = browser.cookie()
    assert found is not None
    return found


def cookies_of(answer: TestResponse) -> list[str]:
    """Return what an answer sets."""
    return answer.headers.getlist("Set-Cookie")


def test_001_fixation_with_a_made_up_id(site: Site) -> None:
    """A session id that somebody made up before the login is neither adopted nor valid afterwards."""
    browser = with_token(site, SHAPED)
    assert browser.sign_in(ADA).status_code == 200
    assert browser.cookie() != SHAPED
    assert with_token(site, SHAPED).me().status_code == 401


def test_002_fixation_with_what_an_anonymous_visitor_holds(site: Site, thief: Browser) -> None:
    """What the site gave an anonymous visitor stays worthless after somebody else has logged in with it."""
    thief.post("/sign-up", {"email": "thief@evil.example", "password": PASSWORD})
    planted = {cookie.key: cookie.value for cookie in thief.http._cookies.values()}
    assert planted
    victim = site.browser()
    for name, value in planted.items():
        victim.plant(name, value)
    assert victim.sign_in(ADA).status_code == 200
    assert thief.me().status_code == 401


def test_003_relogin_ends_the_token_before(site: Site, ada: Browser) -> None:
    """A token that was stolen before its owner logged in again is dead."""
    stolen = held(ada)
    assert ada.sign_in(ADA).status_code == 200
    assert with_token(site, stolen).me().status_code == 401
    assert ada.me().status_code == 200


def test_004_another_identity_keeps_nothing(site: Site, ada: Browser) -> None:
    """When a second person logs in on a browser, the first one's session ends and nothing of it is carried over."""
    site.member(BOB)
    stolen = held(ada)
    assert ada.sign_in(BOB).status_code == 200
    assert ada.me().json["email"] == BOB
    assert [one["is_this"] for one in ada.get(f"{API}/devices").json["devices"]] == [True]
    assert with_token(site, stolen).me().status_code == 401


def test_005_logout_kills_the_copy(site: Site, ada: Browser) -> None:
    """A copy of the cookie is dead once its owner has logged out."""
    stolen = held(ada)
    assert ada.post("/sign-out").status_code == 204
    assert with_token(site, stolen).me().status_code == 401


def test_006_requests_in_flight_write_nothing_back(site: Site, ada: Browser) -> None:
    """Requests that run while their session logs out, rotation included, leave no session behind."""
    stolen = held(ada)
    site.clock.advance(timedelta(hours=2))  # each of them would rotate the secret, and touch the session
    browsers = [with_token(site, stolen) for _ in range(8)]
    with ThreadPoolExecutor(9) as threads:
        asked = [threads.submit(browser.me) for browser in browsers[:4]]
        left = threads.submit(ada.post, "/sign-out")
        asked += [threads.submit(browser.me) for browser in browsers[4:]]
        assert left.result().status_code == 204
        assert {one.result().status_code for one in asked} <= {200, 401}
    assert [browser.me().status_code for browser in browsers] == [401] * 8
    assert with_token(site, stolen).me().status_code == 401


def test_007_logout_ends_this_session_only(site: Site, ada: Browser) -> None:
    """Logging out on one device leaves the login on another alone."""
    phone = site.signed_in(ADA)
    ada.post("/sign-out")
    assert phone.me().status_code == 200


def test_008_logout_clears_the_cookie(site: Site) -> None:
    """Logging out deletes the cookie, with the attributes that it was set with."""
    browser = site.browser()

    def attributes(answer: TestResponse) -> list[set[str]]:
        ours = [line for line in cookies_of(answer) if line.startswith(f"{SESSION}=")]
        return [{part for part in line.split("; ")[1:] if not part.startswith(("Expires", "Max-Age"))} for line in ours]

    begun, ended = browser.sign_in(ADA), browser.post("/sign-out")
    assert attributes(begun) == attributes(ended)
    assert len(attributes(ended)) == 1
    assert browser.cookie() is None


def test_009_cookie_tossing(site: Site, ada: Browser, thief: Browser) -> None:
    """A sibling host can plant no session: the cookie has the prefix __Host-, and two of one name count as none."""
    own, planted = held(ada), held(site.signed_in(ADA))
    assert thief.get(f"{API}/", Cookie=f"{SESSION}={own}").status_code == 200
    for header in (f"{SESSION}={own}; {SESSION}={planted}", f"{SESSION}={planted}; {SESSION}={own}"):
        assert thief.get(f"{API}/", Cookie=header).status_code == 401
    # Without the prefix, any sibling could have set it.
    assert thief.get(f"{API}/", Cookie=f"admit={own}; __Secure-admit={own}").status_code == 401


@pytest.mark.parametrize("remember", [False, True])
def test_010_011_012_033_cookie_flags(site: Site, remember: bool) -> None:  # noqa: FBT001 -- a parameter
    """Every cookie is HttpOnly, Secure, SameSite=Lax, for this host and path / only, remembered logins included."""
    browser = site.browser()
    lines = [
        *cookies_of(browser.post("/sign-up", {"email": "new@people.example", "password": PASSWORD})),
        *cookies_of(browser.sign_in(ADA, remember=remember)),
        *cookies_of(browser.get(f"/account/password-reset/{SHAPED}")),
        *cookies_of(browser.post("/sign-out")),
    ]
    assert len(lines) >= 4
    for line in lines:
        parts = line.split("; ")
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(parts), line
        assert parts[0].startswith("__Host-"), line
        assert "Domain" not in line


def test_013_the_cookie_is_opaque(site: Site) -> None:
    """The cookie tells nothing about its owner, and the token is in no body."""
    browser = site.browser()
    answer = browser.sign_in(ADA)
    token = held(browser)
    account = site.account(ADA)
    assert token not in answer.text
    for one in (answer, browser.me(), browser.get(f"{API}/devices")):
        assert token.partition(".")[2] not in one.text
    for value in (account.id, "ada", "192.0.2.1"):
        assert not any(value in line for line in cookies_of(answer))


def test_014_ids_are_random(site: Site) -> None:
    """Sessions that begin at the same moment have different ids and secrets, of 128 bits or more."""
    with ThreadPoolExecutor(4) as threads:
        browsers = list(threads.map(lambda _: site.signed_in(ADA), range(24)))
    tokens = [held(browser) for browser in browsers]
    for half in zip(*(token.split(".") for token in tokens), strict=True):
        assert len(set(half)) == 24
        assert min(map(len, half)) >= 22  # 6 bits each
        # Nothing that all have in common: no prefix, time or counter.
        assert all(len(set(column)) > 3 for column in list(zip(*half, strict=True))[:21])


def test_016_bent_tokens(site: Site, ada: Browser) -> None:
    """A token that was cut, doubled, recased or changed anywhere opens nothing, and breaks nothing."""
    token = held(ada)
    bent = [token[:place] + ("A" if sign != "A" else "B") + token[place + 1 :] for place, sign in enumerate(token)]
    bent += [token[:length] for length in range(0, len(token), 7)]
    bent += [token * 2, token + "A", "A" + token, token.swapcase(), token.lower(), f'"{token}"', token[::-1]]
    assert {with_token(site, one).me().status_code for one in bent} == {401}
    assert ada.me().status_code == 200


def test_017_one_spelling(site: Site, ada: Browser) -> None:
    """No other last character of either half spells the same token."""
    first, _, second = held(ada).partition(".")
    signs = string.ascii_letters + string.digits + "-_+/="
    others = [f"{first[:-1]}{sign}.{second}" for sign in signs if sign != first[-1]]
    others += [f"{first}.{second[:-1]}{sign}" for sign in signs if sign != second[-1]]
    assert {with_token(site, one).me().status_code for one in others} == {401}


@pytest.mark.parametrize("value", JUNK, ids=range(len(JUNK)))
def test_018_junk_in_the_cookie(site: Site, thief: Browser, value: str) -> None:
    """Junk in any of our cookies is nobody's login and never a fault of the server."""
    names = (SESSION, f"{SESSION}-pending", f"{SESSION}-devices", f"{SESSION}-kept-link")
    header = "; ".join(f"{name}={value}" for name in names).encode().decode("latin-1")
    assert thief.get(f"{API}/", Cookie=header).status_code == 401
    assert thief.sign_in("nobody@people.example", Cookie=header).status_code == 401


@pytest.mark.parametrize("header", COOKIE_HEADERS, ids=range(len(COOKIE_HEADERS)))
def test_018_malformed_cookie_headers(site: Site, thief: Browser, header: str) -> None:
    """A malformed Cookie header is nobody's login and never a fault of the server."""
    assert thief.get(f"{API}/", Cookie=header).status_code == 401
    assert thief.get("/private", Cookie=header, Accept="application/json").status_code == 401


def test_019_cookie_bomb(site: Site, thief: Browser) -> None:
    """A bomb of cookies breaks nothing, and all of our own take less than a kilobyte."""
    bomb = "; ".join(f"{SESSION}-{number}={'x' * 1000}" for number in range(78))
    assert thief.get(f"{API}/", Cookie=bomb).status_code == 401
    browser = site.browser()
    for number in range(6):  # marks of several people on one device
        site.member(f"p{number}@people.example")
        browser.sign_in(f"p{number}@people.example", remember=True)
    assert sum(len(one.key) + len(one.value) for one in browser.http._cookies.values()) < 1024


@pytest.mark.parametrize(
    "place",
    ["?admit={}", "?__Host-admit={}", "?session={}", "?token={}", ";jsessionid={}", "/{}", "?Cookie=admit%3D{}"],
)
def test_020_session_in_the_address(site: Site, ada: Browser, thief: Browser, place: str) -> None:
    """A token in an address opens nothing."""
    assert thief.get(f"{API}/{place.format(held(ada))}").status_code in {401, 404}


def test_021_a_change_of_password_ends_the_other_sessions(site: Site, ada: Browser) -> None:
    """A change of the password ends all other sessions and gives this one a new token; a reset ends all."""
    phone, before = site.signed_in(ADA, remember=True), held(ada)
    answer = ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    assert answer.json == {"ended": 1}
    assert phone.me().status_code == 401
    assert with_token(site, before).me().status_code == 401
    assert ada.me().status_code == 200
    assert ada.post("/password-reset/choose", {"token": site.reset_token(ADA), "password": PASSWORD}).status_code == 200
    assert ada.me().status_code == 401


@pytest.mark.parametrize("how", ["locked_at", "closed_at", "deleted"])
def test_022_sessions_of_an_account_that_is_locked(site: Site, ada: Browser, how: str) -> None:
    """The next request of a session is refused once its account is locked, closed or deleted."""
    account, store = site.account(ADA), site.accounts.store
    if how == "deleted":
        assert store.delete_account(account.id)
    else:
        assert store.replace_account(account, replace(account, **{how: site.clock()}))
    assert ada.me().status_code == 401
    assert ada.get("/private", Accept="application/json").status_code == 401
    assert ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 401
    assert ada.get(f"{API}/devices").status_code == 401


def test_023_a_session_that_is_kept_alive_ends(site: Site, ada: Browser) -> None:
    """A tab that asks all the time keeps a session no longer than its absolute limit, a silent one not even that."""
    settings = site.login_manager.keeper.gate.settings  # type: ignore[union-attr]
    silent = site.signed_in(ADA)
    step = settings.idle / 2
    for _ in range(int(settings.absolute / step) - 1):
        site.clock.advance(step)
        assert ada.me().status_code == 200
    assert silent.me().status_code == 401
    site.clock.advance(step)
    assert ada.me().status_code == 401


def test_026_the_store_is_down() -> None:
    """While the store is down nobody is logged in or out, and the answer does not tell what it said."""
    store = Outage(MemoryStore())
    site = make_site(store, ADMIT_STORE_NEAR_ENTRIES=0)
    site.member(ADA)
    browser = site.signed_in(ADA)
    store.is_down = True
    answers = [
        browser.me(),
        browser.get("/private", Accept="application/json"),
        browser.sign_in(ADA),
        browser.post("/sign-up", {"email": BOB, "password": PASSWORD}),
        browser.post("/password-reset", {"identifier": ADA}),
        browser.post("/verify/request", {"email": ADA}),
        browser.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}),
        browser.get(f"{API}/devices"),
    ]
    for answer in answers:
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert not cookies_of(answer)
        assert "database-7" not in answer.text
    store.is_down = False
    assert browser.me().status_code == 200


def test_027_a_token_of_another_application(site: Site, ada: Browser) -> None:
    """A token of one application opens nothing at another, although both have the same secret key."""
    other = make_site("memory:")
    other.member(ADA)
    assert with_token(other, held(ada)).me().status_code == 401


def test_029_a_revocation_is_seen_by_other_workers(new_site: Callable[..., Site]) -> None:
    """A session that one worker has ended is refused by another, which had it at hand."""
    here, there = new_site(), new_site()
    here.member(ADA)
    browser = here.signed_in(ADA)
    elsewhere = with_token(there, held(browser))
    assert elsewhere.me().status_code == 200
    browser.post("/sign-out")
    # Each store announces it in its own way; the settings bound how long that may take.
    answers = (elsewhere.me().status_code for _ in range(100_000))
    assert 401 in answers


def test_021_with_many_hashes_at_once(new_site: Callable[..., Site]) -> None:
    """Of changes of one password that race, whoever came later never keeps a session of the one before."""
    features = [one for one in all_features() if one.name != "password"]
    site = new_site([*features, Password(logins_at_once=32)])
    site.member(ADA)
    browsers = [site.signed_in(ADA) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        body = {"old_password": PASSWORD, "password": OTHER_PASSWORD}
        answers = list(threads.map(lambda one: one.post("/password", body), browsers))
    # Whoever comes later is signed out by then, or types what is the old password by then.
    assert {one.status_code for one in answers} <= {200, 401, 403}
    assert sum(browser.me().status_code == 200 for browser in browsers) <= 1
    assert site.browser().sign_in(ADA).status_code == 401
    assert site.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 200


def test_020_no_token_in_an_address_of_ours(site: Site, ada: Browser) -> None:
    """Where a refused browser is sent, its token does not appear."""
    answer = ada.get("/private")
    assert answer.status_code == 200
    refused = with_token(site, held(ada) + "x").get("/private?page=2", Accept="text/html")
    assert refused.status_code in {302, 303}
    assert held(ada).partition(".")[2] not in refused.headers["Location"]
    assert not refused.headers["Location"].startswith(("http:", "//"))
    assert refused.headers["Location"].removeprefix(ORIGIN).startswith("/account/sign-in")
