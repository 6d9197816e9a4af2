"""Throttling: guesses run out, owners don't."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.errors import ConfigurationError, Throttled
from admit.events import Events, Throttling
from admit.model import Client
from admit.stores.memory import MemoryStore
from admit.testing import Clock
from admit.throttle import Throttle, ThrottleSettings, forget, network, read_address

HERE, THERE = Client("192.0.2.1"), Client("198.51.100.7")


class Site:
    """A throttle over counters in memory, with a clock that stands still and a record of refusals."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.heard: list[Throttling] = []
        events = Events()
        events.subscribe(Throttling, self.heard.append)
        self.throttle = Throttle(MemoryStore(), ThrottleSettings(**settings), clock=self.clock, events=events)

    def tries(self, name: str = "ada", client: Client = HERE, *, most: int = 300, **options: Any) -> int:
        """Fail until refused; return how many tries were looked at."""
        for count in range(most):
            try:
                self.throttle.attempt(name, client, **options)
            except Throttled:
                return count
        return most

    def wait(self, name: str = "ada", client: Client = HERE) -> int:
        """Return for how long a refused one is told to wait."""
        with pytest.raises(Throttled) as caught:
            self.throttle.attempt(name, client)
        return caught.value.retry_after


def test_one_address_at_one_account() -> None:
    """After ten failures a pair waits, one try comes back in a minute, and other accounts are not touched."""
    site = Site()
    assert site.tries() == 10
    assert site.wait() == 60
    site.clock.advance(timedelta(seconds=60))
    assert site.tries() == 1
    assert site.tries("bob") == 10


def test_spraying() -> None:
    """One address that tries many accounts once each is refused, whatever the accounts."""
    site = Site(address_burst=20)
    looked_at = [site.tries(f"account {number}", most=1) for number in range(40)]
    assert sum(looked_at) == 20
    assert site.tries("ada", THERE, most=1) == 1


def test_one_account_from_everywhere() -> None:
    """An account that many addresses guess at is refused to all strangers."""
    site = Site(account_burst=30)
    looked_at = sum(site.tries("ada", Client(f"192.0.2.{number}"), most=5) for number in range(20))
    assert looked_at == 30
    assert site.heard[-1].counter == "account"


def test_a_known_device_is_not_locked_out() -> None:
    """The owner gets in from a known device while strangers have burnt all tries; it has a limit of its own."""
    site = Site(account_burst=5)
    site.tries()
    site.tries("ada", THERE)
    assert site.tries(device="laptop") == 10
    assert site.tries("bob", Client("203.0.113.9"), device="laptop", most=1) == 1


def test_a_known_device_may_log_in_only_so_often() -> None:
    """Right passwords are counted on a known device too, by a counter that strangers can't touch (attack 162)."""
    site = Site(login_burst=5)
    for _ in range(5):
        site.throttle.attempt("ada", HERE, device="laptop").succeeded()
    with pytest.raises(Throttled) as caught:
        site.throttle.attempt("ada", HERE, device="laptop")
    assert caught.value.retry_after == 20
    assert site.heard[-1].counter == "device_login"
    assert site.tries("ada", HERE, most=1) == site.tries("ada", HERE, device="phone", most=1) == 1


def test_right_ones_are_counted() -> None:
    """An account may log in so many times at once, from wherever, and then once in each interval (attack 162)."""
    site = Site(login_burst=5, login_interval=timedelta(seconds=30))
    for number in range(5):
        site.throttle.attempt("ada", Client(f"192.0.2.{number}")).succeeded()
    assert site.wait("ada", THERE) == 30
    assert site.heard[-1].counter == "login"
    site.clock.advance(timedelta(seconds=30))
    site.throttle.attempt("ada", THERE).succeeded()
    assert site.tries("ada") == 0
    assert site.tries("bob", most=1) == 1


def test_failures_are_no_logins() -> None:
    """Strangers who fail do not use up the logins of an account."""
    site = Site(login_burst=2)
    for number in range(20):
        site.throttle.attempt("ada", Client(f"192.0.2.{number}"), settles=True).failed()
    assert site.tries("ada", THERE) == 2


def test_a_class_behind_one_address() -> None:
    """A hundred who are looked at at the same moment are not refused for their address, and right ones never are."""
    site = Site()
    under_way = [site.throttle.attempt(f"pupil {number}", HERE, settles=True) for number in range(100)]
    for attempt in under_way:
        attempt.succeeded()
    for number in range(100):
        site.throttle.attempt(f"pupil {number}", HERE, settles=True).succeeded()


@pytest.mark.parametrize("settles", [True, False])
def test_an_address_fails_so_often(*, settles: bool) -> None:
    """Thirty failures of an address are looked at, and then one in each interval, however they are counted."""
    site = Site()

    def fails(most: int) -> int:
        for count in range(most):
            try:
                attempt = site.throttle.attempt(f"account {count} {site.clock()}", HERE, settles=settles)
            except Throttled:
                return count
            if settles:
                attempt.failed()
        return most

    assert fails(100) == 30
    site.clock.advance(timedelta(minutes=10))
    assert fails(100) == 30
    site.clock.advance(timedelta(seconds=60))
    assert fails(100) == 3


def test_failures_at_the_same_moment_have_to_be_waited_for() -> None:
    """An address that fails with more at the same moment than it may waits for as many intervals."""
    site = Site(address_burst=30)
    under_way = [site.throttle.attempt(f"account {number}", HERE, settles=True) for number in range(120)]
    with pytest.raises(Throttled):
        site.throttle.attempt("one more", HERE, settles=True)
    for attempt in under_way:
        attempt.failed()
    site.clock.advance(90 * timedelta(seconds=20))
    with pytest.raises(Throttled):
        site.throttle.attempt("one more", HERE, settles=True)
    site.clock.advance(timedelta(seconds=20))
    site.throttle.attempt("one more", HERE, settles=True)


def test_a_success_forgets_the_failures_of_this_account_only() -> None:
    """After a success the account starts anew; the address gets back one try, and not more."""
    site = Site(address_burst=12, pair_burst=10)
    for _ in range(9):
        site.throttle.attempt("ada", HERE)
    site.throttle.attempt("ada", HERE).succeeded()
    assert site.tries("ada", THERE) == 10
    assert site.tries("ada", HERE) == 3  # of twelve, nine were spent


def test_one_that_was_not_looked_at_costs_nothing() -> None:
    """A try that is withdrawn is as if it had not been."""
    site = Site()
    for _ in range(50):
        site.throttle.attempt("ada", HERE).withdraw()
    assert site.tries() == 10


def test_a_refusal_takes_nothing_from_the_other_counters() -> None:
    """Tries that one counter refuses are not counted by the others, or refusals would lock out the rest."""
    site = Site(pair_burst=5, address_burst=20, account_burst=6)
    for _ in range(50):
        site.tries("ada", HERE, most=1)
    assert site.tries("ada", THERE) == 1  # six in all, of which this address has one left
    assert site.tries("bob", HERE) == 5


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("unix:", "unknown"),
        ("192.0.2.1, 10.0.0.1", "unknown"),
        ("192.0.2.1:51234", "192.0.2.1"),
        ("[2001:db8:1:2::7]", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::7]:443", "2001:db8:1:2::/64"),
        ("[fe80::1%eth0]:443", "fe80::/64"),
        ("2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2::/64"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("192.0.2.1:", "unknown"),
        ("192.0.2.1:1234567", "unknown"),
        ("192.0.2.1:\u00b2", "unknown"),
        ("[192.0.2.1", "unknown"),
        ("192.0.2.1]:80", "unknown"),
        ("[2001:db8::1]x", "unknown"),
        ("[2001:db8::1]]:80", "unknown"),
        ("_hidden", "unknown"),
        (":443", "unknown"),
    ],
)
def test_what_an_address_is_counted_as(address: str | None, counted_as: str) -> None:
    """IPv6 is counted by the /64 that one customer has, and ports, brackets and zones are no part of an address."""
    assert network(address) == counted_as


@pytest.mark.parametrize("address", [None, "", "unix:", "localhost", "_hidden"])
def test_u09_an_address_that_cannot_be_read_is_no_common_bucket(address: str | None) -> None:
    """One person whose address can't be read holds off nobody; accounts, devices and mailboxes have their limits."""
    site, nowhere = Site(account_burst=7, mails_per_hour=2, requests_per_hour=2), Client(address)
    assert [site.tries(f"account {number}", nowhere, most=1) for number in range(60)] == [1] * 60
    assert site.tries("ada", nowhere) == 7
    assert site.heard[-1].counter == "account"
    for _ in range(5):
        site.throttle.request(nowhere)
    assert [site.throttle.allows_mail("ada", client=nowhere) for _ in range(9)] == [True] * 8 + [False]
    for _ in range(2):
        site.throttle.request(nowhere, device="laptop")
    with pytest.raises(Throttled):
        site.throttle.request(nowhere, device="laptop")


@given(st.text(max_size=96))
def test_u09_any_text_is_an_address_or_none(text: str) -> None:
    """Whatever a proxy writes, it is read as an address that is in it, or as none."""
    found = read_address(text)
    assert found is None or (found in text and ip_address(found))


def test_a_hundred_addresses_of_one_network() -> None:
    """Hopping through a /64 does not help."""
    site = Site()
    assert sum(site.tries("ada", Client(f"2001:db8::{number:x}"), most=1) for number in range(100)) == 10


def test_what_costs_mails_is_counted_by_address() -> None:
    """An address may ask for so many mails and sign-ups in an hour."""
    site = Site(requests_per_hour=3)
    for _ in range(3):
        site.throttle.request(HERE)
    with pytest.raises(Throttled) as caught:
        site.throttle.request(HERE)
    assert caught.value.retry_after == 20 * 60
    site.throttle.request(THERE)
    assert site.heard[-1].counter == "requests"


def test_a_known_device_asks_apart() -> None:
    """Who has asked for too much at an address keeps no known device there from asking, which has a limit too."""
    site = Site(requests_per_hour=1)
    site.throttle.request(HERE)
    with pytest.raises(Throttled):
        site.throttle.request(HERE)
    site.throttle.request(HERE, device="laptop")
    with pytest.raises(Throttled):
        site.throttle.request(THERE, device="laptop")
    assert site.heard[-1].counter == "device_requests"


def test_mails_to_one_account() -> None:
    """An account is sent so many mails in an hour for one address; who asks for more is not told."""
    site = Site(mails_per_hour=5)
    assert [site.throttle.allows_mail("ada") for _ in range(7)] == [True] * 5 + [False] * 2
    assert site.throttle.allows_mail("bob")
    site.clock.advance(timedelta(hours=1))
    assert site.throttle.allows_mail("ada")
    assert not site.heard


def test_mails_are_counted_by_purpose_and_by_who_asks() -> None:
    """Strangers who use up their mails leave those of another purpose, of others and of known devices (attack 165)."""
    site = Site(mails_per_hour=2)

    def allowed(purpose: str, client: Client, device: str | None = None) -> bool:
        return site.throttle.allows_mail("ada", purpose=purpose, client=client, device=device)

    assert [allowed("reset", HERE) for _ in range(3)] == [True, True, False]
    assert allowed("confirm", HERE)
    assert allowed("reset", THERE)
    assert [allowed("reset", HERE, "laptop") for _ in range(3)] == [True, True, False]
    assert allowed("reset", HERE, "phone")


def test_mails_to_one_mailbox_have_a_total() -> None:
    """However many strangers ask, one mailbox gets four times the mails of one, and known devices get theirs."""
    site = Site(mails_per_hour=5)

    def sent(device: str | None) -> int:
        networks = [Client(f"198.51.100.{number}") for number in range(50)]
        who = [None if device is None else f"{device} {number}" for number in range(50)]
        return sum(
            site.throttle.allows_mail("ada", client=client, device=one)
            for client, one in zip(networks, who, strict=True)
        )

    assert sent(None) == 20
    assert sent("device") == 20
    assert site.throttle.allows_mail("bob", client=HERE)


def test_what_features_count() -> None:
    """What a feature counts is counted apart from mails, from other kinds and from other names, and comes back."""
    site = Site(mails_per_hour=5)

    def allowed(kind: str, name: str) -> bool:
        return site.throttle.allows(kind, name, burst=2, interval=timedelta(minutes=10))

    assert [allowed("codes", "ada") for _ in range(3)] == [True, True, False]
    assert allowed("codes", "bob")
    assert allowed("letters", "ada")
    assert site.throttle.allows_mail("ada")
    site.clock.advance(timedelta(minutes=10))
    assert [allowed("codes", "ada") for _ in range(2)] == [True, False]
    assert not site.heard


def test_parallel_tries() -> None:
    """Fifty tries at the same moment: exactly as many are looked at as one after the other."""
    site = Site()

    def try_once() -> bool:
        return site.tries(most=1) == 1

    with ThreadPoolExecutor(50) as threads:
        looked_at = [one.result() for one in [threads.submit(try_once) for _ in range(50)]]
    assert looked_at.count(True) == 10


@given(name=st.text(max_size=400))
def test_any_name_can_be_counted(name: str) -> None:
    """Whatever somebody types for a name, lone surrogates and NUL included, is counted and never an error."""
    site = Site(pair_burst=1)
    assert site.tries(name) == 1


def test_what_is_forgotten_of_an_account() -> None:
    """After an erasure, whoever gets the name finds no counter of the one before them."""
    site, counters = Site(mails_per_hour=1, login_burst=1, pair_burst=1), MemoryStore()
    throttle = Throttle(counters, ThrottleSettings(mails_per_hour=1), clock=site.clock, events=Events())
    throttle.attempt("ada", HERE)
    throttle.attempt("ada", HERE, device="laptop")
    for number in range(4):
        throttle.allows_mail("ada", purpose="reset", client=Client(f"192.0.2.{number}"))
    throttle.allows_mail("ada", purpose="reset", device="laptop")
    forget(counters, ["ada"], kinds=["reset"], devices=["laptop"])
    of_places = {key.partition(":")[0] for key in counters._rests}
    assert of_places == {"pair", "address", "mails"}


@pytest.mark.parametrize("name", ["pair_burst", "mails_per_hour", "address_interval"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    """A limit that lets nothing through, or never ends, is a mistake that names the setting."""
    with pytest.raises(ConfigurationError, match=f"ADMIT_THROTTLE_{name.upper()}"):
        ThrottleSettings(**{name: timedelta(0) if name.endswith("interval") else 0})


def test_forgiving() -> None:
    """What was counted of one name is forgotten, and of no other."""
    site = Site()
    for name in ("ada", "bob"):
        assert site.throttle.allows("codes", name, burst=1, interval=timedelta(hours=1))
    site.throttle.forgive("codes", "ada")
    assert site.throttle.allows("codes", "ada", burst=1, interval=timedelta(hours=1))
    assert not site.throttle.allows("codes", "bob", burst=1, interval=timedelta(hours=1))
