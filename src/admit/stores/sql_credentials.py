"""Credentials in SQLite or PostgreSQL."""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from admit.errors import StoreError
from admit.model import Credential
from admit.stores.sql_part import Part
from admit.stores.sql_rows import microseconds, moment, optional, optional_moment, readable
from admit.stores.sql_statements import Wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.stores.sql_part import Run
    from admit.stores.sql_rows import Row
    from admit.stores.sql_statements import Dialect

__all__ = ["CredentialStatements", "SqlCredentials", "credential_row"]

_COLUMNS = ("id", "kind", "key", "subject", "secret", "created_at", "used_at", "details", "revision")


class CredentialStatements(Wording):
    """The statements about credentials."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        super().__init__(dialect, schema, prefix)
        table, columns = self._table("credentials"), ", ".join(_COLUMNS)
        self.add: str = self._insert(table, _COLUMNS)
        self.add_if_free: str = f"{self.add} ON CONFLICT DO NOTHING RETURNING 1"
        put = "secret = excluded.secret, created_at = excluded.created_at, used_at = excluded.used_at"
        self.put_in_place: str = (
            f"{self.add} ON CONFLICT (kind, key) DO UPDATE SET {put}, details = excluded.details,"
            f" revision = {table}.revision + 1 WHERE {table}.subject = excluded.subject RETURNING 1"
        )
        self.get: str = self._marked(f"SELECT {columns} FROM {table} WHERE kind = ? AND key = ?")
        self.list: str = self._marked(f"SELECT {columns} FROM {table} WHERE subject = ? ORDER BY created_at, id")
        self.replace: str = self._marked(
            f"UPDATE {table} SET secret = ?, created_at = ?, used_at = ?, details = ?, revision = revision + 1"
            f" WHERE id = ? AND revision = ? RETURNING 1"
        )
        self.delete: str = self._marked(f"DELETE FROM {table} WHERE id = ? RETURNING 1")
        self.delete_all: str = self._marked(f"DELETE FROM {table} WHERE subject = ?")


class SqlCredentials(Part):
    """The verbs of :class:`admit.store.CredentialStore`."""

    _for_credentials: CredentialStatements

    def add_credential(self, credential: Credential) -> bool:
        """Keep a new credential; ``False`` if its kind has one with this key, or its id is taken."""
        with self._database.transaction() as run:
            return bool(run(self._for_credentials.add_if_free, credential_row(credential)))

    def get_credential(self, kind: str, key: str) -> Credential | None:
        """Return the credential of this kind with this key, or ``None``."""
        found = self._database.ask(self._for_credentials.get, (kind, key))
        # A row that is there takes time to be read, which would tell strangers that it is. So one is read anyhow.
        read = _read(found[0] if found else _NONE)
        return read if found else None

    def list_credentials(self, subject: str) -> Sequence[Credential]:
        """Return the subject's credentials, oldest first."""
        return [_read(row) for row in self._database.ask(self._for_credentials.list, (subject,))]

    def replace_credential(self, old: Credential, new: Credential) -> bool:
        """Write ``new`` if ``old`` still stands; ``False`` if it was changed or is gone."""
        written = (new.secret, microseconds(new.created_at), optional(new.used_at), json.dumps(dict(new.details)))
        with self._database.transaction() as run:
            return bool(run(self._for_credentials.replace, (*written, old.id, old.revision)))

    def _put_in_place(self, run: Run, credential: Credential) -> None:
        """Put a credential in the place of the one of its kind and key, or add it.

        Raises:
            StoreError: That one is another account's.
        """
        if not run(self._for_credentials.put_in_place, credential_row(credential)):
            message = "A credential with this kind and key is another account's."
            raise StoreError(message)

    def delete_credential(self, credential_id: str) -> bool:
        """Forget the credential; ``True`` for exactly one caller."""
        with self._database.transaction() as run:
            return bool(run(self._for_credentials.delete, (credential_id,)))


#: What a row is like.
_NONE: Row = ("", "", "", "", "", 0, None, "{}", 0)


def credential_row(credential: Credential) -> Row:
    """Return the values of a credential's columns."""
    return (
        credential.id,
        credential.kind,
        credential.key,
        credential.subject,
        credential.secret,
        microseconds(credential.created_at),
        optional(credential.used_at),
        json.dumps(dict(credential.details)),
        credential.revision,
    )


def _read(row: Row) -> Credential:
    credential_id, kind, key, subject, secret, created_at, used_at, details, revision = row
    with readable():
        return Credential(
            credential_id,
            kind,
            key,
            subject,
            secret,
            moment(created_at),
            optional_moment(used_at),
            dict(json.loads(details)),
            int(revision),
        )
