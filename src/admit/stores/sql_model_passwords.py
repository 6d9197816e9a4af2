"""The credentials of an application's users: their passwords, wherever those count, and whatever else they have.

The column of the application says *which* password is the right one; a credential beside it is the same password in a
better hash. Each credential is bound to the hash that the column held when it was made. So the application may go
back to its old code at any time: the column is as it was, or has the new password in the old form. What the old code
changes there counts again afterwards, because the credential does not fit it any more.

An attacker who gets hold of a password that was changed tries it on whichever of the two is behind the other. There
is no such one: a change writes the column first, if what was read there still stands, and what does not fit it is no
credential.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from admit.errors import StoreError
from admit.model import ADOPTED, ECHO, Credential
from admit.stores.sql_model_values import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from admit.store import CredentialStore
    from admit.stores.sql_model_table import ModelTable

__all__ = ["ModelCredentials", "echo_of"]

#: The kind of the credentials whose secret may be in the application's own column.
_PASSWORD = "password"  # noqa: S105 -- the name of a feature
#: In the details of a credential: the digest of what the column held when it was made.
_COLUMN = "column"
#: What stands in the column for no password: no program takes it for the hash of one.
_UNUSABLE = "!"
_EXAMPLES = 20


class ModelCredentials:
    """The verbs of :class:`admit.store.CredentialStore`."""

    _table: ModelTable
    _keeps_passwords: bool
    _examples: tuple[str, ...] = ()

    if TYPE_CHECKING:

        @property
        def _credentials(self) -> CredentialStore: ...

    def examples(self) -> Sequence[str] | None:
        """Return some hashes that the application made; ``None`` if it keeps none."""
        if not self._keeps_passwords:
            return None
        if not self._examples:
            self._examples = tuple(self._table.passwords(_EXAMPLES))
        return self._examples

    def get_credential(self, kind: str, key: str) -> Credential | None:
        """Return the credential of this kind with this key, or ``None``."""
        if not self._is_in_column(kind):
            return self._credentials.get_credential(kind, key)
        return _chosen(key, self._table.password_of(key), self._credentials.get_credential(kind, key))

    def list_credentials(self, subject: str) -> Sequence[Credential]:
        """Return the subject's credentials, oldest first."""
        found = [one for one in self._credentials.list_credentials(subject) if not self._is_in_column(one.kind)]
        password = self.get_credential(_PASSWORD, subject) if self._keeps_passwords else None
        return sorted([*found, password] if password else found, key=lambda one: (one.created_at, one.id))

    def add_credential(self, credential: Credential) -> bool:
        """Keep a new credential; ``False`` if its kind has one with this key, or its id is taken."""
        if not self._is_in_column(credential.kind):
            return self._credentials.add_credential(credential)
        if self.get_credential(credential.kind, credential.key) is not None:
            return False
        return self._keep(credential, self._table.password_of(credential.key))

    def replace_credential(self, old: Credential, new: Credential) -> bool:
        """Write ``new`` if ``old`` still stands; ``False`` if it was changed or is gone."""
        if not self._is_in_column(old.kind):
            return self._credentials.replace_credential(old, new)
        stored = self._table.password_of(old.key)
        standing = _chosen(old.key, stored, self._credentials.get_credential(old.kind, old.key))
        if standing is None or _state(standing) != _state(old):
            return False
        return self._keep(
            replace(old, secret=new.secret, created_at=new.created_at, used_at=new.used_at, details=new.details), stored
        )

    def delete_credential(self, credential_id: str) -> bool:
        """Forget the credential; ``True`` for exactly one caller."""
        kind, _, key = credential_id.partition(":")
        if not self._is_in_column(kind):
            return self._credentials.delete_credential(credential_id)
        stored = self._table.password_of(key)
        is_gone = stored in {None, "", _UNUSABLE} or not self._table.replace_password(key, stored, _UNUSABLE)
        return self._credentials.delete_credential(credential_id) or not is_gone

    def counts(self, credential: Credential) -> bool:
        """Tell whether a credential that was read before is still what the application's column says.

        Whoever hashes the same password anew changes what is beside the column, and not the column.
        """
        if not self._is_in_column(credential.kind):
            return True
        proven = credential.details.get(_COLUMN) or credential.details.get(ADOPTED)
        return proven == _digest(self._table.password_of(credential.key))

    def _put_in_column(self, credential: Credential) -> bool:
        """Put a password in the place of the one that counts, or add it; ``False`` if the application was first."""
        standing = self.get_credential(credential.kind, credential.key)
        if standing is None:
            return self.add_credential(credential)
        return self.replace_credential(standing, credential)

    def _add_first(self, credential: Credential) -> None:
        """Keep a credential of a new account, whose column has the password already."""
        if self._is_in_column(credential.kind):
            self._keep(credential, self._table.password_of(credential.key))
        else:
            is_kept = self._credentials.add_credential(credential)
            if not is_kept:
                message = "A credential with this id or key is there already."
                raise StoreError(message)

    def _is_in_column(self, kind: str) -> bool:
        return self._keeps_passwords and kind == _PASSWORD

    def _keep(self, credential: Credential, stored: str | None) -> bool:
        """Write a password: to the column, if it is a new one, and then beside it."""
        echo = credential.details.get(ECHO)
        if echo is not None:
            if not self._table.replace_password(credential.key, stored, echo):
                return False
            stored = echo
        details = {name: value for name, value in credential.details.items() if name not in {ADOPTED, ECHO}}
        kept = replace(credential, id=_id(credential.key), details={**details, _COLUMN: _digest(stored)})
        before = self._credentials.get_credential(credential.kind, credential.key)
        if before is None:
            is_kept = self._credentials.add_credential(replace(kept, revision=0))
        else:
            is_kept = credential.revision == before.revision and self._credentials.replace_credential(before, kept)
        # Once the column has it the password counts, whatever another request does beside it.
        return is_kept or echo is not None


def echo_of(credentials: Iterable[Credential]) -> str:
    """Return what the column is to hold for an account with these credentials."""
    return next((one.details[ECHO] for one in credentials if ECHO in one.details), _UNUSABLE)


def _chosen(key: str, stored: str | None, kept: Credential | None) -> Credential | None:
    """Return the credential that counts: the one beside the column if it fits that, or what the column holds."""
    if kept is not None and kept.details.get(_COLUMN) == _digest(stored):
        return kept
    revision = -1 if kept is None else kept.revision
    held = Credential(_id(key), _PASSWORD, key, key, stored or "", EPOCH, None, {ADOPTED: _digest(stored)}, revision)
    return held if stored else None


def _state(credential: Credential) -> tuple[int, str | None]:
    return credential.revision, credential.details.get(ADOPTED)


def _id(key: str) -> str:
    return f"{_PASSWORD}:{key}"


def _digest(stored: str | None) -> str:
    return hashlib.sha256((stored or "").encode()).hexdigest()
