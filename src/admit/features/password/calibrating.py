"""What one hash costs on this machine, and which settings make it cost what it should.

A hash is to take an attacker long and people no time that they notice. Memory counts more than passes, because that is
what makes hardware for guessing dear. Sources: RFC 9106, section 4; OWASP, Password Storage Cheat Sheet.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LONGEST", "SHORTEST", "Cost", "measured", "recommended"]

#: What one hash should take, in seconds: less is cheap to guess at, more is noticed and easy to flood.
SHORTEST, LONGEST = 0.1, 0.5
#: What is recommended takes at most so long: a server is slower when it is busy.
_TARGET = LONGEST / 2
#: KiB of memory and passes, the strongest first; the last is OWASP's floor.
_LADDER = ((262144, 3), (131072, 3), (65536, 3), (65536, 2), (47104, 2), (47104, 1), (19456, 2))
_ROUNDS = 3
_SALT, _SECRET = b"0123456789abcdef", b"a password to measure by"


class Cost(NamedTuple):
    """The parameters of a hash, and how long one takes with them."""

    memory_kib: int
    time_cost: int
    seconds: float


def measured(
    memory_kib: int, time_cost: int, parallelism: int = 1, *, clock: Callable[[], float] = time.perf_counter
) -> Cost:
    """Return what a hash with these parameters costs here: the median of a few.

    Args:
        memory_kib: The memory that it takes, in KiB.
        time_cost: How many passes it makes over it.
        parallelism: How many lanes it has.
        clock: Seconds, of any beginning.

    Raises:
        MemoryError: This machine has not as much memory.

    .. versionadded:: 0.2
    """
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret_raw

    took: list[float] = []
    for _ in range(_ROUNDS):
        began = clock()
        try:
            hash_secret_raw(_SECRET, _SALT, time_cost, memory_kib, parallelism, 32, Type.ID)
        except HashingError as error:
            raise MemoryError from error
        took.append(clock() - began)
    return Cost(memory_kib, time_cost, statistics.median(took))


def recommended(cost: Cost) -> Cost:
    """Return the strongest of some good settings with which a hash does not take too long, and how long it would.

    Time grows with memory times passes, so that one measurement will do. On a machine on which even the weakest takes
    too long it is that one: nothing below it is strong enough.

    Args:
        cost: What was measured here.

    .. versionadded:: 0.2
    """
    each = cost.seconds / (cost.memory_kib * cost.time_cost)
    costs = [Cost(memory, passes, memory * passes * each) for memory, passes in _LADDER]
    return next((one for one in costs if one.seconds <= _TARGET), costs[-1])
