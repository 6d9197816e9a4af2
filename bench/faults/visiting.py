"""What visitors do: they sign in, look around, end sessions, change passwords, race, and leave."""

from __future__ import annotations

import random
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.faults.clients import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.faults.clients import Person
    from bench.faults.history import History
    from bench.faults.site import Site

__all__ = ["Visitor", "visited"]

#: The longest breath between two requests, in seconds.
_BREATH = 0.25
_RACERS = 3
#: How many ended sessions are tried again, and how many live on through it all.
_GRAVES, _RESIDENTS = 60, 12
#: How old the secret of a request that was on its way may be, in seconds.
_SOON = 3.0


class Visitor:
    """One who visits again and again, each time as somebody else.

    Args:
        site: What they visit.
        history: Where it is kept.
        people: Who they may be; who is away is nobody else.
        graves: Clients whose sessions have ended.
        residents: Clients whose sessions live on.
        chance: Decides what they do.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- what a visitor shares with others
        self,
        site: Site,
        history: History,
        people: deque[Person],
        graves: deque[Client],
        residents: deque[Client],
        chance: random.Random,
    ) -> None:
        self._site = site
        self._history = history
        self._people = people
        self._graves = graves
        self._residents = residents
        self._chance = chance
        self._tabs = ThreadPoolExecutor(_RACERS)

    def go_on(self) -> None:
        """Visit until the clients stop."""
        with self._tabs:
            while not self._history.stop.is_set():
                person = self._people.popleft()
                self._visit(person)
                self._people.append(person)
                self._call_on_a_resident()
                self._look_into_a_grave()

    def _visit(self, person: Person) -> None:
        here = self._client(person)
        if not here.enter():
            self._breathe()
            return
        for _ in range(self._chance.randrange(2, 6)):
            self._breathe()
            self._chance.choice([here.look, here.look, here.devices, lambda: self._together(here)])()
        acts = [self._leave, self._end_one, self._end_others, self._change, self._change_and_sign_in]
        self._chance.choice([*acts, self._race_to_take, self._race_to_confirm])(here)
        self._breathe()
        here.look()
        self._leave(here)

    def _leave(self, here: Client) -> None:
        gone = here.copy()
        if here.sign_out().is_unknown:
            here.sign_out()
        self._bury(gone)

    def _end_one(self, here: Client) -> None:
        there = self._client(here.person)
        if there.enter():
            there.look()
            here.end_one(there.session)
            self._bury(there)

    def _end_others(self, here: Client) -> None:
        others = [self._client(here.person) for _ in range(2)]
        inside = [one for one in others if one.enter()]
        here.end_others()
        for one in inside:
            self._bury(one)

    def _change(self, here: Client) -> None:
        there, before = self._client(here.person), here.copy()
        is_in = there.enter()
        here.change()
        for gone in [there, before] if is_in else [before]:
            self._bury(gone)

    def _change_and_sign_in(self, here: Client) -> None:
        """Change the password while others sign in by the old one."""
        others = [self._client(here.person) for _ in range(_RACERS - 1)]
        old = here.person.may_count[-1]
        tries = [self._tabs.submit(one.sign_in, old) for one in others]
        here.change()
        for one, done in zip(others, tries, strict=True):
            if done.result().is_done:
                self._bury(one)

    def _race_to_take(self, here: Client) -> None:
        token = here.issue()
        if token:
            racers = [here.copy() for _ in range(_RACERS)]
            list(self._tabs.map(lambda one: one.take(token), racers))

    def _race_to_confirm(self, here: Client) -> None:
        before, racers = here.copy(), [here.copy() for _ in range(_RACERS)]
        race = f"session {here.session}"
        done = list(self._tabs.map(lambda one: one.confirm(race), racers))
        for one, operation in zip(racers, done, strict=True):
            if operation.is_done:
                here.take_over(one)
        self._bury(before)

    def _together(self, here: Client) -> None:
        """Ask in several tabs at once, which share the cookies of whichever answer comes last, and once more."""
        late, began = here.copy(), self._history.now()
        list(self._tabs.map(lambda _: here.look(), range(_RACERS)))
        # A request that was on its way meanwhile, with the secret of before; no later than a grace allows.
        if self._history.now() - began < _SOON:
            late.look()

    def _bury(self, gone: Client) -> None:
        gone.look()
        self._graves.append(gone)

    def _look_into_a_grave(self) -> None:
        if self._graves:
            gone = self._chance.choice(list(self._graves))
            gone.copy().look()

    def _call_on_a_resident(self) -> None:
        resident = self._residents.popleft()
        if not resident.session or resident.look().is_refused:
            resident.enter()
        elif self._chance.random() < 0.5:
            self._together(resident)
        self._residents.append(resident)

    def _client(self, person: Person) -> Client:
        return Client(self._site, self._history, person, self._chance)

    def _breathe(self) -> None:
        self._history.wait(self._chance.random() * _BREATH)


@contextmanager
def visited(site: Site, history: History, *, visitors: int, seed: int = 7) -> Iterator[list[BaseException]]:
    """Let so many visit until the block ends; yields what made any of them give up, which is a fault of the bench."""
    given_up: list[BaseException] = []
    first = random.Random(seed)  # noqa: S311 -- no secrets
    chances = [random.Random(first.random()) for _ in range(_RESIDENTS)]  # noqa: S311
    residents = deque(Client(site, history, site.people.pop(), chance) for chance in chances)
    people, graves = deque(site.people), deque[Client](maxlen=_GRAVES)

    def visit(chance: random.Random) -> None:
        try:
            Visitor(site, history, people, graves, residents, chance).go_on()
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it must not go unnoticed
            given_up.append(error)

    threads = [
        threading.Thread(target=visit, args=(random.Random(first.random()),), name="visitor")  # noqa: S311
        for _ in range(visitors)
    ]
    for thread in threads:
        thread.start()
    try:
        yield given_up
    finally:
        history.stop.set()
        for thread in threads:
            thread.join()
