"""What ``LoginManager`` and ``init_app()`` are given: looked at before anything is opened."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, cast

from admit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask

    from admit.feature import Feature

__all__ = ["checked_features", "source_for"]


def source_for(app: Flask, store: Any) -> Any:
    """Return what ``store=`` names for an application, calling it where it is a function.

    Args:
        app: The application; its context is there while the function runs.
        store: A source of stores, a function that returns one, or two of those. A function is given the application,
            if it takes an argument.
    """
    if isinstance(store, tuple | list):
        return [source_for(app, one) for one in cast("list[Any]", store)]
    if not callable(store) or isinstance(store, type):
        return store
    with app.app_context():
        return store(app) if _takes_one(store) else store()


def checked_features(features: Iterable[Feature], store: Any) -> tuple[Feature, ...]:
    """Return the features, if they are some.

    Args:
        features: What was given as ``features=``.
        store: What was given as ``store=``.

    Raises:
        ConfigurationError: One is a class or something else, or there is no store for their accounts.
    """
    # What features need is imported with the first one, so that logins alone start sooner.
    found = tuple(features)
    if not found:
        return found
    from admit.feature import Feature

    for feature in cast("tuple[object, ...]", found):
        if isinstance(feature, type):
            message = f"{feature.__name__} is a class. Give a feature of it, as in features=[{feature.__name__}()]."
            raise ConfigurationError(message)
        if not isinstance(feature, Feature):
            message = f"{feature!r} is no feature. Give features such as Password() as features=[…]."
            raise ConfigurationError(message)
    if store is None:
        message = (
            "Features keep accounts in a store, and this LoginManager has none. "
            'Give it one, as in LoginManager(app, store="sqlite:///app.db", features=[…]).'
        )
        raise ConfigurationError(message)
    return found


def _takes_one(function: Any) -> bool:
    try:
        signature(function).bind(None)
    except TypeError:
        return False
    return True
