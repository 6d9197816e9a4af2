"""An application with FastAPI-Users: make its database, and sign in to it as it does itself."""

import asyncio
import json
import sys
import uuid
from typing import Any

from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import BaseUserManager, UUIDIDMixin
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users.password import PasswordHelper
from fastapi_users.schemas import BaseUserCreate
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

HASHERS = (Argon2Hasher(), BcryptHasher())


class Base(DeclarativeBase):
    """The base of the models."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """A user."""


class Users(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """What FastAPI-Users signs in by."""


def users_in(session: AsyncSession, first: int) -> Users:
    """Return it, with one of the two hashers in front."""
    hashers = PasswordHash((HASHERS[first], HASHERS[1 - first]))
    return Users(SQLAlchemyUserDatabase(session, User), PasswordHelper(hashers))


async def run(database: str, verb: str, given: list[list[str]]) -> list[bool]:
    """Make users, or sign them in."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    found: list[bool] = []
    async with AsyncSession(engine, expire_on_commit=False) as session:
        for number, (name, password) in enumerate(given):
            users = users_in(session, number % 2)
            email = f"{name}@example.org"
            if verb == "make":
                await users.create(BaseUserCreate(email=email, password=password, is_verified=True))
            else:
                form: Any = OAuth2PasswordRequestForm(username=email, password=password)
                found.append(await users.authenticate(form) is not None)
        await session.commit()
    await engine.dispose()
    return found


def main() -> None:
    """Do what the command line asks for with the users on standard input."""
    found = asyncio.run(run(sys.argv[1], sys.argv[2], json.load(sys.stdin)))
    if sys.argv[2] != "make":
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
