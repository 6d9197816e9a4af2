"""D6: attacks on what slows down guessing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.features.password import Password
from admit.stores.memory import MemoryStore
from tests.attacks.conftest import ADA
from tests.attacks.site import OTHER_PASSWORD, PASSWORD, WRONG_PASSWORD, all_features, make_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

MALLORY = "mallory@evil.example"


def told(answer: TestResponse) -> tuple[Any, ...]:
    """Return all that a client is told."""
    return answer.status_code, answer.data, list(answer.headers)


def fails(browser: Browser, times: int, name: str = ADA, **headers: str) -> list[int]:
    """Try wrong passwords, and return the statuses."""
    return [browser.sign_in(name, f"{WRONG_PASSWORD} {one}", **headers).status_code for one in range(times)]


def test_080_brute_force_on_one_account(site: Site, thief: Browser) -> None:
    """Guessing at one account is told to wait well before a hundred tries, for as long as it says."""
    assert fails(thief, 10) == [401] * 10
    refused = thief.sign_in(ADA, WRONG_PASSWORD)
    assert refused.status_code == 429
    wait = int(refused.headers["Retry-After"])
    site.clock.advance(timedelta(seconds=wait - 1))
    assert thief.sign_in(ADA, WRONG_PASSWORD).status_code == 429
    site.clock.advance(timedelta(seconds=1))
    assert fails(thief, 2) == [401, 429]


def test_081_spraying(thief: Browser) -> None:
    """One password tried on many accounts, real or not, from one address is told to wait."""
    statuses = [thief.sign_in(f"p{number}@people.example", "spring in london 2026").status_code for number in range(40)]
    assert statuses == [401] * 30 + [429] * 10


SPOOFED = (
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-Ip",
    "X-Client-Ip",
    "X-Originating-Ip",
    "True-Client-Ip",
    "Cf-Connecting-Ip",
    "X-Cluster-Client-Ip",
)


@pytest.mark.parametrize("header", SPOOFED)
def test_082_spoofed_addresses(site: Site, thief: Browser, header: str) -> None:
    """An address that a request claims for itself gives it no tries of its own."""
    value = "for={}" if header == "Forwarded" else "{}"
    statuses = [fails(thief, 1, **{header: value.format(f"203.0.113.{one}")})[0] for one in range(11)]
    assert statuses == [401] * 10 + [429]


def test_082_addresses_behind_a_proxy(new_site: Callable[..., Site]) -> None:
    """Behind one proxy, what a client writes before the proxy's own entry counts for nothing."""
    site = new_site(ADMIT_PROXIES=1)
    site.member(ADA)
    browser = site.browser("10.0.0.1")

    def attempt(number: int, address: str) -> int:
        return fails(browser, 1, **{"X-Forwarded-For": f"203.0.113.{number}, {address}"})[0]

    assert [attempt(one, "198.51.100.66") for one in range(11)] == [401] * 10 + [429]
    assert attempt(0, "198.51.100.67") == 401


def test_083_spellings_of_a_name(site: Site, thief: Browser) -> None:
    """Tries at one account count together however its name is spelled."""
    spellings = (ADA, ADA.upper(), ADA.title(), f" {ADA}", f"{ADA}  ", "\uff21da@people.example", "ada@People.EXAMPLE")
    statuses = [fails(thief, 1, spellings[one % len(spellings)])[0] for one in range(11)]
    assert statuses == [401] * 10 + [429]
    unknown = site.browser("198.51.100.67")
    spellings = ("nobody@people.example", "NOBODY@people.example", " nobody@People.example")
    assert [fails(unknown, 1, spellings[one % 3])[0] for one in range(11)] == [401] * 10 + [429]


def test_084_lock_out(site: Site) -> None:
    """Strangers who burn all tries of an account keep its owner out neither of a known device nor elsewhere."""
    known = site.signed_in(ADA)
    known.post("/sign-out")
    fails(site.browser("192.0.2.1"), 12)  # at the owner's own network
    assert site.browser("203.0.113.9").sign_in(ADA).status_code == 200
    assert known.sign_in(ADA).status_code == 200
    known.post("/sign-out")
    for number in range(12):  # from everywhere
        fails(site.browser(f"198.51.{number}.1"), 10)
    assert site.browser("203.0.113.10").sign_in(ADA).status_code == 429
    assert known.sign_in(ADA).status_code == 200


@pytest.mark.parametrize("how", ["change", "reset"])
def test_084_lock_out_after_a_new_password(site: Site, how: str) -> None:
    """The device on which an owner has chosen a new password is known, so that strangers don't keep them out of it."""
    browser = site.signed_in(ADA)
    if how == "change":
        browser.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    else:
        browser.post("/password-reset/choose", {"token": site.reset_token(ADA), "password": OTHER_PASSWORD})
    browser.post("/sign-out")
    for number in range(12):
        fails(site.browser(f"198.51.{number}.1"), 10)
    assert browser.sign_in(ADA, OTHER_PASSWORD).status_code == 200


def test_084_a_known_device_is_no_way_to_guess(site: Site) -> None:
    """A known device has as many tries as any, and one that is known for one account has none for another."""
    site.member(MALLORY)
    device = site.signed_in(MALLORY, at="198.51.100.66")
    device.post("/sign-out")
    assert fails(device, 11) == [401] * 10 + [429]
    known = site.signed_in(ADA)
    known.post("/sign-out")
    assert fails(known, 11) == [401] * 10 + [429]
    # Nor does a copy of the mark help elsewhere.
    copy = site.browser("203.0.113.200")
    copy.plant("__Host-admit-devices", known.cookie("__Host-admit-devices") or "")
    assert fails(copy, 1) == [429]


def test_085_one_network_of_ipv6(site: Site) -> None:
    """All addresses of one /64 count as one, and mapped ones as what they map."""
    browsers = [site.browser(f"2001:db8:1:2:{number:x}::{number:x}") for number in range(1, 12)]
    assert [fails(browser, 1)[0] for browser in browsers] == [401] * 10 + [429]
    assert fails(site.browser("2001:db8:1:3::1"), 1) == [401]
    fails(site.browser("198.51.100.1"), 10)
    assert fails(site.browser("::ffff:198.51.100.1"), 1) == [429]


def test_086_a_race_of_tries(new_site: Callable[..., Site]) -> None:
    """Of fifty tries at the same moment no more than the limit are looked at."""
    features = [one for one in all_features() if one.name != "password"]
    site = new_site([*features, Password(logins_at_once=64)])
    site.member(ADA)
    browsers = [site.browser("198.51.100.66") for _ in range(50)]
    with ThreadPoolExecutor(50) as threads:
        statuses = list(threads.map(lambda one: one.sign_in(ADA, WRONG_PASSWORD).status_code, browsers))
    assert sorted(set(statuses)) == [401, 429]
    assert statuses.count(401) == 10


def test_087_nothing_resets_the_counter(site: Site, thief: Browser) -> None:
    """Failures are forgotten for a success on that account and place only: not for resets, sign-ups or new sessions."""
    site.member(MALLORY)
    assert fails(thief, 10) == [401] * 10
    site.reset_token(ADA, thief)
    thief.post("/verify/request", {"email": ADA})
    thief.post("/sign-up", {"email": ADA, "password": PASSWORD})
    thief.post("/sign-up", {"email": "fresh@evil.example", "password": PASSWORD})
    assert thief.sign_in(MALLORY).status_code == 200
    thief.post("/sign-out")
    site.signed_in(ADA)  # the owner, elsewhere
    assert fails(thief, 1) == [429]
    assert fails(site.browser(thief.address), 1) == [429]


def test_087_own_logins_between_guesses(site: Site, thief: Browser) -> None:
    """Logging in to an account of one's own between guesses clears no counter of the address."""
    site.member(MALLORY)
    statuses = []
    for number in range(40):
        statuses += fails(thief, 1, f"p{number}@people.example")
        if number % 5 == 0:
            thief.sign_in(MALLORY)
    assert statuses == [401] * 30 + [429] * 10


def test_088_random_names(new_site: Callable[..., Site]) -> None:
    """Counters of random names end by themselves, and a store in memory never keeps more than it was told to."""
    store = MemoryStore()
    site = make_site(store)
    throttle = site.accounts.throttle
    from admit.model import Client

    for number in range(3000):
        client = Client(f"10.{number // 250}.{number % 250}.1")
        throttle.attempt(f"random name {number}", client)  # strangers who never met are not told to wait
    assert len(store._rests) == 12000
    site.clock.advance(timedelta(hours=1))
    throttle.attempt("one more", Client("10.99.0.1"))
    assert len(store._rests) == 4


def test_089_unknown_names_are_throttled_alike(site: Site) -> None:
    """Twenty failures are answered alike, one by one, for an account and for nobody."""
    known, unknown = site.browser("198.51.100.1"), site.browser("198.51.100.2")
    of_known = [told(known.sign_in(ADA, WRONG_PASSWORD)) for _ in range(20)]
    of_unknown = [told(unknown.sign_in("nobody@people.example", WRONG_PASSWORD)) for _ in range(20)]
    assert of_known == of_unknown
    assert of_known[-1][0] == 429


def test_090_throttled_right_and_wrong(site: Site, thief: Browser) -> None:
    """While a client is told to wait, a right password gets the same answer, byte for byte, as a wrong one."""
    fails(thief, 11)
    right, wrong = thief.sign_in(ADA), thief.sign_in(ADA, WRONG_PASSWORD)
    assert told(right) == told(wrong)
    assert right.status_code == 429
    assert thief.cookie() is None


def test_090_refused_tries_cost_nothing(site: Site, thief: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try that is refused is neither hashed nor counted: the wait does not grow by asking."""
    fails(thief, 10)
    monkeypatch.setattr("admit.features.password.hashing.Hasher.verify", None)
    waits = [int(thief.sign_in(ADA).headers["Retry-After"]) for _ in range(50)]
    assert len(set(waits)) == 1
