"""Known devices: friends are told from strangers, and nothing else comes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from admit.known_devices import KIND, KnownDevices
from admit.model import Client
from admit.stores.memory import MemoryStore
from admit.testing import Clock


@pytest.fixture
def store() -> MemoryStore:
    """Return an empty store."""
    return MemoryStore()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def devices(store: MemoryStore, clock: Clock) -> KnownDevices:
    """Return known devices over the store."""
    return KnownDevices(store, clock)


def test_a_mark_is_recognized_as_its_owners(devices: KnownDevices) -> None:
    """A device that was marked is known to its owner, among other marks and junk, and to nobody else."""
    mark = devices.mark("ada")
    known = devices.recognize(["junk", devices.mark("bob"), mark], "ada")
    assert known == mark.split(".")[0]
    assert devices.recognize([mark], "bob") is None
    assert devices.recognize([], "ada") is None


def test_a_mark_that_was_changed_is_unknown(devices: KnownDevices) -> None:
    """The id alone, or with another secret, is a stranger's."""
    mark, other = devices.mark("ada"), devices.mark("ada")
    assert devices.recognize([f"{mark.split('.')[0]}.{other.split('.')[1]}"], "ada") is None
    assert devices.recognize([mark.split(".")[0]], "ada") is None


def test_only_a_hash_is_kept(devices: KnownDevices, store: MemoryStore) -> None:
    """A leak of the store gives nobody a known device."""
    secret = devices.mark("ada").split(".")[1]
    [kept] = store.list_credentials("ada")
    assert kept.kind == KIND
    assert secret not in repr(vars(kept) if hasattr(kept, "__dict__") else kept.secret)


def test_they_are_forgotten(devices: KnownDevices) -> None:
    """All devices of one person can be made strangers, and no other's."""
    mine, others = devices.mark("ada"), devices.mark("bob")
    devices.forget("ada")
    assert devices.recognize([mine], "ada") is None
    assert devices.recognize([others], "bob") is not None


def test_there_is_a_bound(devices: KnownDevices, store: MemoryStore, clock: Clock) -> None:
    """Of many devices the one that was marked first makes room."""
    marks = []
    for _ in range(25):
        clock.advance(timedelta(seconds=1))
        marks.append(devices.mark("ada"))
    assert len(store.list_credentials("ada")) == 20
    assert [devices.recognize([mark], "ada") is None for mark in marks] == [True] * 5 + [False] * 20


# -- places -----------------------------------------------------------------------------------------------------------

HERE, THERE = Client("192.0.2.1", "harbour-cli/1.0"), Client("198.51.100.7", "harbour-cli/1.0")


def test_a_client_without_cookies_is_known_by_its_place(devices: KnownDevices) -> None:
    """A place is the network and what a client calls itself, of one subject, and has no mark."""
    assert devices.remember("ada", HERE) is None
    assert devices.knows("ada", (), HERE)
    assert devices.knows("ada", ("", "x"), HERE)
    for place in (THERE, Client("192.0.2.1", "another"), Client("192.0.2.1"), Client(None, "harbour-cli/1.0"), None):
        assert not devices.knows("ada", (), place)
    assert not devices.knows("bob", (), HERE)


def test_a_mark_counts_wherever_it_is_shown(devices: KnownDevices) -> None:
    """A device with a mark is known without a place, and from any."""
    mark = devices.remember("ada")
    assert mark is not None
    assert devices.knows("ada", (mark,))
    assert devices.knows("ada", (mark,), THERE)
    assert not devices.knows("ada", (), THERE)


def test_places_and_marks_make_no_room_for_each_other(devices: KnownDevices, clock: Clock) -> None:
    """A program that comes from ever more places pushes out the first of its places, and no device."""
    mark = devices.mark("ada")
    places = [Client(f"192.0.2.{number}", "cli") for number in range(25)]
    for place in places:
        clock.advance(timedelta(minutes=1))
        devices.remember("ada", place)
    assert [devices.knows("ada", (), place) for place in places] == [False] * 5 + [True] * 20
    assert devices.recognize((mark,), "ada")
    devices.forget("ada")
    assert not devices.knows("ada", (mark,), places[-1])
