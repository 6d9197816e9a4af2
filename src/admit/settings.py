"""Settings: declared once, as fields of frozen dataclasses.

From one line come the constructor's argument, the key in a mapping such as ``app.config``, the check of
its value, and the row in the documentation: ``lifetime: timedelta = setting(timedelta(minutes=15), "How
long a link works.")``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import Enum
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, cast, get_args, get_origin, get_type_hints

from admit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Description", "SessionSettings", "Settings", "refuse_unknown_keys", "setting"]

#: What the keys of all our settings begin with.
_PREFIX = "ADMIT_"

# The longest time: "no limit" in a form that can be added to a date, and the most that a setting takes.
_FOREVER = timedelta(days=36_500)

_IN_WORDS = {
    timedelta: "a timedelta, or seconds",
    bool: "True or False",
    int: "a whole number",
    str: "a text",
    tuple: "a tuple of texts",
}


class Description(NamedTuple):
    """What there is to know of one setting."""

    key: str
    kind: str
    default: Any
    doc: str


def setting(default: Any, doc: str) -> Any:
    """Declare a setting: a field with a default and the sentence that explains it."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The base of all settings.

    A subclass is a frozen dataclass whose fields are made by :func:`setting`; ``section`` is what its keys
    have between ``ADMIT_`` and the name of the field.

    Raises:
        ConfigurationError: A value has the wrong type; the message names the key and what it takes.

    .. versionadded:: 0.1
    """

    section: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Check every value, and turn seconds into timedeltas."""
        for name, kinds in self._kinds().items():
            object.__setattr__(self, name, _checked(self.key(name), getattr(self, name), kinds))

    def demand_positive(self, *names: str) -> None:
        """Refuse zero and less; ``None`` is no such value.

        Args:
            names: The settings that are looked at; without any, all are.

        Raises:
            ConfigurationError: One of them is not more than zero; the message names its key.

        .. versionadded:: 0.2
        """
        for name in names or self._kinds():
            value = getattr(self, name)
            _refuse(value is not None and value <= type(value)(), self.key(name), "must be more than zero")

    @classmethod
    def key(cls, name: str) -> str:
        """Return the key under which a mapping holds the setting."""
        section = f"{cls.section}_" if cls.section else ""
        return f"{_PREFIX}{section}{name}".upper()

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys of all settings."""
        return [cls.key(name) for name in cls._kinds()]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Read the settings from a mapping such as ``app.config``; what it does not hold has its default."""
        given = {name: mapping[cls.key(name)] for name in cls._kinds() if cls.key(name) in mapping}
        return cls(**given)

    @classmethod
    def describe(cls) -> list[Description]:
        """Return a row for each setting, in the order of declaration."""
        kinds = cls._kinds()
        return [
            Description(cls.key(one.name), _in_words(kinds[one.name]), one.default, one.metadata["doc"])
            for one in fields(cls)
        ]

    @classmethod
    @cache
    def _kinds(cls) -> Mapping[str, tuple[type, ...]]:
        # Reading annotations takes longer than all else about settings, and an application asks often at its start.
        hints = get_type_hints(cls)
        return {one.name: _members(hints[one.name]) for one in fields(cls)}


@dataclass(frozen=True, kw_only=True)
class SessionSettings(Settings):
    """How long sessions live, and how they change on the way.

    .. versionadded:: 0.1
    """

    section: ClassVar[str] = "session"

    idle: timedelta | None = setting(
        timedelta(days=1), "How long a session lives without being used; None for no limit."
    )
    absolute: timedelta | None = setting(
        timedelta(days=7), "How long a session lives, however much it is used; None for no limit."
    )
    remembered_idle: timedelta | None = setting(
        timedelta(days=30), "How long a remembered session lives without being used; None for no limit."
    )
    remembered_absolute: timedelta | None = setting(
        timedelta(days=180), "How long a remembered session lives, however much it is used; None for no limit."
    )
    touch_every: timedelta = setting(timedelta(minutes=1), "How often the use of a session is noted, at most.")
    rotate_every: timedelta | None = setting(
        timedelta(hours=1), "After how long a session in use gets a new secret; None for never."
    )
    rotation_grace: timedelta = setting(
        timedelta(seconds=30),
        "How long a secret is accepted after its successor was first used; for 2 minutes after a change it always is.",
    )
    fresh_within: timedelta = setting(
        timedelta(minutes=20), "How long ago the last authentication of a fresh session may be."
    )
    max_per_user: int | None = setting(
        100, "How many sessions a user may have; the oldest ends when there is one more. None for no limit."
    )

    def __post_init__(self) -> None:
        """Check every value, and that together they make sense."""
        super().__post_init__()
        self.demand_positive()
        for name, value in vars(self).items():
            too_long = isinstance(value, timedelta) and value > _FOREVER
            _refuse(too_long, self.key(name), "must be at most a hundred years")
        for idle, absolute in (("idle", "absolute"), ("remembered_idle", "remembered_absolute")):
            both_off = getattr(self, idle) is None and getattr(self, absolute) is None
            _refuse(both_off, self.key(idle), f"and {self.key(absolute)} can't both be None: a session has to end")
        too_fast = self.rotate_every is not None and self.rotate_every < 2 * self.rotation_grace
        _refuse(too_fast, self.key("rotate_every"), f"must be at least twice {self.key('rotation_grace')}")

    def lifetimes(self, *, remember: bool, duration: timedelta | None = None) -> tuple[timedelta, timedelta]:
        """Return how long a new session lives without being used, and at all.

        Args:
            remember: Whether it outlives the browser.
            duration: How long a remembered one lives, used or not, instead of what the settings say.
        """
        if remember and duration is not None:
            return min(duration, _FOREVER), min(duration, _FOREVER)
        idle = self.remembered_idle if remember else self.idle
        absolute = self.remembered_absolute if remember else self.absolute
        return idle or _FOREVER, absolute or _FOREVER


def refuse_unknown_keys(mapping: Mapping[str, Any], known: Iterable[type[Settings]]) -> None:
    """Check that a mapping holds no key of ours that nobody reads.

    Raises:
        ConfigurationError: It does. A misspelled setting would protect nothing, and nobody would notice.
    """
    keys = [key for settings in known for key in settings.keys()]  # noqa: SIM118 -- not a mapping
    for key in mapping:
        if key.startswith(_PREFIX) and key not in keys:
            close = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]}?" if close else f"The settings are {', '.join(sorted(keys))}."
            message = f"There is no setting {key}. {hint}"
            raise ConfigurationError(message)


def _members(hint: Any) -> tuple[type, ...]:
    """Return the types that an annotation admits, without what is in them."""
    members = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return tuple(get_origin(member) or member for member in members)


def _checked(key: str, value: Any, kinds: tuple[type, ...]) -> Any:
    choice = next((kind for kind in kinds if issubclass(kind, Enum)), None)
    if choice is not None and isinstance(value, str):
        return _chosen(key, value, choice)
    if isinstance(value, list) and tuple in kinds:
        return tuple(cast("list[Any]", value))  # type: ignore[redundant-cast] # pyright wants it
    if timedelta in kinds and isinstance(value, int | float) and not isinstance(value, bool):
        return _seconds(key, value)
    return _plain(key, value, kinds)


def _plain(key: str, value: Any, kinds: tuple[type, ...]) -> Any:
    # A bool is an int to Python, but never to a reader.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        message = f"{key} is {value!r}, which it can't be. Set it to {_in_words(kinds)}."
        raise ConfigurationError(message)
    return value


def _chosen(key: str, value: str, choice: type[Enum]) -> Enum:
    try:
        return choice(value)
    except ValueError as error:
        choices = " or ".join(repr(str(one.value)) for one in choice)
        message = f"{key} is {value!r}, which it can't be. Set it to {choices}."
        raise ConfigurationError(message) from error


def _seconds(key: str, value: float) -> timedelta:
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError) as error:
        message = f"{key} is {value!r}, which is no length of time. Set it to {_IN_WORDS[timedelta]}."
        raise ConfigurationError(message) from error


def _in_words(kinds: tuple[type, ...]) -> str:
    return " or ".join(map(_word, kinds))


def _word(kind: type[Any]) -> str:
    if issubclass(kind, Enum):
        return " or ".join(repr(str(one.value)) for one in kind)
    return _IN_WORDS.get(kind, "None" if kind is type(None) else kind.__name__)


def _refuse(condition: bool, key: str, why: str) -> None:  # noqa: FBT001 -- reads as a sentence
    if condition:
        message = f"{key} {why}. Correct it, or leave it out for the default."
        raise ConfigurationError(message)
