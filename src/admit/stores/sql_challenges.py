"""Challenges in SQLite or PostgreSQL."""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from admit.model import Challenge
from admit.stores.sql_part import Part
from admit.stores.sql_rows import authentications_text, microseconds, moment, read_authentications, readable
from admit.stores.sql_statements import Wording

if TYPE_CHECKING:
    from admit.stores.sql_rows import Row
    from admit.stores.sql_statements import Dialect

__all__ = ["ChallengeStatements", "SqlChallenges"]

_COLUMNS = ("id", "kind", "subject", "secret_hash", "created_at", "expires_at", "details", "authentications", "epoch")


class ChallengeStatements(Wording):
    """The statements about challenges."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        super().__init__(dialect, schema, prefix)
        table, columns = self._table("challenges"), ", ".join(_COLUMNS)
        self.add: str = self._insert(table, _COLUMNS)
        self.get: str = self._marked(f"SELECT {columns} FROM {table} WHERE id = ?")
        self.take: str = self._marked(f"DELETE FROM {table} WHERE id = ? RETURNING {columns}")
        self.delete_all: str = self._marked(f"DELETE FROM {table} WHERE subject = ? RETURNING 1")
        self.delete_kind: str = self._marked(f"DELETE FROM {table} WHERE subject = ? AND kind = ? RETURNING 1")
        self.purge: str = self._purge(table, "id")


class SqlChallenges(Part):
    """The verbs of :class:`admit.store.ChallengeStore`."""

    _for_challenges: ChallengeStatements

    def add_challenge(self, challenge: Challenge, *, alone: bool = False) -> None:
        """Keep a new challenge; ``alone``, and those of the same kind and subject are gone in the same step."""
        with self._database.transaction() as run:
            if alone:
                # Of two that are added at once neither would see the other.
                self._database.lock_subject(run, challenge.subject)
                run(self._for_challenges.delete_kind, (challenge.subject, challenge.kind))
            run(self._for_challenges.add, _row(challenge))

    def get_challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge with this id, too old or not, or ``None``; it stays."""
        found = self._database.ask(self._for_challenges.get, (challenge_id,))
        return _read(found[0]) if found else None

    def take_challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge and forget it: exactly one of any number of callers gets it."""
        with self._database.transaction() as run:
            taken = run(self._for_challenges.take, (challenge_id,))
        return _read(taken[0]) if taken else None

    def delete_challenges(self, subject: str, *, kind: str | None = None) -> int:
        """Forget the subject's challenges, of one kind or of all; return how many there were."""
        with self._database.transaction() as run:
            if kind is None:
                return len(run(self._for_challenges.delete_all, (subject,)))
            return len(run(self._for_challenges.delete_kind, (subject, kind)))


def _row(challenge: Challenge) -> Row:
    return (
        challenge.id,
        challenge.kind,
        challenge.subject,
        challenge.secret_hash,
        microseconds(challenge.created_at),
        microseconds(challenge.expires_at),
        json.dumps(dict(challenge.details)),
        authentications_text(challenge.authentications),
        challenge.epoch,
    )


def _read(row: Row) -> Challenge:
    challenge_id, kind, subject, secret_hash, created_at, expires_at, details, authentications, epoch = row
    with readable():
        return Challenge(
            challenge_id,
            kind,
            subject,
            secret_hash,
            moment(created_at),
            moment(expires_at),
            dict(json.loads(details)),
            read_authentications(authentications),
            int(epoch),
        )
