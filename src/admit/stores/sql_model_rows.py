"""The rows of an application's users, and the database that they are in."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, class_mapper

from admit.errors import ConfigurationError, IdentifierTaken
from admit.stores.sql_forks import keep_apart
from admit.stores.sql_in_memory import is_in_memory, without_commits
from admit.stores.sql_model_columns import demand, primary_key, said_by, trouble
from admit.stores.sql_model_values import Person, key_of, largest_of, moment_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Self

    from sqlalchemy import Column, Engine

    from admit.model import IdentifierKind

__all__ = ["ModelRows"]

_ACTIVE = ("is_active", "active")


class ModelRows:
    """What the verbs of :class:`admit.stores.sql_model_table.ModelTable` are made of.

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

    def bound(self) -> Self:
        """Return this table in the database that the session factory uses now."""
        table = copy(self)
        table._engine = self.engine  # noqa: SLF001 -- of this class
        return table

    def key_of(self, account_id: str) -> Any:
        """Return the key for an id, or ``None`` for what can't be one: each key has one spelling."""
        return key_of(account_id, self._key_type, self._largest_key)

    @cached_property
    def _largest_key(self) -> int:
        return largest_of(self._columns[self._key].type, self.engine.dialect)

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
        stored = row[self._password] if self._password else None
        verified = row[self._verified] if self._verified else None
        return Person(
            id=str(row[self._key]),
            names=named,
            password=text_of(stored),
            is_active=bool(row[self._active]) if self._active else True,
            verified_at=moment_of(verified),
            read={name: row[name] for name in (*self._names, *filter(None, (self._active, self._verified)))},
            stored_password=stored,
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
                # Not from the error: PostgreSQL's has the whole row, with the hash of the password.
                raise self._refusal(written or {}, said_by(error)) from None

    def _refusal(self, written: Mapping[str, Any], said: str) -> Exception:
        names = [name for name in self._names if written.get(name)]
        taken = or_(*(self._column(name) == written[name] for name in names)) if names else None
        if taken is not None and self._people(taken, 1):
            return IdentifierTaken()
        message = (
            f"The database refused a change of {self._model.__name__}: another table, or a column without a default, "
            "does not allow it. Give each column that Admit does not know a default, and each reference an ON DELETE. "
            f"The database says: {said}."
        )
        return ConfigurationError(message)
