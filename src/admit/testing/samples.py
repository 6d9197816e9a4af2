"""Sessions, accounts, credentials, challenges and records of events to test with."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from admit import tokens
from admit.model import (
    Account,
    Challenge,
    Client,
    Credential,
    Ending,
    EndReason,
    EventRecord,
    Identifier,
    IdentifierKind,
    Session,
)

__all__ = ["NOW", "REVOKED", "a_challenge", "a_credential", "a_session", "an_account", "an_event"]

#: Whole microseconds in the present, as a clock gives them.
NOW = datetime.now(UTC)

#: An ending to compare with.
REVOKED = Ending(EndReason.REVOKED, NOW, "somebody")


def a_session(**changes: Any) -> Session:
    """Return a session with an id and a secret of its own, changed as a test needs it.

    Args:
        changes: What it does not have in common with the session of a subject ``ada`` who logged in just now.

    .. versionadded:: 0.1
    """
    session = Session(
        id=tokens.new_id(),
        subject="ada",
        secret_hash=tokens.hash_secret(tokens.new_id()),
        seed=tokens.new_seed(),
        created_at=NOW,
        seen_at=NOW,
        idle=timedelta(days=1),
        ends_at=NOW + timedelta(days=7),
        rotated_at=NOW,
        confirmed_at=NOW,
    )
    return replace(session, **changes)


def an_account(*names: str, **changes: Any) -> Account:
    """Return an account with an id of its own, changed as a test needs it.

    Args:
        names: Its addresses, where there is an ``@`` in them, and user names; without any, one address of its own.
        changes: What it does not have in common with an open account that was made just now.

    .. versionadded:: 0.2
    """
    account_id = secrets.token_hex(16)
    identifiers = tuple(_identifier(name) for name in names or (f"Ada.{account_id}@example.org",))
    return replace(Account(account_id, identifiers, NOW), **changes)


def a_credential(**changes: Any) -> Credential:
    """Return a credential with an id and a key of its own, changed as a test needs it.

    Args:
        changes: What it does not have in common with a password of a subject ``ada``, made just now.

    .. versionadded:: 0.2
    """
    credential_id = secrets.token_hex(16)
    credential = Credential(credential_id, "password", credential_id, "ada", tokens.new_id(), NOW)
    return replace(credential, **changes)


def a_challenge(**changes: Any) -> Challenge:
    """Return a challenge with an id and a secret of its own, changed as a test needs it.

    Args:
        changes: What it does not have in common with a link for a subject ``ada``, good for an hour.

    .. versionadded:: 0.2
    """
    secret_hash = tokens.hash_secret(tokens.new_id())
    challenge = Challenge(tokens.new_id(), "link", "ada", secret_hash, NOW, NOW + timedelta(hours=1))
    return replace(challenge, **changes)


def an_event(**changes: Any) -> EventRecord:
    """Return a record of an event, changed as a test needs it.

    Args:
        changes: What it does not have in common with a login of a subject ``ada`` just now.

    .. versionadded:: 0.2
    """
    client = Client("192.0.2.7", "Mozilla/5.0")
    record = EventRecord(NOW, "logged_in", method="password", subject="ada", actor="ada", session="5e55", client=client)
    return replace(record, **changes)


def _identifier(name: str) -> Identifier:
    kind = IdentifierKind.EMAIL if "@" in name else IdentifierKind.USERNAME
    return Identifier(kind, name, name.casefold())
