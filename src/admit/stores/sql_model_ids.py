"""Whether the objects of an application's model call themselves by their key, which is the id of their account."""

from __future__ import annotations

from contextlib import suppress
from inspect import getattr_static
from typing import Any
from uuid import UUID

from sqlalchemy.orm import SynonymProperty, class_mapper

from admit.errors import ConfigurationError

__all__ = ["refuse_other_ids"]

#: A key of each type, as no user has it.
_SAMPLES: dict[type, Any] = {int: 8_105_209, str: "a key of nobody", UUID: UUID(int=8_105_209)}


def refuse_other_ids(model: type[Any], key: str, key_type: type, method: str) -> None:
    """Refuse a model whose ``get_id()`` is not the text of its key.

    Sessions that ``login_user(user)`` begins would be about one id, and those of our pages about another: the loader
    would find one of the two, and a lock or an end of all sessions would miss the other.

    Args:
        model: The class of users.
        key: The attribute that is its key.
        key_type: The type of the key.
        method: The name of ``get_id``.

    Raises:
        ConfigurationError: Its objects call themselves by something else.
    """
    if not hasattr(model, method):
        return
    sample, found = _SAMPLES[key_type], None
    # Whatever it lacks to answer is not the key.
    with suppress(Exception):
        found = getattr(_Sample(model, key, sample), method)()
    if str(found) != str(sample):
        message = (
            f"{model.__name__}.{method}() does not return the key {key!r}, by which ModelAccounts knows each user. "
            f"Delete {method}(), or let it return str(self.{key}). To end a user's sessions, call "
            "login_manager.sessions.revoke_all(user) instead of changing an id."
        )
        raise ConfigurationError(message)


class _Sample:
    """A user with a key and the methods of a model, whose own objects can't be made before all models are there."""

    def __init__(self, model: type[Any], key: str, value: object) -> None:
        self.__dict__.update({"_model": model, key: value})

    def __getattribute__(self, name: str) -> Any:
        # super() asks an object what it is before it believes that it is one of the model.
        return object.__getattribute__(self, "_model" if name == "__class__" else name)

    def __getattr__(self, name: str) -> Any:
        mapper = class_mapper(self._model, configure=False)
        if mapper.has_property(name):  # a column, of which only the key has a value, or another name of one
            found: Any = mapper.get_property(name, _configure_mappers=False)
            return getattr(self, found.name) if isinstance(found, SynonymProperty) else None
        return getattr_static(self._model, name).__get__(self, self._model)
