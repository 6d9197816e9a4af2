"""Races that every store of accounts has to survive, with real threads and real processes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING

from admit.errors import IdentifierTaken
from admit.store import CredentialStore
from admit.testing.contract import Contract
from admit.testing.samples import a_credential, an_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Account, Credential
    from admit.store import AccountStore
    from admit.testing.racing import Crew

    Opener = Callable[[], AccountStore]

__all__ = ["AccountRaces", "added", "named"]

_ROUNDS = 10
_NEW, _AGAIN = "a new one", "the same once more"


def added(store: AccountStore, *accounts: Account) -> list[Account]:
    """Add accounts, and return them."""
    for account in accounts:
        store.add_account(account)
    return [*accounts]


def named(account: Account, *names: str) -> Account:
    """Return the account with other names."""
    return replace(account, identifiers=an_account(*names).identifiers)


def _try_to_add(store: AccountStore, account: Account) -> bool:
    try:
        store.add_account(account)
    except IdentifierTaken:
        return False
    return True


def _try_to_replace(store: AccountStore, old: Account, new: Account) -> bool:
    try:
        return store.replace_account(old, new)
    except IdentifierTaken:
        return False


def _secret(account: Account, secret: str) -> Credential:
    return a_credential(key=account.id, subject=account.id, secret=secret)


class AccountRaces(Contract):
    """The part of the contract that is about doing things at once."""

    def test_one_sign_up_wins(self, opener: Opener, store: AccountStore, crew: Crew) -> None:
        """Of sign-ups with one name at once exactly one makes an account, and nobody fails (attack 72)."""
        rounds = [[an_account(f"user{number}") for _ in range(crew.size)] for number in range(_ROUNDS)]
        moves = [[partial(_try_to_add, account=one) for one in each] for each in rounds]
        for number, (each, won) in enumerate(zip(rounds, crew.race(opener, store, moves), strict=True)):
            assert won.count(True) == 1
            assert store.find_account(f"user{number}") == each[won.index(True)]
        assert store.count_accounts() == _ROUNDS

    def test_two_names_in_any_order(self, opener: Opener, store: AccountStore, crew: Crew) -> None:
        """Sign-ups who want the same two names, in either order, do not wait for each other in vain."""
        names = [(f"a{number}", f"z{number}") for number in range(_ROUNDS)]
        rounds = [[an_account(*pair[:: 1 if turn % 2 else -1]) for turn in range(crew.size)] for pair in names]
        moves = [[partial(_try_to_add, account=one) for one in each] for each in rounds]
        for pair, each, won in zip(names, rounds, crew.race(opener, store, moves), strict=True):
            assert won.count(True) == 1
            assert [store.find_account(one) for one in pair] == [each[won.index(True)]] * 2

    def test_one_caller_replaces_it(self, opener: Opener, store: AccountStore, crew: Crew) -> None:
        """Of many callers who replace one account one wins, and of the others nothing is left."""
        accounts = added(store, *(an_account(f"user{number}") for number in range(_ROUNDS)))
        rounds = [[named(one, f"{one.label}-{turn}") for turn in range(crew.size)] for one in accounts]
        moves = [
            [methodcaller("replace_account", one, new) for new in each]
            for one, each in zip(accounts, rounds, strict=True)
        ]
        for one, each, won in zip(accounts, rounds, crew.race(opener, store, moves), strict=True):
            assert won.count(True) == 1
            winner = replace(each[won.index(True)], revision=1)
            assert store.get_account(one.id) == winner
            found = [store.find_account(new.label) for new in each]
            assert found == [winner if new.label == winner.label else None for new in each]

    def test_one_caller_writes_the_credential(self, opener: Opener, store: AccountStore, crew: Crew) -> None:
        """Of many who change an account together with its credential one wins, with both: no half of another's."""
        if not isinstance(store, CredentialStore):
            return
        accounts = [an_account() for _ in range(_ROUNDS)]
        for one in accounts:
            store.add_account(one, a_credential(key=one.id, subject=one.id))
        moves = [
            [
                methodcaller("replace_account", one, replace(one, epoch=turn), _secret(one, f"{turn}"))
                for turn in range(1, crew.size + 1)
            ]
            for one in accounts
        ]
        for one, won in zip(accounts, crew.race(opener, store, moves), strict=True):
            assert won.count(True) == 1
            turn = won.index(True) + 1
            assert store.get_account(one.id) == replace(one, epoch=turn, revision=1)
            written = store.get_credential("password", one.id)
            assert written is not None
            assert (written.secret, written.revision) == (f"{turn}", 1)

    def test_nobody_brings_the_old_credential_back(self, opener: Opener, store: AccountStore, crew: Crew) -> None:
        """What is hashed anew at the moment of a change never counts instead of what the change has written."""
        if not isinstance(store, CredentialStore):
            return
        accounts = [an_account() for _ in range(_ROUNDS)]
        old = [a_credential(key=one.id, subject=one.id) for one in accounts]
        for one, credential in zip(accounts, old, strict=True):
            store.add_account(one, credential)
        moves = [
            [
                methodcaller("replace_account", one, replace(one, epoch=1), _secret(one, _NEW)),
                *[methodcaller("replace_credential", credential, replace(credential, secret=_AGAIN))] * (crew.size - 1),
            ]
            for one, credential in zip(accounts, old, strict=True)
        ]
        for one, (is_changed, *_) in zip(accounts, crew.race(opener, store, moves), strict=True):
            assert is_changed
            written = store.get_credential("password", one.id)
            assert written is not None
            assert written == replace(_secret(one, _NEW), id=written.id, revision=written.revision)

    def test_one_account_gets_the_name(self, opener: Opener, store: AccountStore, crew: Crew) -> None:
        """Of accounts that change to one name at once exactly one gets it, and the others keep theirs."""
        rounds = [
            added(store, *(an_account(f"{number}-{turn}") for turn in range(crew.size))) for number in range(_ROUNDS)
        ]
        moves = [
            [partial(_try_to_replace, old=one, new=named(one, f"wanted {number}")) for one in each]
            for number, each in enumerate(rounds)
        ]
        for number, (each, won) in enumerate(zip(rounds, crew.race(opener, store, moves), strict=True)):
            assert won.count(True) == 1
            winner = each[won.index(True)]
            assert store.find_account(f"wanted {number}") == replace(named(winner, f"wanted {number}"), revision=1)
            assert [store.find_account(one.label) for one in each if one != winner] == [
                one for one in each if one != winner
            ]

    def test_nothing_brings_it_back(self, opener: Opener, store: AccountStore, crew: Crew) -> None:
        """An account that is deleted while others rename it is gone, and each of its names is free."""
        accounts = added(store, *(an_account(f"user{number}") for number in range(_ROUNDS)))
        moves = [
            [
                methodcaller("delete_account", one.id),
                *(
                    methodcaller("replace_account", one, named(one, f"{one.label}-{turn}"))
                    for turn in range(crew.size - 1)
                ),
            ]
            for one in accounts
        ]
        for one, won in zip(accounts, crew.race(opener, store, moves), strict=True):
            assert won[0]
            assert store.get_account(one.id) is None
            names = [one.label, *(f"{one.label}-{turn}" for turn in range(crew.size))]
            assert [_try_to_add(store, an_account(name)) for name in names] == [True] * len(names)
