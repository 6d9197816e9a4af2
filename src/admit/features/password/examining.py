"""What the doctor says of passwords: what they may be, and what hashing one costs on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from admit.errors import ConfigurationError
from admit.feature import can_regain
from admit.features.password.calibrating import LONGEST, SHORTEST, measured, recommended
from admit.findings import error, note, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from admit.feature import Feature
    from admit.features.password import Password
    from admit.features.password.calibrating import Cost
    from admit.findings import Finding

__all__ = ["examine", "of_cost", "of_settings"]

# NIST SP 800-63B-4, section 3.1.1.2: alone, and beside a second factor.
_ALONE, _WITH_FACTOR = 15, 8


def examine(password: Password, features: Mapping[str, Feature]) -> Iterator[Finding]:
    """Tell of weak settings, and of what a hash costs on this machine.

    Args:
        password: The feature.
        features: All features, by name.
    """
    yield from of_settings(password, features)
    try:
        _ = password.hasher  # which refuses what is too weak
        cost = measured(password.memory_kib, password.time_cost, password.parallelism)
    except ConfigurationError as problem:
        what, _, advice = str(problem).partition(". ")
        yield error("hash_cost", f"Nobody can log in by password: {what}.", advice)
    except MemoryError:
        sentence = f"This machine has not the {password.memory_kib // 1024} MiB that a hash takes."
        yield error("hash_cost", sentence, f"Set {password.key('memory_kib')} to less.")
    else:
        yield from of_cost(password, cost)


def of_settings(password: Password, features: Mapping[str, Feature]) -> Iterator[Finding]:
    """Tell of settings that make passwords weaker than they have to be.

    Args:
        password: The feature.
        features: All features, by name.
    """
    yield _of_length(password.key("min_length"), password.min_length, _ALONE)
    if any(one.second_factor for one in features.values()):
        yield _of_length(password.key("min_length_with_factor"), password.min_length_with_factor, _WITH_FACTOR)
    if password.breach_check is None:
        yield note(
            "password_breaches",
            "Passwords that are known from breaches of other sites are accepted.",
            "Give Password a breach_check.",
        )
    if not can_regain(features):
        yield warning(
            "password_reset",
            "Whoever forgets their password has no way back.",
            "Add the feature PasswordReset().",
        )


def of_cost(password: Password, cost: Cost, processors: int | None = None) -> Iterator[Finding]:
    """Tell whether a hash costs what it should, and what many at once do.

    Args:
        password: The feature.
        cost: What one was measured to cost.
        processors: How many processors this machine has.
    """
    better = recommended(cost)
    takes = f"A hash takes {_milliseconds(cost)} and {cost.memory_kib // 1024} MiB here"
    advice = (
        f"Set {password.key('memory_kib')} to {better.memory_kib} and {password.key('time_cost')} to "
        f"{better.time_cost}: that would take about {_milliseconds(better)}."
    )
    is_other = better[:2] != cost[:2]
    if cost.seconds > LONGEST and is_other:
        yield warning("hash_cost", f"{takes}, which people notice and strangers can flood.", advice)
    elif cost.seconds < SHORTEST and is_other:
        yield note("hash_cost", f"{takes}, which is cheap for whoever guesses, and this machine can do more.", advice)
    else:
        yield ok("hash_cost", f"{takes}.")
    yield _of_crowds(password, cost, processors or os.cpu_count() or 1)


def _of_length(key: str, length: int, least: int) -> Finding:
    if length >= least:
        return ok("password_length", f"{key} is {length}.")
    worst = error if length < _WITH_FACTOR else warning
    sentence = f"{key} is {length}, and short passwords are guessed."
    return worst("password_length", sentence, f"Set it to {least} or more (NIST SP 800-63B-4, section 3.1.1.2).")


def _of_crowds(password: Password, cost: Cost, processors: int) -> Finding:
    at_once = password.hashes_at_once
    memory = at_once * cost.memory_kib // 1024
    sentence = (
        f"One process hashes {at_once} at once, in at most {memory} MiB: {at_once / cost.seconds:.0f} logins a second."
    )
    if at_once <= processors:
        return ok("hashes_at_once", sentence)
    advice = f"Set {password.key('hashes_at_once')} to {processors} or less: this machine has {processors} processors."
    return warning("hashes_at_once", f"{sentence} More than there are processors only wait for each other.", advice)


def _milliseconds(cost: Cost) -> str:
    return f"{cost.seconds * 1000:.0f} ms"
