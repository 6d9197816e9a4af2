"""What every store of credentials has to do, as tests: the executable form of :class:`admit.store.CredentialStore`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from operator import methodcaller
from typing import TYPE_CHECKING

from admit.testing.contract import Contract
from admit.testing.machines import run_credentials_beside_memory
from admit.testing.racing import close
from admit.testing.samples import NOW, a_credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Credential
    from admit.store import CredentialStore
    from admit.testing.racing import Crew

    Opener = Callable[[], CredentialStore]

__all__ = ["CredentialContract"]

_ROUNDS = 10
_OTHER = "another one"


def _added(store: CredentialStore, *credentials: Credential) -> list[Credential]:
    for credential in credentials:
        assert store.add_credential(credential)
    return [*credentials]


def _look(store: CredentialStore, credential: Credential) -> Credential | None:
    return store.get_credential(credential.kind, credential.key)


class CredentialContract(Contract):
    """Subclass it, and give it a fixture ``opener`` as for :class:`admit.testing.StoreContract`.

    .. versionadded:: 0.2
    """

    def test_what_is_added_is_returned(self, store: CredentialStore) -> None:
        """Every field of a credential comes back as it was, to the microsecond."""
        details = {"": "", "name": "Ünïcode|ユーザー", "half": "\ud800", "zero": "\x00", "transports": '["usb"]'}
        used_at = NOW + timedelta(microseconds=1)
        full = a_credential(
            kind="a kind: {x}",
            key="k" * 500,
            subject="Ünï",
            secret="s" * 4000,
            used_at=used_at,
            details=details,
            revision=7,
        )
        for credential in _added(store, a_credential(), full, a_credential(kind="", key="", subject="", secret="")):
            assert _look(store, credential) == credential
            assert list(store.list_credentials(credential.subject)) == [credential]

    def test_absence_is_none_or_false(self, store: CredentialStore) -> None:
        """Every verb says of an unknown credential that there is none, and raises nothing."""
        credential = a_credential()
        assert _look(store, credential) is None
        assert list(store.list_credentials("ada")) == []
        assert not store.replace_credential(credential, credential)
        assert not store.delete_credential(credential.id)
        assert _look(store, credential) is None

    def test_keys_that_are_no_keys(self, store: CredentialStore) -> None:
        """A key with characters that mean something to a database finds nothing and breaks nothing."""
        _added(store, a_credential())
        for odd in ("", "'", "' OR ''='", "%", "*", "{x}", "\x00", "é" * 300):
            assert store.get_credential("password", odd) is None
            assert store.get_credential(odd, "ada") is None
            assert list(store.list_credentials(odd)) == []

    def test_a_key_is_unique_within_its_kind(self, store: CredentialStore) -> None:
        """A second credential of one kind with one key is refused, whoever's it is, and the first one stays."""
        [first] = _added(store, a_credential(key="k"))
        assert not store.add_credential(a_credential(key="k"))
        assert not store.add_credential(a_credential(key="k", subject="grace"))
        _added(store, a_credential(kind="totp", key="k"), a_credential(key="K"), a_credential(key="k "))
        assert store.get_credential("password", "k") == first
        assert store.delete_credential(first.id)
        assert store.get_credential("password", "k") is store.get_credential("TOTP", "k") is None
        assert list(store.list_credentials("grace")) == []

    def test_an_id_is_unique(self, store: CredentialStore) -> None:
        """A second credential with one id is refused."""
        [first] = _added(store, a_credential())
        second = a_credential(id=first.id, kind="totp")
        assert not store.add_credential(second)
        assert _look(store, second) is None
        assert _look(store, first) == first

    def test_lists_by_subject_oldest_first(self, store: CredentialStore) -> None:
        """A subject's credentials are listed oldest first, of all kinds, and those of others are not."""
        ages = [3, 1, 2, 0]
        mine = _added(store, *(a_credential(kind=f"kind {age}", created_at=NOW - timedelta(age)) for age in ages))
        [other] = _added(store, a_credential(subject="ad"))
        assert list(store.list_credentials("ada")) == sorted(mine, key=lambda one: one.created_at)
        assert list(store.list_credentials("ad")) == [other]

    def test_they_are_compared_and_swapped(self, store: CredentialStore) -> None:
        """A credential is replaced only where the revision that was read still stands."""
        [first] = _added(store, a_credential(details={"a": "1"}))
        used_at = NOW + timedelta(hours=1)
        new = replace(first, secret=_OTHER, used_at=used_at, details={"b": "2"}, created_at=NOW - timedelta(1))
        assert store.replace_credential(first, new)
        assert not store.replace_credential(first, new)
        written = replace(new, revision=1)
        assert _look(store, first) == written
        assert not store.replace_credential(replace(first, revision=2), new)
        assert store.replace_credential(written, first)
        assert list(store.list_credentials("ada")) == [replace(first, revision=2)]

    def test_what_it_is_never_changes(self, store: CredentialStore) -> None:
        """Id, kind, key and subject stay, whatever the new value says, and others are untouched."""
        first, other = _added(store, a_credential(), a_credential())
        new = a_credential(id=other.id, kind="totp", key=other.key, subject="grace", secret=_OTHER, revision=9)
        assert store.replace_credential(first, new)
        expected = replace(first, secret=_OTHER, revision=1)
        assert _look(store, first) == expected
        assert _look(store, new) is None
        assert _look(store, other) == other
        assert list(store.list_credentials("grace")) == []

    def test_what_was_deleted_is_gone_for_every_verb(self, store: CredentialStore) -> None:
        """Nothing brings a credential back, and its key may be used again."""
        gone, other = _added(store, a_credential(), a_credential())
        assert store.delete_credential(gone.id)
        assert not store.delete_credential(gone.id)
        assert not store.replace_credential(gone, gone)
        assert _look(store, gone) is None
        assert list(store.list_credentials("ada")) == [other]
        _added(store, a_credential(key=gone.key))

    def test_another_object_sees_the_same(self, opener: Opener, store: CredentialStore) -> None:
        """What one object keeps another that was opened on the same storage knows, also after the first is closed."""
        if not self.shared:
            return
        first = opener()
        [credential] = _added(first, a_credential())
        close(first)
        assert _look(store, credential) == credential

    # -- races -----------------------------------------------------------------------------------

    def test_one_caller_adds_a_key(self, opener: Opener, store: CredentialStore, crew: Crew) -> None:
        """Of credentials with one key that are added at once exactly one is kept."""
        rounds = [[a_credential(key=f"k{number}") for _ in range(crew.size)] for number in range(_ROUNDS)]
        moves = [[methodcaller("add_credential", one) for one in each] for each in rounds]
        for each, won in zip(rounds, crew.race(opener, store, moves), strict=True):
            assert won.count(True) == 1
            assert _look(store, each[0]) == each[won.index(True)]
        assert len(store.list_credentials("ada")) == _ROUNDS

    def test_one_caller_replaces_it(self, opener: Opener, store: CredentialStore, crew: Crew) -> None:
        """Of many callers who replace one credential one wins: a code or a sign count can't be used twice."""
        credentials = _added(store, *(a_credential() for _ in range(_ROUNDS)))
        moves = [
            [methodcaller("replace_credential", one, replace(one, secret=f"{turn}")) for turn in range(crew.size)]
            for one in credentials
        ]
        for one, won in zip(credentials, crew.race(opener, store, moves), strict=True):
            assert won.count(True) == 1
            assert _look(store, one) == replace(one, secret=f"{won.index(True)}", revision=1)

    def test_one_caller_deletes_it(self, opener: Opener, store: CredentialStore, crew: Crew) -> None:
        """Of many callers who delete one credential one did it, and nobody who replaces it brings it back."""
        credentials = _added(store, *(a_credential() for _ in range(_ROUNDS)))
        moves = [
            [
                methodcaller("replace_credential", one, one),
                *[methodcaller("delete_credential", one.id)] * (crew.size - 1),
            ]
            for one in credentials
        ]
        for one, (_, *won) in zip(credentials, crew.race(opener, store, moves), strict=True):
            assert won.count(True) == 1
            assert _look(store, one) is None

    # -- the model -------------------------------------------------------------------------------

    def test_it_does_what_memory_does(self, store: CredentialStore) -> None:
        """In any order of verbs, the store answers what a dictionary in memory answers."""
        run_credentials_beside_memory(store)
