"""An application's own users as accounts: no column is added, and what they lack is kept in tables of Admit's own."""

from __future__ import annotations

import logging
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from admit import identifiers as names
from admit.errors import ConfigurationError, IdentifierTaken, StoreError
from admit.model import Account, Identifier, IdentifierKind
from admit.per_process import Mutex
from admit.store import AccountStore, CredentialStore
from admit.stores.sql_model_findings import MOST_TOLD, Unreadable, findings, warn_of_crossed
from admit.stores.sql_model_notes import changed_names, in_columns, is_locked, note_of, noted_key
from admit.stores.sql_model_passwords import ModelCredentials, echo_of
from admit.stores.sql_model_table import ModelTable
from admit.stores.sql_model_values import EPOCH, Person, kinds_of
from admit.stores.sql_spellings import spellings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from admit.model import Credential
    from admit.store import SessionStore

__all__ = ["ModelAccounts"]

_PAGE = 1000
#: How many users are looked at when an application starts.
_SAMPLE = 100
#: What a row is like.
_NOBODY = Person("", ((IdentifierKind.EMAIL, "nobody@example.org"),), None, is_active=True, verified_at=None, read={})

_log = logging.getLogger(__name__)


class ModelAccounts(ModelCredentials):
    """The users of an application, in its own table and on its own engine, as accounts.

    A name is found however its case is stored. Where two users' names differ by case alone neither is found, which is
    logged, because nobody can tell whom a person means; :meth:`findings` lists them.

    Args:
        session_factory: Returns the application's session: ``db.session`` of Flask-SQLAlchemy,
            ``lambda: db.session`` of Flask-SQLAlchemy-Lite, a ``scoped_session`` or a ``sessionmaker``.
        model: The class of its users. A column ``is_active`` or ``active`` says who may log in, if there is one.
        identifiers: The attributes that name a user: ``["username"]``, ``["email"]`` or both, or, where they are
            called otherwise, what kind each is: ``{"login": "username", "mail": "email"}``.
        password: The attribute with the hash of the password; ``None`` if the hashes there do not count any more.
        verified: The attribute that says whether, or when, the mail address was confirmed; ``True`` if each address
            that was there before Admit counts as confirmed.
        beside: Where sessions, challenges, credentials and what the model has no column for are kept: a URL, an
            engine, or a store that keeps accounts; in Admit's tables beside the application's own, without it.

    Raises:
        ConfigurationError: The model has no such column, or no key that can be an id.

    .. versionadded:: 0.2
    """

    def __init__(  # noqa: PLR0913 -- what can be said of a table
        self,
        session_factory: Callable[[], Any],
        model: type[Any],
        *,
        identifiers: Sequence[str] | Mapping[str, str],
        password: str | None = None,
        verified: str | bool = False,
        beside: Any = None,
    ) -> None:
        column = verified if isinstance(verified, str) else None
        self._table = ModelTable(session_factory, model, kinds_of(identifiers), password, column)
        self._keeps_passwords = password is not None
        self._trusts_addresses = verified is True
        self._source = beside
        self._beside: SessionStore | None = None
        # A global object serves every application: what is beside the table is there once for each database.
        self._besides: WeakValueDictionary[Any, SessionStore] = WeakValueDictionary()
        self._opened: list[SessionStore] = []
        # Of two stores that two threads open at once, one would never be closed.
        self._opening = Mutex()
        self._has_told = False

    def open(self, **options: Any) -> SessionStore:
        """Open what is kept beside the model, once, and return it; in an application context, if the session needs it.

        Args:
            options: What the store takes besides, such as timeouts.

        Raises:
            ConfigurationError: It keeps no accounts and credentials, or Admit's tables can't be there.
        """
        if self._beside is not None:
            return self._beside
        source = self._place()
        with self._opening:
            found = self._besides.get(source)
            if found is None:
                found = self._besides[source] = self._open(source, options)
        return found

    def bound(self, **options: Any) -> ModelAccounts:
        """Return these accounts in the database that the application's session uses now, opened.

        A session factory such as Flask-SQLAlchemy's ``db.session`` uses another database in each application.

        Args:
            options: What the store takes besides, such as timeouts.

        .. versionadded:: 0.2
        """
        one = copy(self)
        one._bind(options)  # noqa: SLF001 -- of this class
        return one

    def close(self) -> None:
        """Let go of what was opened beside the model; the application's engine is its own."""
        for store in self._opened:
            store.close()

    def _bind(self, options: dict[str, Any]) -> None:
        self._table, self._opened = self._table.bound(), []
        source = self._place()
        self._beside = self._besides[source] = self._open(source, options)

    def _place(self) -> Any:
        return self._table.engine if self._source is None else self._source

    def _open(self, source: Any, options: dict[str, Any]) -> SessionStore:
        if isinstance(source, str) or hasattr(source, "dialect"):
            from admit.stores.sql import SqlStore

            source = SqlStore(source, **options)
            self._opened.append(source)
        if not isinstance(source, AccountStore) or not isinstance(source, CredentialStore):
            message = f"{type(source).__name__} keeps no accounts. Give an SQL database as beside=."
            raise ConfigurationError(message)
        return cast("SessionStore", source)

    def upgrade(self) -> None:
        """Bring the tables beside the model to this version of Admit, where there are any."""
        getattr(self.open(), "upgrade", _nothing)()

    def is_current(self) -> bool:
        """Tell whether the tables beside the model are those of this version of Admit."""
        return bool(getattr(self.open(), "is_current", lambda: True)())

    def keeps(self, kind: type) -> bool:
        """Tell whether this is the class of the users, or one that is derived from it.

        .. versionadded:: 0.2
        """
        return self._table.keeps(kind)

    def check_sign_up(self, kinds: Collection[str]) -> None:
        """Check that people can sign up: that each column which demands a value gets one.

        Args:
            kinds: What a new user is named by: ``"email"``, ``"username"``, or both.

        Raises:
            ConfigurationError: A column gets none, or there is none for a kind of name.

        .. versionadded:: 0.2
        """
        self._table.check_sign_up([IdentifierKind(kind) for kind in kinds])

    def check_ids(self, method: str) -> None:
        """Check that the model's objects call themselves by their key, which is the id of their account.

        Args:
            method: The name of the method that says it, ``get_id`` as a rule.

        Raises:
            ConfigurationError: They call themselves by something else, such as an alternative token.

        .. versionadded:: 0.2
        """
        self._table.check_ids(method)

    def roles_of(self, account_id: str) -> frozenset[str] | None:
        """Return the roles of the application's own user, by their names; ``None`` if the model has no ``roles``.

        .. versionadded:: 0.2
        """
        return self._table.roles_of(account_id)

    def start_findings(self, *, mails_confirmed_only: bool = False) -> Iterator[str]:
        """Tell what is wrong with the table as a whole, of which a few rows are enough to see it.

        Args:
            mails_confirmed_only: Whether there is a feature that mails to confirmed addresses only.

        .. versionadded:: 0.2
        """
        hashes = Unreadable()
        for stored in (self.examples() or ()) if self._keeps_passwords else ():
            hashes.count("with one of the newest keys", stored)
        yield from hashes.told()
        if mails_confirmed_only and not self._trusts_addresses and not self._table.keeps_verified:
            found = [self._account(person) for person in self._table.page("", _SAMPLE)]
            unconfirmed = [one for one in found if one.email is not None and not one.is_verified]
            if unconfirmed:
                yield (
                    f"{len(unconfirmed)} of the first {len(found)} users have an address that does not count as "
                    "confirmed, so that PasswordReset() sends them no mail. Give ModelAccounts verified=True if the "
                    "addresses that were there before count as confirmed, or verified= the column that says so."
                )

    def uses_keys_again(self) -> bool:
        """Tell whether the database gives the key of a deleted user to the next one, as SQLite does by default.

        .. versionadded:: 0.2
        """
        return self._table.uses_keys_again()

    @property
    def account_names(self) -> tuple[str, ...]:
        """What the users are named by: ``"email"``, ``"username"`` or both.

        .. versionadded:: 0.2
        """
        return tuple(kind.value for kind in self._table.kinds.values())

    def load_user(self, account_id: str) -> object | None:
        """Return the application's own object for an account, or ``None``."""
        return self._table.load(account_id)

    def forget(self, account_id: str) -> None:
        """Forget what is noted of an id: a database may give it to somebody else.

        .. versionadded:: 0.2
        """
        self._notes.delete_account(account_id)
        for one in self._credentials.list_credentials(account_id):
            self._credentials.delete_credential(one.id)

    def findings(self) -> Iterator[str]:
        """Tell of users who can't sign in by one of their names, whom no mail reaches, or whose hash is too costly.

        .. versionadded:: 0.2
        """
        yield from findings(self._people(), self._table.kinds)
        yield from self._left_behind()

    # -- accounts --------------------------------------------------------------------------------

    def add_account(self, account: Account, *credentials: Credential) -> Account:
        """Keep a new account and its first credentials; return it with the id that its key gives it."""
        self._refuse_taken(account.identifiers)
        kept = replace(account, id=self._table.add(account, echo_of(credentials)))
        try:
            self._refuse_taken(account.identifiers, own_id=kept.id)
        except IdentifierTaken:
            # Somebody else came at the same moment, and no rule of the database has stopped either.
            self._table.delete(kept.id)
            raise
        self.forget(kept.id)
        try:
            self._notes.add_account(note_of(kept))
            for one in credentials:
                own = replace(one, subject=kept.id, key=kept.id if one.key == account.id else one.key)
                self._add_first(own)
        except StoreError:
            # They may be in another database. Half an account would keep its names from whoever signs up once more.
            self._table.delete(kept.id)
            raise
        return kept

    def get_account(self, account_id: str) -> Account | None:
        """Return the account with this id, or ``None``."""
        person = self._table.get(account_id)
        return None if person is None else self._account(person)

    def find_account(self, key: str) -> Account | None:
        """Return the account that has an identifier with this canonical key, or ``None``."""
        self._tell_of_crossed_names()
        found = self._named(key)
        # One is read in any case: time must not tell who is there.
        account = self._account(found[0] if found else _NOBODY)
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            _log.error("The users %s have one name but for its case, so that none can sign in by it.", ids)
        return account if len(found) == 1 else None

    def replace_account(self, old: Account, new: Account, *credentials: Credential) -> bool:
        """Write ``new`` and its credentials if ``old`` still stands; ``False`` if it was changed or is gone.

        The note is first, with its epoch, and may be in another database: where the rest fails, logins have ended.
        """
        # In this order: what changes between the two is refused by the row itself.
        person, standing = self._table.get(old.id), self.get_account(old.id)
        if person is None or standing is None or standing.revision != old.revision:
            return False
        # The application's own change of its row does not count as a revision.
        if in_columns(standing) != in_columns(old):
            return False
        own = {(one.kind, one.key) for one in standing.identifiers}
        self._refuse_taken([one for one in new.identifiers if (one.kind, one.key) not in own], own_id=old.id)
        written = replace(new, id=old.id, revision=old.revision + 1)
        if not self._replace_note(note_of(standing), note_of(written), credentials):
            return False
        # Where the row is not written the epoch stays: what was noted of it meanwhile must never count again.
        before = replace(note_of(standing), epoch=written.epoch)
        try:
            is_written = in_columns(standing) == in_columns(written) or self._change(person, standing, written)
        except IdentifierTaken:
            # Taken at this very moment.
            self._notes.replace_account(note_of(written), before)
            raise
        if not is_written:  # changed at this very moment
            self._notes.replace_account(note_of(written), before)
            return False
        return all(self._put_in_column(one) for one in credentials if self._is_in_column(one.kind))

    def delete_account(self, account_id: str) -> bool:
        """Forget the account and its credentials, and delete the user; ``False`` if there is none."""
        # The user first: another table may refuse, and then everything is as it was.
        deleted = self._table.delete(account_id)
        if deleted:
            self.forget(account_id)
        return deleted

    def list_accounts(self, *, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts whose id follows ``after``, in the order of their keys."""
        return [self._account(person) for person in self._table.page(after, limit)]

    def list_closed(self, *, before: datetime, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts closed before ``before``, whose id follows ``after``, in that order."""
        found: list[Account] = []
        while len(found) < limit and (notes := self._notes.list_closed(before=before, after=after, limit=limit)):
            after = notes[-1].id
            # Without those whose user the application has deleted by itself, or has given another name since.
            found += [one for one in map(self.get_account, (note.id for note in notes)) if one and one.closed_at]
        return found[:limit]

    def count_accounts(self) -> int:
        """Return how many accounts there are."""
        return self._table.count()

    # -- steps -----------------------------------------------------------------------------------

    @property
    def _notes(self) -> AccountStore:
        return cast("AccountStore", self.open())

    @property
    def _credentials(self) -> CredentialStore:
        return cast("CredentialStore", self.open())

    def _named(self, key: str) -> list[Person]:
        """Return the users that a text names: an address is looked for among the addresses first, a name among names.

        Somebody who calls themselves by another one's address is not found in their place, nor beside them.
        """
        called, kind = self._called(key), names.kind_of(key)
        return [one for one, kinds in called if kind in kinds] or [one for one, _ in called]

    def _called(self, key: str) -> list[tuple[Person, set[IdentifierKind]]]:
        # As long as it takes to compare a name, whether there is one or not.
        found = self._table.named(spellings(key)) or [_NOBODY]
        called = [(one, {kind for kind, value in one.names if names.key_of(value) == key}) for one in found]
        return [(one, kinds) for one, kinds in called if kinds and one is not _NOBODY]

    def _refuse_taken(self, identifiers: Sequence[Identifier], *, own_id: str | None = None) -> None:
        for named in identifiers:
            if any(one.id != own_id and named.kind in kinds for one, kinds in self._called(named.key)):
                raise IdentifierTaken

    def _account(self, person: Person) -> Account:
        note = self._notes.get_account(person.id)
        known = tuple(self._identifier(person, note, kind, value) for kind, value in person.names)
        account = note or Account(person.id, (), EPOCH)
        locked_at = account.locked_at or (None if person.is_active else EPOCH)
        # A database may give the key of a user whom the application has deleted to another one, who has closed nothing.
        noted = {one.key for one in account.identifiers}
        is_meant = not noted or any(noted_key(person.id, one.key) in noted for one in known)
        closed_at = account.closed_at if is_meant else None
        return replace(account, identifiers=known, locked_at=locked_at, closed_at=closed_at)

    def _identifier(self, person: Person, note: Account | None, kind: IdentifierKind, value: str) -> Identifier:
        key, verified_at = names.key_of(value) or "", person.verified_at
        if note is None:
            verified_at = EPOCH if self._trusts_addresses else verified_at
        elif not self._table.keeps_verified:
            # An address is confirmed only as long as it is the same.
            noted = {one.key: one.verified_at for one in note.identifiers}
            verified_at = noted.get(noted_key(person.id, key))
        return Identifier(kind, value, key, verified_at if kind is IdentifierKind.EMAIL else None)

    def _replace_note(self, standing: Account, new: Account, credentials: Sequence[Credential]) -> bool:
        note = self._notes.get_account(new.id)
        if note is None:
            try:
                note = self._notes.add_account(standing)
            except (IdentifierTaken, StoreError):
                if (note := self._notes.get_account(new.id)) is None:
                    raise
        beside = [one for one in credentials if not self._is_in_column(one.kind)]
        return self._notes.replace_account(replace(note, revision=standing.revision), new, *beside)

    def _change(self, person: Person, standing: Account, written: Account) -> bool:
        """Write what of an account is in columns and has changed; ``False`` if the row is not as it was read."""
        before, after = (one.email.verified_at if one.email else None for one in (standing, written))
        return self._table.change(
            person,
            names=changed_names(standing, written),
            is_active=person.is_active if is_locked(standing) == is_locked(written) else not is_locked(written),
            verified_at=person.verified_at if before == after else after,
        )

    def _people(self) -> Iterator[Person]:
        after = ""
        while people := self._table.page(after, _PAGE):
            yield from people
            after = people[-1].id

    def _left_behind(self) -> Iterator[str]:
        """Tell of what is kept beside users whose rows are gone."""
        after = ""
        while notes := self._notes.list_accounts(after=after, limit=_PAGE):
            after = notes[-1].id
            for note in notes:
                if self._table.get(note.id) is None:
                    yield (
                        f"user {note.id} was deleted by another program, and the roles and sessions that belong to "
                        f"this key would go to the next user who gets it. Call login_manager.sessions.revoke_all("
                        f"{note.id!r}) and accounts.forget({note.id!r})."
                    )

    def _tell_of_crossed_names(self) -> None:
        """Log once, before the first name is looked for, which user names are addresses of others."""
        if not self._has_told:
            self._has_told = True
            warn_of_crossed(self._table.crossed(MOST_TOLD))


def _nothing() -> None:
    """Bring up to date what has no tables."""
