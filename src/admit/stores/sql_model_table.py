"""The table of an application's users, by way of its SQLAlchemy model: whatever it is called and looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select, text

from admit.errors import ConfigurationError
from admit.model import IdentifierKind
from admit.stores.sql_model_columns import python_type, refuse_unfilled, trouble
from admit.stores.sql_model_ids import refuse_other_ids
from admit.stores.sql_model_rows import ModelRows
from admit.stores.sql_model_values import still, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from admit.model import Account
    from admit.stores.sql_model_values import Person

__all__ = ["ModelTable"]

_ACTIVE = ("is_active", "active")


class ModelTable(ModelRows):
    """Reads and writes the rows of an application's users."""

    @property
    def keeps_verified(self) -> bool:
        """Whether a column says which addresses are confirmed."""
        return self._verified is not None

    # -- reading ---------------------------------------------------------------------------------

    def get(self, account_id: str) -> Person | None:
        """Return the user with this id, or ``None``."""
        column, key = self._column(self._key), self.key_of(account_id)
        # Asked for what can't be a key, too: time must not tell that there is nobody to ask for.
        found = self._people(column.is_(None) if key is None else column == key)
        return found[0] if found else None

    @property
    def kinds(self) -> Mapping[str, IdentifierKind]:
        """The attributes that name a user, and what kind of name each is."""
        return self._names

    def named(self, spellings: Sequence[str]) -> list[Person]:
        """Return the users of whose names one is among these, but for the case of its ASCII letters."""
        return self._people(or_(*(func.lower(self._column(name)).in_(spellings) for name in self._names)))

    def crossed(self, limit: int) -> list[tuple[str, str]]:
        """Return user names that are addresses, but not their user's, with ids; none where a table has no addresses."""
        emails = [self._column(name) for name, kind in self._names.items() if kind is IdentifierKind.EMAIL]
        others = [self._column(name) for name, kind in self._names.items() if kind is IdentifierKind.USERNAME]
        found: list[tuple[str, str]] = []
        with self._session() as session:
            for name in others if emails else []:
                is_own = or_(*(func.lower(name) == func.lower(email) for email in emails))
                asked = select(self._column(self._key), name).where(name.like("%@%"), is_own.is_not(True))
                found += [(str(key), str(value)) for key, value in session.execute(asked.limit(limit))]
        return found

    def page(self, after: str, limit: int) -> list[Person]:
        """Return at most ``limit`` users whose key follows that of the id ``after``, in the order of keys."""
        key = self.key_of(after) if after else None
        return self._people(True if key is None else self._column(self._key) > key, limit)

    def count(self) -> int:
        """Return how many users there are."""
        with self._session() as session:
            return int(session.execute(select(func.count()).select_from(self._model)).scalar_one())

    def password_of(self, account_id: str) -> str | None:
        """Return the hash that the user's row holds."""
        person = self.get(account_id)
        return person.password if person else None

    def passwords(self, limit: int) -> list[str]:
        """Return some hashes, of the newest users."""
        column = self._column(str(self._password))
        newest = select(column).where(column.is_not(None)).order_by(self._column(self._key).desc())
        with self._session() as session:
            found = map(text_of, session.execute(newest.limit(limit)).scalars())
            return [one for one in found if one]

    # -- writing ---------------------------------------------------------------------------------

    def replace_password(self, account_id: str, old: str | None, new: str) -> bool:
        """Write a hash if the one that was read still stands, as text or bytes, whichever that was."""
        column, person = self._column(str(self._password)), self.get(account_id)
        if person is None or person.password != old:
            return False
        stored = person.stored_password
        unchanged = column.is_(None) if stored is None else column == stored
        return self._update(account_id, {str(self._password): self._as_stored(new, stored)}, unchanged)

    def add(self, account: Account, password: str | None) -> str:
        """Add a user, and return the id that it got.

        Raises:
            IdentifierTaken: There is one of that name.
            ConfigurationError: The model lacks a column for a kind of name, or needs more than it is given.
        """
        values: dict[str, Any] = {self._attribute(one.kind): one.value for one in account.identifiers}
        if self._password is not None:
            values[self._password] = None if password is None else self._as_stored(password, None)
        if self._key_type is not int and not self._makes_keys():
            values[self._key] = self.key_of(account.id)
        verified_at = account.email.verified_at if account.email else None
        with self._session(values) as session:
            user = self._model(**values)
            # Not given to the model: an __init__ of the application's own need not know them.
            for name, value in (self._standing(account.locked_at is None) | self._confirmed(verified_at)).items():
                setattr(user, name, value)
            session.add(user)
            session.commit()
            return str(getattr(user, self._key))

    def change(
        self,
        person: Person,
        *,
        names: Mapping[IdentifierKind, str | None],
        is_active: bool,
        verified_at: datetime | None,
    ) -> bool:
        """Write what of a user has changed; ``False`` if anything that was read of it has changed meanwhile.

        Args:
            person: What was read.
            names: Those that are to be others.
            is_active: Whether the user may log in.
            verified_at: When the address was confirmed.

        Raises:
            IdentifierTaken: There is another one of that name.
        """
        values: dict[str, Any] = {self._attribute(kind): value for kind, value in names.items()}
        if is_active != person.is_active:
            values |= self._standing(is_active)
        if verified_at != person.verified_at:
            values |= self._confirmed(verified_at)
        as_read = (still(self._column(name), value) for name, value in person.read.items())
        return not values or self._update(person.id, values, *as_read)

    def delete(self, account_id: str) -> bool:
        """Delete a user as the application itself would, with what its relationships say goes with it."""
        key = self.key_of(account_id)
        with self._session() as session:
            user = None if key is None else session.get(self._model, key)
            if user is None:
                return False
            session.delete(user)
            session.commit()
            return True

    def load(self, account_id: str) -> object | None:
        """Return the user's object, in the session of the application where it has one for each request."""
        key, session = self.key_of(account_id), self._session_factory()
        if key is None:
            return None
        with trouble():
            if self._session_factory() is session:
                user: object | None = session.get(self._model, key)
                return user
            with session:
                user = session.get(self._model, key)
                session.expunge_all()
                return user

    def roles_of(self, account_id: str) -> frozenset[str] | None:
        """Return the names in the user's attribute ``roles``, if there is one."""
        key = self.key_of(account_id)
        if key is None or not hasattr(self._model, "roles"):
            return None
        with self._session() as session:
            roles: Any = getattr(session.get(self._model, key), "roles", None)
            listed = [roles] if isinstance(roles, str) else roles or ()
            return frozenset(str(getattr(one, "name", one)) for one in listed)

    # -- keys ------------------------------------------------------------------------------------

    def keeps(self, kind: type) -> bool:
        """Tell whether this is the class of the users, or one that is derived from it."""
        return issubclass(kind, self._model)

    def check_ids(self, method: str) -> None:
        """Refuse a model whose objects call themselves by something else than their key."""
        refuse_other_ids(self._model, self._key, self._key_type, method)

    def uses_keys_again(self) -> bool:
        """Tell whether the database may give the key of a deleted user to the next one."""
        if self.engine.dialect.name != "sqlite" or self._key_type is not int:
            return False
        table: Any = self._columns[self._key].table
        with self._session() as session:
            made = session.execute(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table.name})
            return "AUTOINCREMENT" not in str(made.scalar()).upper()

    def check_sign_up(self, kinds: Collection[IdentifierKind]) -> None:
        """Check that a new row has a value for each column that demands one.

        Args:
            kinds: What kinds of names a new user has.

        Raises:
            ConfigurationError: It has not, or there is no column for a kind of name.
        """
        filled = {self._key, self._password, self._active, *map(self._attribute, kinds)}
        if python_type(self._columns[self._verified]) is bool if self._verified else False:
            filled.add(self._verified)
        refuse_unfilled(self._model, self._columns, filled)

    def _makes_keys(self) -> bool:
        column = self._columns[self._key]
        return column.default is not None or column.server_default is not None

    # -- steps -----------------------------------------------------------------------------------

    def _standing(self, is_active: bool) -> dict[str, Any]:  # noqa: FBT001 -- a value
        return {} if self._active is None else {self._active: is_active}

    def _as_stored(self, password: str, standing: Any) -> str | bytes:
        """Return a hash as the old code reads it: as bytes, if the column or what stands there is made of them."""
        column = str(self._password)
        if python_type(self._columns[column]) is not bytes and standing is None:
            newest = select(self._column(column)).where(self._column(column).is_not(None))
            with self._session() as session:
                standing = session.execute(newest.order_by(self._column(self._key).desc()).limit(1)).scalar()
        is_binary = python_type(self._columns[column]) is bytes or isinstance(standing, bytes)
        return password.encode() if is_binary else password

    def _confirmed(self, verified_at: datetime | None) -> dict[str, Any]:
        if self._verified is None:
            return {}
        is_flag = python_type(self._columns[self._verified]) is bool
        return {self._verified: verified_at is not None if is_flag else verified_at}

    def _attribute(self, kind: IdentifierKind) -> str:
        for name, its_kind in self._names.items():
            if its_kind is kind:
                return name
        message = (
            f"{self._model.__name__} has no column for {kind}. Name it in identifiers=, or let nobody sign up with it."
        )
        raise ConfigurationError(message)
