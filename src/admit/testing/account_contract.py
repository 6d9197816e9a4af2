"""What every store of accounts has to do, as tests: the executable form of :class:`admit.store.AccountStore`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from admit.errors import IdentifierTaken, StoreError
from admit.model import Identifier, IdentifierKind
from admit.store import CredentialStore
from admit.testing.account_races import AccountRaces, added, named
from admit.testing.machines import run_accounts_beside_memory
from admit.testing.racing import close
from admit.testing.samples import NOW, a_credential, an_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.store import AccountStore

    Opener = Callable[[], AccountStore]

__all__ = ["AccountContract"]


class AccountContract(AccountRaces):
    """Subclass it, and give it a fixture ``opener`` as for :class:`admit.testing.StoreContract`.

    A store that is a :class:`admit.store.CredentialStore` too is held to what joins the two.

    .. versionadded:: 0.2
    """

    def test_what_is_added_is_returned(self, store: AccountStore) -> None:
        """Every field of an account comes back as it was, its identifiers in their order."""
        names = (
            Identifier(IdentifierKind.USERNAME, "Zoë ユーザー", "zoë ユーザー"),
            Identifier(IdentifierKind.EMAIL, "Zoë@Example.ORG", "zoë@example.org", NOW + timedelta(microseconds=1)),
            Identifier(IdentifierKind.EMAIL, "a@example.org", "a@example.org"),
        )
        at = datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
        full = an_account(
            identifiers=names,
            created_at=at,
            locked_at=NOW,
            closed_at=at,
            roles=frozenset({"admin", "ö", ""}),
            revision=3,
            epoch=2**40,
        )
        for account in added(store, an_account(), full, an_account(identifiers=())):
            assert store.get_account(account.id) == account
            assert [store.find_account(one.key) for one in account.identifiers] == [account] * len(account.identifiers)

    def test_absence_is_none_or_false(self, store: AccountStore) -> None:
        """Every verb says of an unknown account that there is none, and raises nothing."""
        account = an_account("ada")
        assert store.get_account(account.id) is None
        assert store.find_account("ada") is None
        assert not store.replace_account(account, account)
        assert not store.delete_account(account.id)
        assert list(store.list_accounts()) == []
        assert store.count_accounts() == 0

    def test_keys_that_are_no_keys(self, store: AccountStore) -> None:
        """A key or an id with characters that mean something to a database finds nothing and breaks nothing."""
        added(store, an_account("ada"))
        for odd in ("", "'", "' OR ''='", "%", "*", "ad_", "\x00", "é" * 300):
            assert store.find_account(odd) is None
            assert store.get_account(odd) is None

    def test_keys_are_compared_to_the_letter(self, store: AccountStore) -> None:
        """The store adds no rule of its own about which names are the same: that is decided before."""
        keys = ["a", "A", "a ", " a", "e\u0301", "\u00e9", "ß", "ss", "a@x", "a@X"]
        accounts = [an_account(identifiers=(Identifier(IdentifierKind.USERNAME, key, key),)) for key in keys]
        added(store, *accounts)
        assert [store.find_account(key) for key in keys] == accounts
        for account in accounts:
            assert store.delete_account(account.id)
            assert store.find_account(account.label) is None
            added(store, an_account(identifiers=account.identifiers))

    def test_a_key_is_unique(self, store: AccountStore) -> None:
        """An account with a key that another one has is refused as a whole, whatever the kind."""
        [first] = added(store, an_account("ada", "ada@example.org"))
        for names in (["ada"], ["new@example.org", "ada"], ["ada@example.org", "new"]):
            second = an_account(*names)
            with pytest.raises(IdentifierTaken):
                store.add_account(second)
            assert store.get_account(second.id) is None
            assert [store.find_account(one) for one in ("new", "new@example.org")] == [None, None]
        kinds = replace(an_account(), identifiers=(Identifier(IdentifierKind.EMAIL, "ada", "ada"),))
        with pytest.raises(IdentifierTaken):
            store.add_account(kinds)
        assert list(store.list_accounts()) == [first]

    def test_they_are_compared_and_swapped(self, store: AccountStore) -> None:
        """An account is replaced only where the revision that was read still stands."""
        [first] = added(store, an_account("ada", "ada@example.org"))
        new = replace(
            named(first, "lovelace", "ada"),
            locked_at=NOW,
            closed_at=NOW,
            created_at=NOW - timedelta(1),
            roles=frozenset({"x"}),
            epoch=1,
        )
        assert store.replace_account(first, new)
        written = replace(new, revision=1)
        assert store.get_account(first.id) == written
        assert not store.replace_account(first, first)
        assert not store.replace_account(replace(first, revision=2), first)
        assert [store.find_account(one) for one in ("ada", "lovelace", "ada@example.org")] == [written, written, None]
        assert store.replace_account(written, replace(first, revision=7))
        assert store.get_account(first.id) == replace(first, revision=2)

    def test_a_name_that_was_given_up_is_free(self, store: AccountStore) -> None:
        """A key that an account no longer has may be another's."""
        [first] = added(store, an_account("ada"))
        assert store.replace_account(first, named(first, "lovelace"))
        [second] = added(store, an_account("ada"))
        assert store.find_account("ada") == second

    def test_a_taken_name_changes_nothing(self, store: AccountStore) -> None:
        """A replacement with a key that another account has is refused, and the account stays as it was."""
        first, second = added(store, an_account("ada", "ada@example.org"), an_account("grace"))
        with pytest.raises(IdentifierTaken):
            store.replace_account(first, replace(named(first, "aaa", "grace", "zzz"), locked_at=NOW))
        assert list(store.list_accounts()) == sorted([first, second], key=lambda one: one.id)
        names = ("ada", "ada@example.org", "grace", "aaa", "zzz")
        assert [store.find_account(one) for one in names] == [first, first, second, None, None]
        assert store.replace_account(first, named(first, "aaa"))

    def test_what_was_deleted_is_gone_for_every_verb(self, store: AccountStore) -> None:
        """Nothing brings an account back, and its names may be used again."""
        gone, other = added(store, an_account("ada", "ada@example.org"), an_account("grace"))
        assert store.delete_account(gone.id)
        assert not store.delete_account(gone.id)
        assert not store.replace_account(gone, gone)
        assert store.get_account(gone.id) is None
        assert [store.find_account(one.key) for one in gone.identifiers] == [None, None]
        assert list(store.list_accounts()) == [other]
        assert store.count_accounts() == 1
        [again] = added(store, an_account("ada"))
        assert store.find_account("ada") == again

    def test_lists_in_pages(self, store: AccountStore) -> None:
        """Accounts are listed in the order of their ids, a page at a time, whole ones, and counted."""
        accounts = sorted(
            added(store, *(an_account(f"user{number}", f"u{number}@x") for number in range(7))), key=lambda one: one.id
        )
        assert list(store.list_accounts()) == accounts
        assert list(store.list_accounts(limit=3)) == accounts[:3]
        assert list(store.list_accounts(after=accounts[2].id, limit=3)) == accounts[3:6]
        assert list(store.list_accounts(after=accounts[-1].id)) == []
        assert store.count_accounts() == len(accounts)

    def test_lists_those_that_are_closed(self, store: AccountStore) -> None:
        """Accounts that were closed before a time are listed in the order of their ids, a page at a time."""
        times = [NOW - timedelta(microseconds=number) for number in range(5)]
        closed = [an_account(f"user{number}", f"u{number}@x", closed_at=at) for number, at in enumerate(times)]
        added(store, an_account("ada"), an_account("grace", locked_at=times[-1]), *closed)
        due = sorted(closed[1:], key=lambda one: one.id)
        assert list(store.list_closed(before=NOW)) == due
        assert list(store.list_closed(before=NOW, limit=2)) == due[:2]
        assert list(store.list_closed(before=NOW, after=due[1].id, limit=3)) == due[2:]
        assert list(store.list_closed(before=NOW, after=due[-1].id)) == []
        assert list(store.list_closed(before=times[-1])) == []
        assert store.replace_account(due[0], replace(due[0], closed_at=None))
        assert list(store.list_closed(before=NOW)) == due[1:]

    def test_another_object_sees_the_same(self, opener: Opener, store: AccountStore) -> None:
        """What one object keeps another that was opened on the same storage knows, also after the first is closed."""
        if not self.shared:
            return
        first = opener()
        [account] = added(first, an_account("ada"))
        close(first)
        assert store.find_account("ada") == account

    # -- with credentials ------------------------------------------------------------------------

    def test_it_comes_with_its_credentials(self, store: AccountStore) -> None:
        """An account and its first credentials are kept in one step: all or, if a name is taken, none."""
        if not isinstance(store, CredentialStore):
            return
        account = an_account("ada")
        credentials = [a_credential(subject=account.id), a_credential(kind="totp", subject=account.id)]
        assert store.add_account(account, *credentials) == account
        listed = store.list_credentials(account.id)
        assert sorted(listed, key=lambda one: one.kind) == credentials
        late = an_account("ada")
        with pytest.raises(IdentifierTaken):
            store.add_account(late, a_credential(subject=late.id))
        assert list(store.list_credentials(late.id)) == []

    def test_a_taken_credential_leaves_no_account(self, store: AccountStore) -> None:
        """If a first credential can't be kept nothing is: there is no account that nobody can log in to."""
        if not isinstance(store, CredentialStore):
            return
        assert store.add_credential(a_credential(key="k"))
        account = an_account("ada")
        with pytest.raises(StoreError):
            store.add_account(account, a_credential(kind="totp", subject=account.id), a_credential(key="k"))
        assert store.get_account(account.id) is None
        assert store.find_account("ada") is None
        assert list(store.list_credentials(account.id)) == []

    def test_it_goes_with_its_credentials(self, store: AccountStore) -> None:
        """Deleting an account deletes its credentials, and nobody else's."""
        if not isinstance(store, CredentialStore):
            return
        account, other = an_account(), an_account()
        mine, kept = a_credential(subject=account.id), a_credential(subject=other.id)
        store.add_account(account, mine)
        store.add_account(other, kept)
        assert store.delete_account(account.id)
        assert store.get_credential(mine.kind, mine.key) is None
        assert list(store.list_credentials(other.id)) == [kept]

    def test_credentials_are_written_with_the_change(self, store: AccountStore) -> None:
        """With an account goes what takes the place of a credential of its kind and key, or is added."""
        if not isinstance(store, CredentialStore):
            return
        account = an_account()
        first, other = a_credential(subject=account.id, details={"a": "1"}), a_credential(subject=account.id)
        store.add_account(account, first, other)
        new = a_credential(key=first.key, subject=account.id, used_at=NOW, details={"b": "2"}, revision=9)
        added_one = a_credential(kind="totp", key=first.key, subject=account.id, revision=3)
        assert store.replace_account(account, replace(account, epoch=1), new, added_one)
        written = replace(new, id=first.id, revision=1)
        assert store.get_credential(first.kind, first.key) == written
        assert store.get_credential("totp", first.key) == added_one
        assert store.get_credential(other.kind, other.key) == other
        assert store.get_account(account.id) == replace(account, epoch=1, revision=1)
        assert not store.replace_credential(first, first)
        assert store.replace_credential(written, first)

    def test_a_change_that_is_lost_writes_no_credential(self, store: AccountStore) -> None:
        """Where the account has changed, or a name is taken, its credentials stay as they were."""
        if not isinstance(store, CredentialStore):
            return
        account = an_account("ada")
        first = a_credential(subject=account.id)
        store.add_account(account, first)
        added(store, an_account("grace"))
        new = a_credential(key=first.key, subject=account.id)
        assert not store.replace_account(replace(account, revision=1), account, new)
        with pytest.raises(IdentifierTaken):
            store.replace_account(account, named(account, "grace"), new)
        assert store.get_credential(first.kind, first.key) == first
        assert store.get_account(account.id) == account

    def test_a_credential_of_another_is_not_replaced(self, store: AccountStore) -> None:
        """A credential whose key another account has, or whose id is taken, is refused, and the account stays."""
        if not isinstance(store, CredentialStore):
            return
        account, other = an_account(), an_account()
        mine, theirs = a_credential(subject=account.id), a_credential(subject=other.id)
        store.add_account(account, mine)
        store.add_account(other, theirs)
        for taken in (replace(mine, id="new", key=theirs.key), replace(mine, id=theirs.id, key="new")):
            with pytest.raises(StoreError):
                store.replace_account(
                    account, replace(account, epoch=1), replace(mine, created_at=NOW - timedelta(1)), taken
                )
            assert store.get_account(account.id) == account
            assert list(store.list_credentials(account.id)) == [mine]
            assert list(store.list_credentials(other.id)) == [theirs]

    # -- the model -------------------------------------------------------------------------------

    def test_it_does_what_memory_does(self, store: AccountStore) -> None:
        """In any order of verbs, the store answers what a dictionary in memory answers."""
        run_accounts_beside_memory(store)
