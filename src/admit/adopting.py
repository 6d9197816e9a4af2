"""What a store is beside, whose accounts are an application's own users."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from admit.model import Account, Credential
    from admit.store import SessionStore

__all__ = ["EPOCH", "Adopting", "Binding", "HavingRoles", "SharingKeys", "SharingSecrets", "known_time", "roles_of"]

#: When something happened of which nobody has noted when.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@runtime_checkable
class Adopting(Protocol):
    """A store whose accounts are an application's own users, with the passwords that they had before.

    A credential whose ``details`` hold :data:`admit.model.ADOPTED` has a secret that the application made. A new one
    may come with the same password as the application would store it, in its details as :data:`admit.model.ECHO`:
    that is written where the application keeps its own, and nowhere else.

    .. versionadded:: 0.2
    """

    def open(self, **options: Any) -> SessionStore:
        """Open what is kept beside the application's users, once, and return it: it keeps all the rest.

        Args:
            options: What the store takes besides, such as timeouts.
        """
        ...

    def examples(self) -> Sequence[str] | None:
        """Return some of the secrets that the application made, for their form; ``None`` if it keeps none."""
        ...

    def load_user(self, account_id: str) -> object | None:
        """Return the application's own object for an account, or ``None``."""
        ...


def known_time(moment: datetime | None) -> datetime | None:
    """Return when something happened, for people; ``None`` if nobody has noted when.

    .. versionadded:: 0.2
    """
    return None if moment == EPOCH else moment


def roles_of(account: Account, store: object) -> list[str]:
    """Return the roles of an account in order: those that the application's own user has, where there are any.

    Args:
        account: The account.
        store: What keeps accounts or credentials, which may be beside an application's own users.

    .. versionadded:: 0.2
    """
    own = store.roles_of(account.id) if isinstance(store, HavingRoles) else None
    return sorted(account.roles if own is None else own)


@runtime_checkable
class HavingRoles(Protocol):
    """A store beside an application's own users, whose objects may have roles.

    .. versionadded:: 0.2
    """

    def roles_of(self, account_id: str) -> Collection[str] | None:
        """Return the roles that the application's own object has; ``None`` if it has no such attribute."""
        ...


@runtime_checkable
class Binding(Protocol):
    """A store beside an application's own users, which are in another database in each application.

    .. versionadded:: 0.2
    """

    def bound(self, **options: Any) -> Adopting:
        """Return the store for the database that the application's session uses now, opened.

        Args:
            options: What the store takes besides, such as timeouts.
        """
        ...


@runtime_checkable
class SharingSecrets(Protocol):
    """A store with secrets that an application may change by itself, without a word to Admit.

    .. versionadded:: 0.2
    """

    def counts(self, credential: Credential) -> bool:
        """Tell whether a credential that was read before still counts, or the application has changed its secret.

        Args:
            credential: As it was read. The same secret in another form is no change.
        """
        ...


@runtime_checkable
class SharingKeys(Protocol):
    """A store whose ids are the keys of an application's own rows, which the application may delete and use again.

    .. versionadded:: 0.2
    """

    def check_ids(self, method: str) -> None:
        """Check that the application's objects call themselves by the id of their account.

        Args:
            method: The name of the method that says it, ``get_id`` as a rule.

        Raises:
            ConfigurationError: They don't.
        """
        ...

    def start_findings(self, *, mails_confirmed_only: bool = False) -> Iterable[str]:
        """Return what is wrong with the rows as a whole, each as a sentence and what to do.

        Args:
            mails_confirmed_only: Whether there is a feature that mails to confirmed addresses only.
        """
        ...

    def check_sign_up(self, kinds: Collection[str]) -> None:
        """Check that the database takes a row for somebody who signs up.

        Args:
            kinds: What a new user is named by: ``"email"``, ``"username"``, or both.

        Raises:
            ConfigurationError: It does not.
        """
        ...

    def keeps(self, kind: type) -> bool:
        """Tell whether objects of this class are the rows."""
        ...

    def forget(self, account_id: str) -> None:
        """Forget what is kept beside a user whose row is gone: the database may give its key to the next one."""
        ...
