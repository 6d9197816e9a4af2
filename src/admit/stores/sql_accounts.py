"""Accounts in SQLite or PostgreSQL; their identifiers have a table of their own, in which each key is unique."""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from admit.errors import IdentifierTaken
from admit.identifiers import claim_of, claims_for
from admit.model import Account, Identifier, IdentifierKind
from admit.stores.sql_credentials import SqlCredentials, credential_row
from admit.stores.sql_rows import microseconds, moment, optional, optional_moment, readable
from admit.stores.sql_statements import Wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from admit.model import Credential
    from admit.stores.sql_part import Run
    from admit.stores.sql_rows import Row
    from admit.stores.sql_statements import Dialect

__all__ = ["AccountStatements", "SqlAccounts"]

_ACCOUNT = ("id", "created_at", "locked_at", "closed_at", "roles", "epoch", "revision")
_IDENTIFIER = ("key", "account_id", "position", "kind", "value", "verified_at")
_READ = ", ".join([*(f"a.{one}" for one in _ACCOUNT), "i.kind", "i.value", "i.key", "i.verified_at"])
# What was written since the mark is undone without giving the connection up: a name that is taken costs as little as
# one that is free.
_MARK, _UNDO, _UNMARK = "SAVEPOINT before", "ROLLBACK TO before", "RELEASE SAVEPOINT before"


class AccountStatements(Wording):
    """The statements about accounts and identifiers."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        super().__init__(dialect, schema, prefix)
        accounts, identifiers = self._table("accounts"), self._table("identifiers")
        read = f"SELECT {_READ} FROM {accounts} a LEFT JOIN {identifiers} i ON i.account_id = a.id"
        order = "ORDER BY a.id, i.position"
        page = f"SELECT id FROM {accounts} WHERE id > ? ORDER BY id LIMIT ?"
        self.add: str = self._insert(accounts, _ACCOUNT)
        self.claim: str = f"{self._insert(identifiers, _IDENTIFIER)} ON CONFLICT DO NOTHING RETURNING 1"
        self.get: str = self._marked(f"{read} WHERE a.id = ? {order}")
        # The claim of an address before that of a user name, which is the longer one.
        holder = f"SELECT account_id FROM {identifiers} WHERE key IN (?, ?) ORDER BY length(key) LIMIT 1"
        self.find: str = self._marked(f"{read} WHERE a.id = ({holder}) {order}")
        self.list: str = self._marked(f"{read} WHERE a.id IN ({page}) {order}")
        # By the key of the table, so that it is read once and never sorted; nobody waits for it.
        closed = f"SELECT id FROM {accounts} WHERE closed_at < ? AND id > ? ORDER BY id LIMIT ?"
        self.list_closed: str = self._marked(f"{read} WHERE a.id IN ({closed}) {order}")
        self.count: str = f"SELECT count(*) FROM {accounts}"
        self.replace: str = self._marked(
            f"UPDATE {accounts} SET created_at = ?, locked_at = ?, closed_at = ?, roles = ?, epoch = ?,"
            f" revision = revision + 1 WHERE id = ? AND revision = ? RETURNING 1"
        )
        self.delete: str = self._marked(f"DELETE FROM {accounts} WHERE id = ? RETURNING 1")
        self.give_up: str = self._marked(f"DELETE FROM {identifiers} WHERE account_id = ?")


class SqlAccounts(SqlCredentials):
    """The verbs of :class:`admit.store.AccountStore`."""

    _for_accounts: AccountStatements

    def add_account(self, account: Account, *credentials: Credential) -> Account:
        """Keep a new account and its first credentials, in one step; return it."""
        with self._database.transaction() as run:
            is_free = self._add_if_free(run, account, credentials)
            if is_free:
                self._record(run)
        if not is_free:
            raise IdentifierTaken
        return account

    def add_accounts(self, accounts: Iterable[tuple[Account, Sequence[Credential]]]) -> list[bool]:
        """Keep many new accounts in one transaction; tell of each whether its names were free.

        Args:
            accounts: Each with its first credentials; so few that others can wait for all.

        .. versionadded:: 0.2
        """
        with self._database.transaction() as run:
            return [self._add_if_free(run, account, credentials) for account, credentials in accounts]

    def _add_if_free(self, run: Run, account: Account, credentials: Iterable[Credential]) -> bool:
        run(_MARK)
        if not self._claim(run, account.id, account.identifiers):
            return False
        run(self._for_accounts.add, (account.id, *_row(account), account.revision))
        for credential in credentials:
            run(self._for_credentials.add, credential_row(credential))
        run(_UNMARK)
        return True

    def get_account(self, account_id: str) -> Account | None:
        """Return the account with this id, or ``None``."""
        return next(iter(self._read(self._for_accounts.get, account_id)), None)

    def find_account(self, key: str) -> Account | None:
        """Return the account that has an identifier with this canonical key, or ``None``."""
        found = self._database.ask(self._for_accounts.find, claims_for(key))
        # A row that is there takes time to be read, which would tell strangers that it is. So one is read anyhow.
        [account] = _accounts(found or [_NOBODY])
        return account if found else None

    def replace_account(self, old: Account, new: Account, *credentials: Credential) -> bool:
        """Write ``new`` and its credentials if ``old`` still stands; ``False`` if it was changed or is gone."""
        with self._database.transaction() as run:
            run(_MARK)
            if not run(self._for_accounts.replace, (*_row(new), old.id, old.revision)):
                return False
            run(self._for_accounts.give_up, (old.id,))
            is_free = self._claim(run, old.id, new.identifiers)
            if is_free:
                for credential in credentials:
                    self._put_in_place(run, credential)
                self._record(run)
        if not is_free:
            raise IdentifierTaken
        return True

    def delete_account(self, account_id: str) -> bool:
        """Forget the account and its credentials; ``False`` if there is none."""
        with self._database.transaction() as run:
            deleted = bool(run(self._for_accounts.delete, (account_id,)))
            if deleted:
                run(self._for_accounts.give_up, (account_id,))
                run(self._for_credentials.delete_all, (account_id,))
        return deleted

    def list_accounts(self, *, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts whose id follows ``after``, in the order of their ids."""
        return self._read(self._for_accounts.list, after, limit)

    def list_closed(self, *, before: datetime, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts closed before ``before``, whose id follows ``after``, in that order."""
        return self._read(self._for_accounts.list_closed, microseconds(before), after, limit)

    def count_accounts(self) -> int:
        """Return how many accounts there are."""
        return int(self._database.ask(self._for_accounts.count, ())[0][0])

    def _read(self, statement: str, *values: object) -> list[Account]:
        return _accounts(self._database.ask(statement, values))

    def _claim(self, run: Run, account_id: str, identifiers: Sequence[Identifier]) -> bool:
        """Write the identifiers, or undo everything since the mark if one of them is taken."""
        # All in one order, so that two who want the same names never wait for each other.
        for position, one in sorted(enumerate(identifiers), key=lambda numbered: claim_of(numbered[1])):
            row = (claim_of(one), account_id, position, one.kind.value, one.value, optional(one.verified_at))
            if not run(self._for_accounts.claim, row):
                run(_UNDO)
                return False
        return True


def _row(account: Account) -> Row:
    return (
        microseconds(account.created_at),
        optional(account.locked_at),
        optional(account.closed_at),
        json.dumps(sorted(account.roles)),
        account.epoch,
    )


#: What a row is like.
_NOBODY: Row = ("", 0, None, None, "[]", 0, 0, "email", "", "", 0)


def _accounts(rows: Iterable[Row]) -> list[Account]:
    return [_account(account, list(some)) for account, some in groupby(rows, lambda row: row[: len(_ACCOUNT)])]


def _account(row: Row, rows: list[Row]) -> Account:
    account_id, created_at, locked_at, closed_at, roles, epoch, revision = row
    with readable():
        return Account(
            account_id,
            tuple(_identifier(*one[len(_ACCOUNT) :]) for one in rows if one[len(_ACCOUNT)] is not None),
            moment(created_at),
            optional_moment(locked_at),
            optional_moment(closed_at),
            frozenset(json.loads(roles)),
            int(revision),
            int(epoch),
        )


def _identifier(kind: str, value: str, key: str, verified_at: int | None) -> Identifier:
    return Identifier(IdentifierKind(kind), value, key.partition("\n")[0], optional_moment(verified_at))
