"""What every store of events has to do, as tests: the executable form of :class:`admit.store.EventStore`."""
# ruff: noqa: PLR2004 -- the number that a test expects is best read where it is expected

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from admit.chain import BEGINNING, Ends, verify
from admit.model import Client, Outcome
from admit.testing.contract import Contract
from admit.testing.racing import close
from admit.testing.samples import NOW, an_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from admit.model import EventRecord
    from admit.store import EventStore
    from admit.testing.racing import Crew

    Opener = Callable[[], EventStore]

__all__ = ["EventContract"]

_ROUNDS = 10


def _added(store: EventStore, *records: EventRecord) -> list[EventRecord]:
    for record in records:
        store.add_event(record)
    return [*records]


def _whole(store: EventStore) -> int:
    """Return how many links the chain has, which holds."""
    verdict = verify(store, batch=7)
    assert verdict.holds, verdict
    return verdict.checked


class EventContract(Contract):
    """Subclass it, and give it a fixture ``opener`` as for :class:`admit.testing.StoreContract`.

    .. versionadded:: 0.2
    """

    def test_nothing_is_a_chain(self, store: EventStore) -> None:
        """A store without a record has a chain that ends where it begins, and nothing to list, erase or purge."""
        assert store.get_ends() == Ends(0, BEGINNING, 0, BEGINNING)
        assert list(store.list_events()) == list(store.read_chain(after=0)) == []
        assert store.erase_events("ada") == store.purge_events(before=NOW) == 0
        assert _whole(store) == 0

    def test_what_is_added_is_returned(self, store: EventStore) -> None:
        """Every field of a record comes back as it was, whatever clients have put into it, in the order of adding."""
        full = an_event(
            at=datetime(2100, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
            name="a name: {x}",
            outcome=Outcome.FAILURE,
            reason="quote\"' %s ü",
            subject="Ünïcode|ユーザー " * 5,
            actor="admin:\x00\n\x1b[31m\u2028\ud800",
            client=Client("::1", "\x00\ud800" * 200),
            details={"": "", "quote\"'": "\x00\n", "half": "\ud800"},
        )
        bare = an_event(method=None, subject="", actor=None, session=None, client=Client())
        records = _added(store, an_event(), full, bare, an_event(at=NOW - timedelta(days=9000)))
        assert [link.record for link in store.read_chain(after=0)] == records
        assert [link.record for link in store.list_events()] == records[::-1]
        assert _whole(store) == len(records)

    def test_each_link_holds_the_one_before(self, store: EventStore) -> None:
        """Numbers go up by one, each link has the hash of the one before, and the ends say what the last one is."""
        _added(store, *[an_event()] * 5)
        links = list(store.read_chain(after=0))
        assert [link.number for link in links] == [1, 2, 3, 4, 5]
        assert [link.previous for link in links] == [BEGINNING, *(link.hash for link in links[:-1])]
        assert all(link.is_whole and not link.is_erased for link in links)
        assert len({link.salt for link in links}) == len({link.personal_hash for link in links}) == len(links)
        assert store.get_ends() == Ends(0, BEGINNING, 5, links[-1].hash)
        assert [link.number for link in store.read_chain(after=2, limit=2)] == [3, 4]

    def test_listing_is_paged_and_narrowed(self, store: EventStore) -> None:
        """A list begins with the latest, goes on before a number, and is narrowed to a subject, a session or both."""
        _added(store, *(an_event(subject="ab"[turn % 2], session="xyz"[turn % 3]) for turn in range(12)))
        expected: list[tuple[dict[str, Any], Iterable[int]]] = [
            ({}, range(12, 0, -1)),
            ({"subject": "b"}, range(12, 0, -2)),
            ({"session": "z"}, range(12, 0, -3)),
            ({"subject": "b", "session": "z"}, [12, 6]),
            ({"subject": "c"}, []),
        ]
        for narrowed, numbers in expected:
            wanted = [*numbers]
            assert [link.number for link in store.list_events(**narrowed)] == wanted
            assert [link.number for link in store.list_events(**narrowed, limit=2)] == wanted[:2]
            assert [link.number for link in store.list_events(**narrowed, before=7)] == [
                number for number in wanted if number < 7
            ]

    def test_subjects_are_compared_to_the_letter(self, store: EventStore) -> None:
        """Subjects that differ in case, in a space, in an accent's spelling or by a pattern are different people."""
        names = ["", "7", "07", "a", "A", "a ", " a", "e\u0301", "\u00e9", "a%", "a*", "_", "\n", "' OR ''='"]
        _added(store, *(an_event(subject=name) for name in names))
        for name in names:
            assert [link.record.subject for link in store.list_events(subject=name)] == [name]
            assert store.erase_events(name) == 1
        assert list(store.list_events(subject="nobody\x00")) == []

    def test_erasing_leaves_the_chain(self, store: EventStore) -> None:
        """What is erased is gone in every field that is personal, nobody else's is, and the chain holds as before."""
        _added(store, *(an_event(subject=name, details={"a": "b"}) for name in ("ada", "bob", "ada")))
        ends = store.get_ends()
        assert store.erase_events("ada") == 2
        assert store.erase_events("ada") == 0
        first, second, third = store.read_chain(after=0)
        for link in (first, third):
            assert link.is_erased
            assert link.is_whole
            assert link.record == an_event(subject="", actor=None, session=None, client=Client())
        assert second.record == an_event(subject="bob", details={"a": "b"})
        assert store.get_ends() == ends
        assert verify(store).erased == 2
        assert [len(store.list_events(subject=name)) for name in ("ada", "bob", "")] == [0, 1, 0]
        _added(store, an_event())
        assert _whole(store) == 4

    def test_purging_leaves_the_chain(self, store: EventStore) -> None:
        """The oldest are removed in batches, up to the first that is younger, and the chain begins behind them."""
        ages = [9, 8, 7, 1, 6, 0]
        _added(store, *(an_event(at=NOW - timedelta(days=age)) for age in ages))
        assert store.purge_events(before=NOW - timedelta(days=9)) == 0
        assert [store.purge_events(before=NOW - timedelta(days=5), batch=2) for _ in range(3)] == [2, 1, 0]
        links = list(store.read_chain(after=0))
        assert [link.number for link in links] == [4, 5, 6]
        assert store.get_ends() == Ends(3, links[0].previous, 6, links[-1].hash)
        assert _whole(store) == 3
        assert store.purge_events(before=NOW + timedelta(1)) == 3
        assert _whole(store) == 0
        _added(store, an_event())
        assert [link.number for link in store.list_events()] == [7]
        assert _whole(store) == 1

    def test_many_are_erased_and_purged(self, store: EventStore) -> None:
        """More than a store does at once are all erased and removed, and no more than it was told to."""
        _added(store, *[an_event()] * 350)
        assert store.erase_events("ada") == 350
        assert store.purge_events(before=NOW + timedelta(1), batch=340) == 340
        assert _whole(store) == 10

    def test_another_object_sees_the_same(self, opener: Opener, store: EventStore) -> None:
        """What one object keeps another that was opened on the same storage knows, and goes on with its chain."""
        if not self.shared:
            return
        first = opener()
        [record] = _added(first, an_event())
        close(first)
        assert [link.record for link in store.list_events()] == [record]
        _added(store, an_event())
        assert _whole(store) == 2

    # -- races -----------------------------------------------------------------------------------

    def test_there_is_one_chain(self, opener: Opener, store: EventStore, crew: Crew) -> None:
        """However many append at once, all records are in one chain, and those of each in their order."""
        rounds = [[an_event(subject=f"{racer}", reason=f"{turn}") for racer in range(crew.size)] for turn in range(20)]
        crew.race(opener, store, [[methodcaller("add_event", one) for one in each] for each in rounds])
        assert _whole(store) == crew.size * len(rounds)
        for racer in range(crew.size):
            reasons = [link.record.reason for link in store.list_events(subject=f"{racer}")]
            assert reasons == [f"{turn}" for turn in reversed(range(len(rounds)))]

    def test_it_holds_whatever_is_done_at_once(self, opener: Opener, store: EventStore, crew: Crew) -> None:
        """While some append, others erase, purge and verify; nobody finds a flaw, and none is left."""
        _added(store, *(an_event(at=NOW - timedelta(days=1), subject="bob") for _ in range(30)))
        moves: list[Callable[[Any], Any]] = [
            methodcaller("erase_events", "bob"),
            methodcaller("purge_events", before=NOW, batch=3),
            verify,
            *[methodcaller("add_event", an_event())] * (crew.size - 3),
        ]
        results = crew.race(opener, store, [moves] * _ROUNDS)
        assert all(each[2].holds for each in results)
        assert sum(each[0] for each in results) <= 30
        assert sum(each[1] for each in results) == 30
        assert _whole(store) == _ROUNDS * (crew.size - 3)
