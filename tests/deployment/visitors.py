"""What visitors do: sign in, look around, end other sessions, choose a new password by mail, sign out."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.deployment.browsers import Browser, Fault, Journal, Stopped, Surprise
from tests.deployment.site import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.deployment.site import Site

__all__ = ["Crowd", "Witness", "crowd"]

_API = "/api/account"
_PAGE = "/account"
_WRONG = "the password of somebody else 5"
# How long a process may believe its near cache, as documented.
_BOUND = 5.0
_REFUSALS = 4
# What an account is sent in an hour is five mails, and each reset takes two.
_RESETS = 2
_MAIL_PATIENCE = 20.0


@dataclass
class Person:
    """Somebody who has an account."""

    address: str
    password: str = PASSWORD
    resets: int = 0


class Witness:
    """A session that nobody ends, and one of the same person that was ended: neither may change, whatever breaks."""

    def __init__(self, site: Site, journal: Journal, person: Person) -> None:
        self._journal = journal
        self._person = person
        self._here, self._ended = Browser(site.port, journal), Browser(site.port, journal)
        sign_in(self._ended, person)
        sign_in(self._here, person)
        end_others(self._here, self._ended, journal)

    def testify(self) -> None:
        """Look whether the one is still in, and the other still out."""
        look(self._here, self._person, self._journal)
        self._ended.get(f"{_API}/", 401)


class Visitor:
    """One who visits again and again, each time as somebody else.

    Args:
        site: What they visit.
        journal: Where the answers are noted.
        people: Who they may be.
        chance: Decides what they do.
        breath: How many seconds they wait between two requests, at most.
    """

    def __init__(
        self, site: Site, journal: Journal, people: deque[Person], chance: random.Random, breath: float
    ) -> None:
        self._site = site
        self._journal = journal
        self._people = people
        self._chance = chance
        self._breath = breath

    def go_on(self) -> None:
        """Visit until the traffic ends."""
        while not self._journal.stop.is_set():
            person = self._people.popleft()
            # What became of a request that got no answer is not known: not of the password either.
            with suppress(Fault, Surprise):
                self._visit(person)
                self._people.append(person)

    def _visit(self, person: Person) -> None:
        here = Browser(self._site.port, self._journal)
        here.get(f"{_PAGE}/sign-in")
        if self._chance.random() < 0.3:
            here.send(f"{_API}/sign-in", {"identifier": person.address, "password": _WRONG}, 401)
        sign_in(here, person)
        self._look_around(here, person)
        act = self._chance.choices([self._revoke, self._reset, self._change, self._leave], [4, 2, 1, 3])[0]
        act(here, person)

    def _look_around(self, here: Browser, person: Person) -> None:
        for _ in range(self._chance.randrange(3, 12)):
            self._journal.stop.wait(self._chance.random() * self._breath)
            look(here, person, self._journal)
        here.get(f"{_PAGE}/devices")

    def _revoke(self, here: Browser, person: Person) -> None:
        there = Browser(self._site.port, self._journal)
        sign_in(there, person)
        look(there, person, self._journal)
        end_others(here, there, self._journal)
        look(here, person, self._journal)
        self._leave(here, person)

    def _change(self, here: Browser, person: Person) -> None:
        body = {"old_password": person.password, "password": self._new_password()}
        here.send(f"{_API}/password", body)
        person.password = body["password"]
        look(here, person, self._journal)
        self._leave(here, person)

    def _leave(self, here: Browser, person: Person) -> None:
        del person
        here.send(f"{_API}/sign-out", {}, 204)
        here.get(f"{_API}/", 401)

    def _reset(self, here: Browser, person: Person) -> None:
        if person.resets == _RESETS:
            self._leave(here, person)
            return
        person.resets += 1
        mailed, old = Browser(self._site.port, self._journal), person.password
        token = self._mailed_token(mailed, person)
        mailed.get(f"{_PAGE}/password-reset/{token}", 303)
        mailed.get(f"{_PAGE}/password-reset/choose")
        new = self._new_password()
        mailed.submit(f"{_PAGE}/password-reset/choose", {"password": new})
        person.password = new
        wait_until_out(here, self._journal)
        mailed.send(f"{_API}/sign-in", {"identifier": person.address, "password": old}, 401)
        sign_in(mailed, person)
        look(mailed, person, self._journal)

    def _mailed_token(self, mailed: Browser, person: Person) -> str:
        letters = self._site.letters
        letters.throw_away(person.address, "password-reset")
        asked_at = time.monotonic()
        mailed.send(f"{_API}/password-reset", {"identifier": person.address}, 202)
        token = letters.next_link(person.address, "password-reset", _MAIL_PATIENCE)
        if token is None:
            # It may have been in the queue of a process that was killed: then it is lost with what was in flight.
            self._journal.fail("a mail", asked_at, "no mail")
        return str(token)

    def _new_password(self) -> str:
        return f"another phrase of nobody {self._chance.getrandbits(64):x}"


def sign_in(browser: Browser, person: Person) -> None:
    """Sign in by the right password."""
    browser.send(f"{_API}/sign-in", {"identifier": person.address, "password": person.password})


def look(browser: Browser, person: Person, journal: Journal) -> None:
    """Look at one's own account, which is nobody else's."""
    found = browser.get(f"{_API}/").json
    if found["email"] != person.address:
        journal.surprise(f"{person.address} was shown the account of {found['email']}")


def end_others(here: Browser, there: Browser, journal: Journal) -> None:
    """End the other session, and see it refused within the bound."""
    ended = here.send(f"{_API}/devices", {}, method="DELETE").json["ended"]
    if ended < 1:
        journal.surprise("a session was not ended")
    wait_until_out(there, journal)


def wait_until_out(browser: Browser, journal: Journal) -> None:
    """Ask until the session is refused, several times, so that each worker has refused it."""
    ended_at, believed_at, refused = time.monotonic(), 0.0, 0
    while refused < _REFUSALS:
        asked_at = time.monotonic() - ended_at
        if browser.get(f"{_API}/", 200, 401).status == HTTPStatus.UNAUTHORIZED:
            refused += 1
            continue
        believed_at, refused = asked_at, 0
        if believed_at > _BOUND:
            journal.surprise(f"a session that was ended was let in {believed_at:.1f} s later")
    journal.believed.append(believed_at)


@dataclass
class Crowd:
    """All visitors, and what they have seen."""

    journal: Journal
    witnesses: list[Witness]
    look_again: Callable[[], None]


@contextmanager
def crowd(site: Site, *, clients: int, witnesses: int, breath: float, seed: int = 5) -> Iterator[Crowd]:
    """Let so many visitors come until the block ends.

    Args:
        site: What they visit.
        clients: How many visit at the same time.
        witnesses: How many sessions last, and are looked at all the time.
        breath: How many seconds a visitor waits between two requests, at most.
        seed: What their choices are made from.
    """
    journal = Journal()
    people = deque(map(Person, site.people))
    watching = [Witness(site, journal, people.popleft()) for _ in range(witnesses)]

    def watch() -> None:
        while not journal.stop.is_set():
            look_at(watching, journal)

    def until_the_end(go_on: Callable[[], None]) -> None:
        try:
            go_on()
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001 -- whatever it is, a visitor who gives up must not go unnoticed
            with suppress(Surprise):
                journal.surprise(f"a visitor gave up: {error!r}")

    visitors = [Visitor(site, journal, people, random.Random(seed + number), breath) for number in range(clients)]  # noqa: S311 -- no secrets
    threads = [
        threading.Thread(target=until_the_end, args=(go_on,)) for go_on in (watch, *(one.go_on for one in visitors))
    ]
    for thread in threads:
        thread.start()
    try:
        yield Crowd(journal, watching, lambda: look_at(watching, journal))
    finally:
        journal.stop.set()
        for thread in threads:
            thread.join()


def look_at(witnesses: list[Witness], journal: Journal) -> None:
    """Ask each witness once."""
    for one in witnesses:
        with suppress(Fault, Surprise):
            one.testify()
        journal.stop.wait(0.1)
