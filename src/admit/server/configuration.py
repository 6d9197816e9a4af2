"""Reading settings: flags before the environment, the environment before a TOML file, and defaults last."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from admit.errors import ConfigurationError
from admit.settings import refuse_unknown_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from admit.settings import Settings

__all__ = ["CONFIG", "Found", "Shown", "configuration", "shown_settings", "values_of"]

#: The variable that names the TOML file; no setting, because a file can't name itself.
CONFIG = "ADMIT_CONFIG"

_PREFIX = "ADMIT_"
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_PASSWORD = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")
_MASK = "***"


class Found(NamedTuple):
    """A value, and where it comes from."""

    value: Any
    origin: str


class Shown(NamedTuple):
    """A setting as an operator sees it: secrets are masked."""

    key: str
    value: Any
    origin: str
    doc: str


def configuration(
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    file: Path | None,
    known: Iterable[type[Settings]],
    *,
    without: Collection[str] = (),
) -> dict[str, Found]:
    """Return what was set, by key, each with the place that wins.

    Args:
        flags: What the command line says; ``None`` for what it does not.
        environment: The variables of the environment.
        file: A TOML file, whose tables are the sections: ``idle`` in ``[session]`` is ``ADMIT_SESSION_IDLE``.
        known: What can be set.
        without: Keys that count as not set.

    Raises:
        ConfigurationError: There is no such setting, or the file can't be read.
    """
    known = list(known)
    kinds = {settings.key(name): found for settings in known for name, found in settings._kinds().items()}  # noqa: SLF001 -- a part of the same mechanism
    of_file = dict(_flat(_read(file), _PREFIX)) if file is not None else {}
    of_environment = {key: value for key, value in environment.items() if key.startswith(_PREFIX) and key != CONFIG}
    of_file, of_environment, flags = (
        {key: value for key, value in mapping.items() if key not in without}
        for mapping in (of_file, of_environment, flags)
    )
    for mapping in (of_file, of_environment):
        refuse_unknown_keys(mapping, known)
    found = {key: Found(_typed(key, value, kinds[key]), str(file)) for key, value in of_file.items()}
    found |= {key: Found(_typed(key, value, kinds[key]), "environment") for key, value in of_environment.items()}
    return found | {key: Found(value, "command line") for key, value in flags.items() if value is not None}


def values_of(found: Mapping[str, Found]) -> dict[str, Any]:
    """Return the values alone, as :func:`admit.server.create_app` takes them."""
    return {key: one.value for key, one in found.items()}


def shown_settings(found: Mapping[str, Found], known: Iterable[type[Settings]]) -> list[Shown]:
    """Return every setting with the value that counts and where it comes from.

    Raises:
        ConfigurationError: A setting has a value that it can't have.
    """
    values = values_of(found)
    rows: list[Shown] = []
    for settings in known:
        read = settings.from_mapping(values)
        for one in fields(settings):
            key, value = settings.key(one.name), getattr(read, one.name)
            origin = found[key].origin if key in found else "default"
            rows.append(Shown(key, _masked(value, is_secret=not one.repr), origin, one.metadata["doc"]))
    return rows


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        message = f"{file} can't be read: {error.strerror}. Check the path that --config or {CONFIG} gives."
    except ValueError as error:  # what is no TOML, or no UTF-8
        message = f"{file} is no TOML file: {error}. Correct it there."
    raise ConfigurationError(message)


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        key = f"{prefix}{name}".upper()
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{key}_")
        else:
            yield key, value


def _typed(key: str, value: Any, kinds: tuple[type, ...]) -> Any:
    """Return what a text stands for; what is no text, from a file, is checked by the settings themselves."""
    if not isinstance(value, str):
        return value
    if type(None) in kinds and value.strip().casefold() in {"", "none"}:
        return None
    if bool in kinds:
        return _truth(key, value)
    if tuple in kinds:
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if int in kinds or timedelta in kinds:
        return _number(key, value, is_whole=int in kinds)
    return value


def _truth(key: str, text: str) -> bool:
    word = text.strip().casefold()
    if word not in _TRUE | _FALSE:
        message = f"{key} is {text!r}, which it can't be. Set it to true or false."
        raise ConfigurationError(message)
    return word in _TRUE


def _number(key: str, text: str, *, is_whole: bool) -> float:
    try:
        return int(text) if is_whole else float(text)
    except ValueError as error:
        what = "a whole number" if is_whole else "a number of seconds"
        message = f"{key} is {text!r}, which it can't be. Set it to {what}."
        raise ConfigurationError(message) from error


def _masked(value: Any, *, is_secret: bool) -> Any:
    if value is None or value == ():
        return value
    if is_secret:
        return _MASK
    return _PASSWORD.sub(rf"\1:{_MASK}@", value) if isinstance(value, str) else value
