"""The table of an application's users, by way of its SQLAlchemy model: whatever it is called and looks like."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, class_mapper

from admit.errors import ConfigurationError, IdentifierTaken
from admit.model import IdentifierKind
from admit.stores.sql_forks import keep_apart
from admit.stores.sql_in_memory import is_in_memory, without_commits
from admit.stores.sql_model_columns import demand, primary_key, python_type, trouble
from admit.stores.sql_model_ids import refuse_other_ids
from admit.stores.sql_model_values import Person, key_of, largest_of, moment_of, still

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Column, Engine

    from admit.model import Account

__all__ = ["ModelTable"]

_ACTIVE = ("is_active", "active")


class ModelTable:
    """Reads and writes the rows of an application's users.

    Args:
        session_factory: Returns a session of the application's.
        model: Its class of users.
        identifiers: The attributes that name a user, and what kind of name each is.
        password: The attribute with the hash of the password, if there is one.
        verified: The attribute that says whether, or when, the mail address was confirmed, if there is one.
    """

    def __init__(
        self,
        session_factory: Callable[[], Any],
        model: type[Any],
        identifiers: Mapping[str, IdentifierKind],
        password: str | None,
        verified: str | None,
    ) -> None:
        self._session_factory = session_factory
        self._engine: Engine | None = None
        self._engines: WeakSet[Engine] = WeakSet()
        self._model = model
        # Before the models of the application are complete, its mappers can't be configured.
        columns: Mapping[str, Column[Any]] = dict(class_mapper(model, configure=False).columns.items())
        self._columns = columns
        for name in (*identifiers, *filter(None, (password, verified))):
            demand(model, columns, name)
        self._names, self._password, self._verified = dict(identifiers), password, verified
        self._active = next((one for one in _ACTIVE if one in columns), None)
        self._key, self._key_type = primary_key(model, columns)

    @property
    def engine(self) -> Engine:
        """The engine that the application's session uses for this model: another one for each application, perhaps."""
        return self._engine or self._engine_now()

    def _engine_now(self) -> Engine:
        try:
            session = self._session_factory()
        except RuntimeError:  # Flask-SQLAlchemy's, outside of any application: the only one that there is will do
            if len(self._engines) == 1:
                return next(iter(self._engines))
            raise
        engine: Engine = session.get_bind(mapper=class_mapper(self._model, configure=False)).engine
        keep_apart(engine)
        self._engines.add(engine)
        return engine

    def bound(self) -> ModelTable:
        """Return this table in the database that the session factory uses now."""
        table = copy(self)
        table._engine = self.engine  # noqa: SLF001 -- of this class
        return table

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
        newest = select(column).where(column.is_not(None), column != "").order_by(self._column(self._key).desc())
        with self._session() as session:
            return [str(one) for one in session.execute(newest.limit(limit)).scalars()]

    # -- writing ---------------------------------------------------------------------------------

    def replace_password(self, account_id: str, old: str | None, new: str) -> bool:
        """Write a hash if the one that was read still stands."""
        column = self._column(str(self._password))
        return self._update(account_id, {str(self._password): new}, column.is_(None) if old is None else column == old)

    def add(self, account: Account, password: str | None) -> str:
        """Add a user, and return the id that it got.

        Raises:
            IdentifierTaken: There is one of that name.
            ConfigurationError: The model lacks a column for a kind of name, or needs more than it is given.
        """
        values: dict[str, Any] = {self._attribute(one.kind): one.value for one in account.identifiers}
        if self._password is not None:
            values[self._password] = password
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

    # -- keys ------------------------------------------------------------------------------------

    def key_of(self, account_id: str) -> Any:
        """Return the key for an id, or ``None`` for what can't be one: each key has one spelling."""
        return key_of(account_id, self._key_type, self._largest_key)

    @cached_property
    def _largest_key(self) -> int:
        return largest_of(self._columns[self._key].type, self.engine.dialect)

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

    def _makes_keys(self) -> bool:
        column = self._columns[self._key]
        return column.default is not None or column.server_default is not None

    # -- steps -----------------------------------------------------------------------------------

    def _standing(self, is_active: bool) -> dict[str, Any]:  # noqa: FBT001 -- a value
        return {} if self._active is None else {self._active: is_active}

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

    def _column(self, name: str) -> Any:
        return getattr(self._model, name)

    def _people(self, condition: Any, limit: int | None = None) -> list[Person]:
        names = [self._key, *self._names, *filter(None, (self._password, self._active, self._verified))]
        asked = select(*map(self._column, names)).where(condition).order_by(self._column(self._key)).limit(limit)
        with self._session() as session:
            rows = [dict(zip(names, row, strict=True)) for row in session.execute(asked)]
        return [self._person(row) for row in rows]

    def _person(self, row: Mapping[str, Any]) -> Person:
        named = tuple((kind, str(row[name])) for name, kind in self._names.items() if row[name])
        password = row[self._password] if self._password else None
        verified = row[self._verified] if self._verified else None
        return Person(
            id=str(row[self._key]),
            names=named,
            password=None if password is None else str(password),
            is_active=bool(row[self._active]) if self._active else True,
            verified_at=moment_of(verified),
            read={name: row[name] for name in (*self._names, *filter(None, (self._active, self._verified)))},
        )

    def _update(self, account_id: str, values: Mapping[str, Any], *conditions: Any) -> bool:
        where = (self._column(self._key) == self.key_of(account_id), *conditions)
        written = {self._column(name): value for name, value in values.items()}
        changed = update(self._model).where(*where).values(written).execution_options(synchronize_session=False)
        with self._session(values) as session:
            found: Any = session.execute(changed)
            session.commit()
            return bool(found.rowcount)

    @contextmanager
    def _session(self, written: Mapping[str, Any] | None = None) -> Generator[Session]:
        """Open a session of our own on the application's engine."""
        engine = self.engine
        with trouble(), Session(without_commits(engine) if is_in_memory(engine) else engine) as session:
            try:
                yield session
            except IntegrityError as error:
                session.rollback()
                raise self._refusal(written or {}) from error

    def _refusal(self, written: Mapping[str, Any]) -> Exception:
        names = [name for name in self._names if written.get(name)]
        taken = or_(*(self._column(name) == written[name] for name in names)) if names else None
        if taken is not None and self._people(taken, 1):
            return IdentifierTaken()
        message = (
            f"The database refused a change of {self._model.__name__}: another table, or a column without a default, "
            "does not allow it. Give each column that Admit does not know a default, and each reference an ON DELETE."
        )
        return ConfigurationError(message)
