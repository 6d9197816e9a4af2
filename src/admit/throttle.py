"""Slowing down those who guess: how many tries are looked at, by account, by address and by the pair of both.

An attacker guesses at one account, sprays one password over many, changes address, spelling or session between tries,
races so that tries are looked at before they are counted, burns an owner's tries to keep them out, or signs in to an
account of their own again and again, because each right password costs a hash too. So a try is counted *before* it is
looked at, by atomic counters, under the account that a name means however it is spelled; a success gives back what
failures have a counter for, and is counted by another; and a device that its owner has logged in with has counters of
its own, which strangers can't touch. Accounts that do not exist are counted like those that do.

Where the address of who tries can't be read, such as behind a proxy over a Unix socket that the application does not
know of, nothing is counted by address: with one counter for all, one person would hold off everybody.

Mails that strangers can ask for are counted by what they are for, and by who asks: a stranger who uses up their own
leaves those of others, and a device that is known to be the owner's has its own.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from admit.errors import Throttled
from admit.settings import Settings, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from admit.events import Events
    from admit.model import Client
    from admit.store import CounterStore

__all__ = ["UNKNOWN", "Attempt", "Counter", "Throttle", "ThrottleSettings", "forget", "network", "read_address"]

#: What stands for the network of an address that can't be read, such as that of a Unix socket.
UNKNOWN = "unknown"

_HOUR = timedelta(hours=1)

#: What a try takes of an address while it is looked at: a quarter of what a failure takes in the end. A class that
#: signs in at the same moment is not refused, and a thousand that fail at once still have to be waited for.
_UNDER_WAY = 4
#: More units than anything takes.
_NO_BOUND = 1_000_000
#: How many times the mails of one asker all together may have sent to one mailbox.
_TOTAL = 4
_DEVICE_MAILS = "device_mails"


@dataclass(frozen=True, kw_only=True)
class ThrottleSettings(Settings):
    """How many tries are looked at: so many at once, and then one in each interval.

    .. versionadded:: 0.2
    """

    section: ClassVar[str] = "throttle"

    pair_burst: int = setting(10, "How many failed logins one address may have at one account at once.")
    pair_interval: timedelta = setting(timedelta(minutes=1), "After how long such a pair may try once more.")
    address_burst: int = setting(30, "How many failed logins one address (IPv6: one /64) may have at once.")
    address_interval: timedelta = setting(timedelta(seconds=20), "After how long an address may try once more.")
    account_burst: int = setting(100, "How many failed logins one account may have at once, from wherever.")
    account_interval: timedelta = setting(timedelta(minutes=10), "After how long one more is looked at.")
    login_burst: int = setting(30, "How many logins one account, or one known device of it, may have at once.")
    login_interval: timedelta = setting(timedelta(seconds=20), "After how long it may log in once more.")
    requests_per_hour: int = setting(
        30, "How many sign-ups and mails one address, or one known device, may ask for in an hour."
    )
    mails_per_hour: int = setting(
        5, "How many mails of each kind one address, or one known device, has sent to one mailbox in an hour."
    )

    def __post_init__(self) -> None:
        """Check that every limit lets something through, and ends."""
        super().__post_init__()
        self.demand_positive()


class Counter(NamedTuple):
    """One counter that a try takes a unit of."""

    kind: str
    key: str
    interval: timedelta
    burst: int
    #: What a failure takes of it besides, in the end.
    rest: timedelta = timedelta()


#: Counters of those who got in; what failed gives its unit back.
_OF_LOGINS = frozenset({"login", "device_login"})


class Attempt:
    """A try that was counted and may be looked at.

    One that is left as it is counts as a failure, and as a login too.
    """

    def __init__(self, throttle: Throttle, counters: tuple[Counter, ...]) -> None:
        self._throttle = throttle
        self._counters = counters

    def succeeded(self) -> None:
        """Forget the failures of this account, and give back to the address what this one try took.

        Not more than that: whoever has an account of their own must not clear their address by it. The login itself
        stays counted.
        """
        for counter in self._counters:
            if counter.kind not in _OF_LOGINS:
                self._throttle.settle(counter, for_good=counter.kind != "address")

    def failed(self) -> None:
        """Let the try count as a failure, and not as a login."""
        for counter in self._counters:
            self._throttle.take_rest(counter)
            if counter.kind in _OF_LOGINS:
                self._throttle.settle(counter, for_good=False)

    def withdraw(self) -> None:
        """Give back what this try took: it was not looked at after all."""
        for counter in self._counters:
            self._throttle.settle(counter, for_good=False)


class Throttle:
    """Counts tries, and refuses those that are too many.

    Args:
        counters: What counts.
        settings: How many tries are looked at.
        clock: Returns the present time, aware and UTC.
        events: Who is told of refusals.

    .. versionadded:: 0.2
    """

    def __init__(
        self, counters: CounterStore, settings: ThrottleSettings, *, clock: Callable[[], datetime], events: Events
    ) -> None:
        self._counters = counters
        self._settings = settings
        self._clock = clock
        self._events = events

    def attempt(
        self, name: str, client: Client, *, device: str | None = None, subject: str = "", settles: bool = False
    ) -> Attempt:
        """Count a try to log in; call :meth:`Attempt.succeeded` on what is returned if it was the right one.

        Args:
            name: What stands for the account: its id, or the canonical form of a name that is nobody's.
            client: Who tries.
            device: The id of the device, if it is known to be the owner's.
            subject: The account's id for the event, if there is one.
            settles: Whether the caller says in any case what became of the try, by :meth:`Attempt.failed` too. Then
                many of one address may be looked at at the same moment.

        Raises:
            Throttled: There were too many tries; this one must not be looked at.
        """
        counters = self._of_login(name, client, device, settles=settles)
        for place, counter in enumerate(counters):
            wait = self._spend(counter)
            if wait:
                for taken in counters[:place]:
                    self.settle(taken, for_good=False)
                self._refuse(counter, wait, client, subject)
        return Attempt(self, counters)

    def request(self, client: Client, *, device: str | None = None) -> None:
        """Count something that an address asks for and that costs us a mail or a hash.

        Args:
            client: Who asks.
            device: The id of the device, if it is known to be the owner's: it is counted apart from its address.

        Raises:
            Throttled: The address has asked for too much.
        """
        if device is None and network(client.address) == UNKNOWN:
            return
        burst = self._settings.requests_per_hour
        kind, who = ("requests", network(client.address)) if device is None else ("device_requests", device)
        counter = Counter(kind, _key(kind, who), _HOUR / burst, burst)
        wait = self._spend(counter)
        if wait:
            self._refuse(counter, wait, client, "")

    def allows_mail(
        self, name: str, *, purpose: str = "", client: Client | None = None, device: str | None = None
    ) -> bool:
        """Count a mail that anybody can ask for, and tell whether it may be sent.

        Args:
            name: Whose mailbox it is sent to.
            purpose: What it is for; each is counted apart.
            client: Who asks. Each address has mails of its own, up to a total of all.
            device: The id of the device, if it is known to be the owner of the mailbox's: no stranger uses up what
                such devices may ask for.
        """
        kind, who = (
            ("mails", network(client.address if client else None)) if device is None else (_DEVICE_MAILS, device)
        )
        own = self._of_mails(kind, who, purpose, name)
        total = self._of_mails(f"all_{kind}", purpose, name, times=_TOTAL)
        if client is not None and who == UNKNOWN:
            return not self._spend(total)
        return not self._spend(own) and not self._spend(total)

    def allows(self, kind: str, name: str, *, burst: int, interval: timedelta) -> bool:
        """Count something of a kind of its own, and tell whether it may be done.

        Args:
            kind: What is counted; a feature takes its own name.
            name: Whose it is.
            burst: How many there may be at once.
            interval: After how long there may be one more.
        """
        return not self._spend(Counter(kind, _key(kind, name), interval, burst))

    def forgive(self, kind: str, name: str) -> None:
        """Forget what :meth:`allows` has counted."""
        self._counters.reset_count(_key(kind, name))

    def settle(self, counter: Counter, *, for_good: bool) -> None:
        """Put a counter at rest, or give back the one unit that a try has taken."""
        if for_good:
            self._counters.reset_count(counter.key)
            return
        self._counters.refund(counter.key, now=self._clock(), interval=counter.interval)

    def take_rest(self, counter: Counter) -> None:
        """Take what a failure costs besides what the try has taken, even where there is not so much."""
        if counter.rest:
            self._counters.spend(counter.key, now=self._clock(), interval=counter.rest, burst=_NO_BOUND)

    def _of_login(self, name: str, client: Client, device: str | None, *, settles: bool) -> tuple[Counter, ...]:
        has, where = self._settings, network(client.address)
        if device is not None:
            return (
                Counter("device", _key("device", device, name), has.pair_interval, has.pair_burst),
                Counter("device_login", _key("device_login", device, name), has.login_interval, has.login_burst),
            )
        of_account = (
            Counter("account", _key("account", name), has.account_interval, has.account_burst),
            Counter("login", _key("login", name), has.login_interval, has.login_burst),
        )
        if where == UNKNOWN:
            return of_account
        parts = _UNDER_WAY if settles else 1
        part, rest = has.address_interval / parts, has.address_interval * (parts - 1) / parts
        return (
            Counter("pair", _key("pair", name, where), has.pair_interval, has.pair_burst),
            Counter("address", _key("address", where), part, has.address_burst * parts, rest),
            *of_account,
        )

    def _of_mails(self, kind: str, *parts: str, times: int = 1) -> Counter:
        burst = self._settings.mails_per_hour * times
        return Counter(kind, _key(kind, *parts), _HOUR / burst, burst)

    def _spend(self, counter: Counter) -> timedelta:
        return self._counters.spend(counter.key, now=self._clock(), interval=counter.interval, burst=counter.burst)

    def _refuse(self, counter: Counter, wait: timedelta, client: Client, subject: str) -> None:
        # The settings above are read at every start; what is told of needs all events to be there.
        from admit.events import Throttling

        self._events.publish(Throttling(at=self._clock(), subject=subject, counter=counter.kind, client=client))
        raise Throttled(max(1, math.ceil(wait.total_seconds())))


def forget(counters: CounterStore, names: Iterable[str], *, kinds: Iterable[str], devices: Iterable[str]) -> None:
    """Forget what is counted of an account; what is counted of it together with an address comes to rest by itself.

    Args:
        counters: What counts.
        names: What it is counted under: its id, and the canonical forms of its names.
        kinds: What is counted besides, as :meth:`Throttle.allows` was told, and what mails were for.
        devices: The ids of the devices that it knows.

    .. versionadded:: 0.2
    """
    kinds, devices = list(kinds), list(devices)
    counted: list[tuple[str, ...]] = [("account",), ("login",)]
    counted += [found for kind in kinds for found in ((kind,), ("all_mails", kind), (f"all_{_DEVICE_MAILS}", kind))]
    counted += [(kind, one) for kind in ("device", "device_login") for one in devices]
    counted += [(_DEVICE_MAILS, one, kind) for one in devices for kind in kinds]
    for name in names:
        for kind, *parts in counted:
            counters.reset_count(_key(kind, *parts, name))


@lru_cache(maxsize=256)
def read_address(text: str) -> str | None:
    """Return the address in a text, without brackets and port, or ``None`` if there is none."""
    inner, bracket, rest = text.partition("]")
    if bracket and inner.startswith("[") and (not rest or _is_port(rest)):
        tries = [inner[1:]]
    else:
        # Some proxies write a port behind an IPv6 address without brackets.
        host, colon, port = text.rpartition(":")
        tries = [text, host] if _is_port(colon + port) else [text]
    return next((one for one in tries if _is_address(one)), None)


def network(address: str | None) -> str:
    """Return what an address is counted as: itself, or the /64 that one customer of IPv6 has to choose from."""
    found = read_address(address or "")
    if found is None:
        return UNKNOWN
    parsed = ip_address(found.partition("%")[0])
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped or ip_network((parsed, 64), strict=False))


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6  # noqa: PLR2004 -- ":65535"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _key(kind: str, *parts: str) -> str:
    # Hashed: names of any length and content take the same space, and a leak of counters tells no addresses.
    text = "\0".join(parts)
    return f"{kind}:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:40]}"
