"""Known devices: friends are told from strangers, and nothing else comes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from admit.known_devices import KIND, KnownDevices
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
