"""What the tests of stores share: a database with a table of users, as an application has it."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    Integer,
    String,
    Uuid,
    create_engine,
)
from sqlalchemy.orm import DeclarativeBase, mapped_column, sessionmaker
from sqlalchemy.types import TypeDecorator

from admit.stores.sql_model import ModelAccounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from admit.model import Credential

HASH = "scrypt:1024:8:1$salt$" + "0" * 128


class Guid(TypeDecorator[UUID]):
    """The key of FastAPI-Users, which says that it is a UUID and more."""

    impl = Uuid
    cache_ok = True

    @property
    def python_type(self) -> Any:
        """Say so."""
        return Annotated[UUID, "version 4"]


KEYS: dict[str, Callable[[], Any]] = {
    "int": lambda: mapped_column(Integer, primary_key=True),
    "str": lambda: mapped_column(String(40), primary_key=True),
    "made str": lambda: mapped_column(String(40), primary_key=True, default=lambda: secrets.token_hex(8)),
    "uuid": lambda: mapped_column(Uuid, primary_key=True),
    "made uuid": lambda: mapped_column(Uuid, primary_key=True, default=uuid4),
    "annotated uuid": lambda: mapped_column(Guid, primary_key=True, default=uuid4),
}


class Place:
    """A database with a table of users of one's own, and what makes accounts of it; a file, unless it is told where."""

    def __init__(self, folder: Path, key: str = "int", *, engine: Engine | None = None, **more: Any) -> None:
        class Base(DeclarativeBase):
            pass

        columns = {
            "number": KEYS[key](),
            "login": mapped_column("LOGIN", String(80), unique=True),
            "address": mapped_column(String(200), unique=True),
            "secret": mapped_column("pw", String(300)),
            **more,
        }
        self.base = Base
        self.needs_key = key in {"str", "uuid"}
        self.user: Any = type("Person", (Base,), {"__tablename__": "people", **columns})
        self.engine: Engine = engine or create_engine(f"sqlite:///{folder}/app.db")
        self.sessions = sessionmaker(self.engine)
        self.closing = ExitStack()
        self.closing.callback(self.engine.dispose)

    def store(self, **options: Any) -> ModelAccounts:
        """Return the accounts."""
        self.base.metadata.create_all(self.engine)
        given: dict[str, Any] = {"identifiers": {"login": "username", "address": "email"}, "password": "secret"}
        store = ModelAccounts(self.sessions, self.user, **(given | options))
        self.closing.callback(store.close)
        return store

    def add(self, **values: Any) -> str:
        """Add a user as the application does, and return the id."""
        with self.sessions() as session:
            if (
                "int" not in str(self.user.number.type).lower()
                and self.user.__table__.primary_key.columns[0].default is None
            ):
                values.setdefault(
                    "number", uuid4() if isinstance(self.user.number.type, Uuid) else secrets.token_hex(8)
                )
            session.add(user := self.user(**values))
            session.commit()
            return str(user.number)

    def row(self, account_id: str, store: ModelAccounts) -> Any:
        """Return the user's row."""
        with self.sessions() as session:
            return session.get(self.user, store._table.key_of(account_id))

    def set(self, **values: Any) -> None:
        """Change all users as the old code would."""
        with self.engine.begin() as connection:
            table = self.user.__table__
            connection.execute(table.update().values({table.c[name]: value for name, value in values.items()}))


@pytest.fixture
def open_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Return what makes a place."""
    with ExitStack() as closing:

        def make(*given: Any, **more: Any) -> Place:
            place = Place(tmp_path, *given, **more)
            closing.callback(place.closing.close)
            return place

        yield make


@pytest.fixture
def place(open_place: Callable[..., Place]) -> Place:
    """Return a place whose keys are whole numbers."""
    return open_place()


def one_password(store: ModelAccounts, account_id: str) -> Credential:
    """Return the user's password."""
    found = store.get_credential("password", account_id)
    assert found
    return found
