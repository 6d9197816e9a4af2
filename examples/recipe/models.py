"""Who can log in."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY
from config import db, login_manager
from sqlalchemy import select

from admit.flask import UserMixin

hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)

# Checked when nobody has the name, so that a wrong name takes as long as a wrong password.
NOBODY = hasher.hash("nobody has this password")


def same_name(name: str) -> str:
    """Return the one spelling under which a name is kept: "Ada" and "ada" are one person."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def same_password(password: str) -> str:
    """Return the password as it is hashed: keyboards spell "é" in two ways."""
    return unicodedata.normalize("NFC", password)


class User(db.Model, UserMixin):
    """A person with a name and a password."""

    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String, nullable=False, unique=True)
    # The index is unique, not a look before the insert: two sign-ups at once make one account.
    canonical_name = db.Column(db.String, nullable=False, unique=True)
    password = db.Column(db.String, nullable=False)

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.canonical_name = same_name(username)
        self.password = hasher.hash(same_password(password))

    @classmethod
    def get(cls, user_id: str) -> User | None:
        """Return the user with this id."""
        return db.session.get(cls, int(user_id))

    @classmethod
    def named(cls, username: str) -> User | None:
        """Return the user with this name, however it is spelled."""
        return db.session.scalar(select(cls).where(cls.canonical_name == same_name(username)))

    def authenticate(self, password: str) -> bool:
        """Tell whether this is the password; move it to stronger parameters when they have risen."""
        if not password_matches(self.password, password):
            return False
        if hasher.check_needs_rehash(self.password):
            self.password = hasher.hash(same_password(password))
            db.session.commit()
        return True

    def to_dict(self) -> dict[str, int | str]:
        """Return what a client may know."""
        return {"id": self.id, "username": self.username}


def password_matches(kept: str, password: str) -> bool:
    """Tell whether ``password`` is the one whose hash is kept."""
    try:
        return hasher.verify(kept, same_password(password))
    except VerifyMismatchError:
        return False


@login_manager.user_loader
def load_user(user_id: str) -> User | None:
    """Find the user of a session."""
    return User.get(user_id)
