"""Credentials in the memory of one process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from admit.per_process import Mutex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from admit.model import Credential

__all__ = ["MemoryCredentials"]


class MemoryCredentials:
    """Keeps credentials in dictionaries."""

    def __init__(self) -> None:
        # Accounts are under the same lock: they come and go with their credentials.
        self._people_lock = Mutex()
        self._credentials: dict[str, Credential] = {}
        self._credential_ids: dict[tuple[str, str], str] = {}
        self._credentials_of: dict[str, set[str]] = {}

    def add_credential(self, credential: Credential) -> bool:
        """Keep a new credential; ``False`` if its kind has one with this key, or its id is taken."""
        with self._people_lock:
            if self._is_credential_taken(credential):
                return False
            self._put_credential(credential)
            return True

    def get_credential(self, kind: str, key: str) -> Credential | None:
        """Return the credential of this kind with this key, or ``None``."""
        with self._people_lock:
            return self._credentials.get(self._credential_ids.get((kind, key), ""))

    def list_credentials(self, subject: str) -> Sequence[Credential]:
        """Return the subject's credentials, oldest first."""
        with self._people_lock:
            found = [self._credentials[one] for one in self._credentials_of.get(subject, ())]
        return sorted(found, key=_age)

    def replace_credential(self, old: Credential, new: Credential) -> bool:
        """Write ``new`` if ``old`` still stands; ``False`` if it was changed or is gone."""
        with self._people_lock:
            standing = self._credentials.get(old.id)
            if standing is None or standing.revision != old.revision:
                return False
            self._credentials[old.id] = replace(
                standing,
                secret=new.secret,
                created_at=new.created_at,
                used_at=new.used_at,
                details=new.details,
                revision=old.revision + 1,
            )
            return True

    def delete_credential(self, credential_id: str) -> bool:
        """Forget the credential; ``True`` for exactly one caller."""
        with self._people_lock:
            return self._drop_credential(credential_id)

    def _is_credential_taken(self, credential: Credential) -> bool:
        return credential.id in self._credentials or (credential.kind, credential.key) in self._credential_ids

    def _is_credential_free_for(self, new: Credential) -> bool:
        """Tell whether a credential can be put in the place of the one of its kind and key, or added."""
        standing_id = self._credential_ids.get((new.kind, new.key))
        if standing_id is None:
            return new.id not in self._credentials
        return self._credentials[standing_id].subject == new.subject

    def _put_in_place(self, new: Credential) -> None:
        standing_id = self._credential_ids.get((new.kind, new.key))
        if standing_id is None:
            self._put_credential(new)
        else:
            revision = self._credentials[standing_id].revision + 1
            self._credentials[standing_id] = replace(new, id=standing_id, revision=revision)

    def _put_credential(self, credential: Credential) -> None:
        self._credentials[credential.id] = credential
        self._credential_ids[credential.kind, credential.key] = credential.id
        self._credentials_of.setdefault(credential.subject, set()).add(credential.id)

    def _drop_credential(self, credential_id: str) -> bool:
        credential = self._credentials.pop(credential_id, None)
        if credential is None:
            return False
        del self._credential_ids[credential.kind, credential.key]
        left = self._credentials_of[credential.subject]
        left.remove(credential_id)
        if not left:
            del self._credentials_of[credential.subject]
        return True


def _age(credential: Credential) -> tuple[datetime, str]:
    return credential.created_at, credential.id
