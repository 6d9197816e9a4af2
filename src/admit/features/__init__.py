"""The features: each folder is one, and none knows another. To remove one, remove its folder."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.feature import Feature

__all__ = ["everything", "working"]


def everything() -> list[Feature]:
    """Return every feature that there is a folder for, with default settings, in the order of their names.

    What lacks another that is not there is left out.

    .. versionadded:: 0.2
    """
    return working(made() for made in _classes())


def working(features: Iterable[Feature]) -> list[Feature]:
    """Return those of the features that lack nothing.

    .. versionadded:: 0.2
    """
    found = {feature.name: feature for feature in features}
    # One that is taken out may be what another one needs.
    while lacking := [name for name, feature in found.items() if feature.missing(found) is not None]:
        for name in lacking:
            del found[name]
    return list(found.values())


def _classes() -> list[type[Feature]]:
    from admit.feature import Feature

    folders = [f"{__name__}.{one.name}" for one in pkgutil.iter_modules(__path__) if one.ispkg]
    offered = (vars(importlib.import_module(folder)).values() for folder in folders)
    found = {one for values in offered for one in values if isinstance(one, type) and issubclass(one, Feature)}
    return sorted((one for one in found if one.name), key=lambda one: one.name)
