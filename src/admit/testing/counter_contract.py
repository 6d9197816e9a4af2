"""What every store of counters has to do, as tests: the executable form of :class:`admit.store.CounterStore`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING

import pytest

from admit.store import SessionStore
from admit.testing.contract import Contract
from admit.testing.machines import run_counters_beside_memory
from admit.testing.racing import close
from admit.testing.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.store import CounterStore
    from admit.testing.racing import Crew

    Opener = Callable[[], CounterStore]

__all__ = ["CounterContract"]

_ZERO, _SECOND, _MINUTE = timedelta(0), timedelta(seconds=1), timedelta(minutes=1)
_BURST = 5
_ROUNDS = 6

_spend = partial(methodcaller, "spend", now=NOW, interval=_MINUTE)


def _spend_all(store: CounterStore, key: str, now: datetime = NOW, burst: int = _BURST) -> int:
    """Spend until there is nothing left, and return how much there was."""
    return [store.spend(key, now=now, interval=_MINUTE, burst=burst) for _ in range(2 * burst + 1)].count(_ZERO)


class CounterContract(Contract):
    """Subclass it, and give it a fixture ``opener`` as for :class:`admit.testing.StoreContract`.

    .. versionadded:: 0.2
    """

    processes = 8

    def test_a_burst_and_then_one_each_interval(self, store: CounterStore) -> None:
        """As many units as the burst has are there at once, and then one after each interval, to the microsecond."""
        assert _spend_all(store, "k") == _BURST
        assert store.spend("k", now=NOW, interval=_MINUTE, burst=_BURST) == _MINUTE
        just_before = NOW + _MINUTE - timedelta(microseconds=1)
        assert store.spend("k", now=just_before, interval=_MINUTE, burst=_BURST) == timedelta(microseconds=1)
        assert _spend_all(store, "k", NOW + _MINUTE) == 1
        assert _spend_all(store, "k", NOW + 3 * _MINUTE) == 2  # noqa: PLR2004 -- the minutes between
        assert _spend_all(store, "k", NOW + timedelta(days=1)) == _BURST

    def test_what_is_refused_costs_nothing(self, store: CounterStore) -> None:
        """However often somebody is refused, the wait is not longer for it."""
        _spend_all(store, "k")
        waits = {store.spend("k", now=NOW + _SECOND, interval=_MINUTE, burst=_BURST) for _ in range(20)}
        assert waits == {_MINUTE - _SECOND}

    @pytest.mark.parametrize("burst", [1, 2, 100])
    @pytest.mark.parametrize(
        "interval", [timedelta(microseconds=1), timedelta(microseconds=333_333), timedelta(days=30)]
    )
    def test_any_interval_and_burst(self, store: CounterStore, interval: timedelta, burst: int) -> None:
        """A unit each microsecond or each month, alone or in a burst, is counted alike."""
        waits = [store.spend("k", now=NOW, interval=interval, burst=burst) for _ in range(burst + 1)]
        assert waits == [_ZERO] * burst + [interval]
        assert store.spend("k", now=NOW + interval, interval=interval, burst=burst) == _ZERO

    def test_another_rate_counts_from_the_same_time(self, store: CounterStore) -> None:
        """What a counter is asked with may change: what was spent stays spent, as the time until it is at rest."""
        assert [store.spend("k", now=NOW, interval=_MINUTE, burst=2) for _ in range(2)] == [_ZERO] * 2
        assert store.spend("k", now=NOW, interval=_SECOND, burst=60) == 61 * _SECOND
        assert store.spend("k", now=NOW, interval=_MINUTE, burst=3) == _ZERO

    def test_times_are_arguments(self, store: CounterStore) -> None:
        """A counter of any century counts alike: the store has no clock to compare it with."""
        for year in (1999, 2100):
            at = datetime(year, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
            assert _spend_all(store, str(year), at) == _BURST
            assert store.spend(str(year), now=at, interval=_MINUTE, burst=_BURST) == _MINUTE

    def test_a_clock_that_is_behind_gains_nothing(self, store: CounterStore) -> None:
        """A machine whose clock is a little behind is told to wait so much longer."""
        assert _spend_all(store, "k") == _BURST
        assert store.spend("k", now=NOW - _SECOND, interval=_MINUTE, burst=_BURST) == _MINUTE + _SECOND

    def test_a_refund_gives_one_unit_back(self, store: CounterStore) -> None:
        """A unit that is given back can be spent again, once."""
        _spend_all(store, "k")
        store.refund("k", now=NOW, interval=_MINUTE)
        assert _spend_all(store, "k") == 1
        for _ in range(3):
            store.refund("k", now=NOW, interval=_MINUTE)
        assert _spend_all(store, "k") == 3  # noqa: PLR2004 -- the units above

    def test_refunds_make_no_credit(self, store: CounterStore) -> None:
        """However much is given back, there is never more than the burst."""
        store.spend("k", now=NOW, interval=_MINUTE, burst=_BURST)
        for key in ("k", "never spent"):
            for _ in range(10):
                store.refund(key, now=NOW, interval=_MINUTE)
            assert _spend_all(store, key) == _BURST
            assert store.spend(key, now=NOW, interval=_MINUTE, burst=_BURST) == _MINUTE

    def test_a_reset_puts_one_counter_at_rest(self, store: CounterStore) -> None:
        """After a reset the whole burst is there again, for this counter and no other."""
        for key in ("k", "other"):
            _spend_all(store, key)
        store.reset_count("k")
        store.reset_count("unknown")
        assert _spend_all(store, "k") == _BURST
        assert _spend_all(store, "other") == 0

    def test_keys_are_compared_to_the_letter(self, store: CounterStore) -> None:
        """Counters whose names differ in case, in a space or by a pattern are different ones."""
        names = [
            "",
            "a",
            "A",
            "a ",
            " a",
            "e\u0301",
            "\u00e9",
            "a%",
            "*",
            "{a}",
            "a:b",
            "'",
            "a\r\nFLUSHALL\r\n",
            "x" * 900,
        ]
        for name in names:
            assert _spend_all(store, name) == _BURST
        assert [_spend_all(store, name) for name in names] == [0] * len(names)

    def test_another_object_counts_on(self, opener: Opener, store: CounterStore) -> None:
        """What was spent through one object is spent for another that was opened on the same storage."""
        if not self.shared:
            return
        first = opener()
        assert _spend_all(first, "k") == _BURST
        close(first)
        assert _spend_all(store, "k") == 0

    def test_purge_forgets_what_is_at_rest(self, store: CounterStore) -> None:
        """A store that can be purged forgets counters that were at rest before, in batches, and no others."""
        if not isinstance(store, SessionStore):
            return
        for number in range(25):
            store.spend(f"at rest {number}", now=NOW, interval=_SECOND, burst=_BURST)
        _spend_all(store, "k")
        assert store.purge(before=NOW + _SECOND) == 0
        assert [store.purge(before=NOW + 2 * _SECOND, batch=10) for _ in range(4)] == [10, 10, 5, 0]
        assert _spend_all(store, "k") == 0

    # -- races -----------------------------------------------------------------------------------

    def test_no_spend_is_lost(self, opener: Opener, store: CounterStore, crew: Crew) -> None:
        """Of many who spend at once exactly as many get a unit as there are (attack 86)."""
        for turn, burst in enumerate((1, _BURST, 2 * crew.size + 1)):
            rounds = [[_spend(f"k{turn}", burst=burst)] * crew.size] * _ROUNDS
            waits = [wait for waits in crew.race(opener, store, rounds) for wait in waits]
            assert waits.count(_ZERO) == min(burst, crew.size * _ROUNDS)
            assert set(waits) <= {_ZERO, _MINUTE}

    def test_many_counters_at_once(self, opener: Opener, store: CounterStore, crew: Crew) -> None:
        """Counters that are new to everybody begin at once and are exact each."""
        rounds = [[_spend(f"k{turn}", burst=2)] * crew.size for turn in range(_ROUNDS * 3)]
        assert [waits.count(_ZERO) for waits in crew.race(opener, store, rounds)] == [2] * len(rounds)

    def test_no_refund_is_lost(self, opener: Opener, store: CounterStore, crew: Crew) -> None:
        """What many give back at once is all there again."""
        burst = crew.size * _ROUNDS
        assert _spend_all(store, "k", burst=burst) == burst
        crew.race(opener, store, [[methodcaller("refund", "k", now=NOW, interval=_MINUTE)] * crew.size] * (_ROUNDS - 1))
        assert _spend_all(store, "k", burst=burst) == burst - crew.size

    def test_spends_and_refunds_at_once(self, opener: Opener, store: CounterStore, crew: Crew) -> None:
        """Who spends while others give back loses nothing and gains nothing."""
        burst, half = crew.size * _ROUNDS, crew.size // 2
        for _ in range(half * _ROUNDS):
            store.spend("k", now=NOW, interval=_MINUTE, burst=burst)
        refund = methodcaller("refund", "k", now=NOW, interval=_MINUTE)
        moves = [*[_spend("k", burst=burst)] * half, *[refund] * (crew.size - half)]
        assert all(wait in {_ZERO, None} for waits in crew.race(opener, store, [moves] * _ROUNDS) for wait in waits)
        assert _spend_all(store, "k", burst=burst) == burst - half * _ROUNDS

    # -- the model -------------------------------------------------------------------------------

    def test_it_does_what_memory_does(self, store: CounterStore) -> None:
        """In any order of verbs, the store answers what a dictionary in memory answers."""
        run_counters_beside_memory(store)
