"""Errors of Redis: which of them the driver raises, and after which of them a command may be sent again."""

from __future__ import annotations

from typing import Any

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)

from admit.errors import StoreError

__all__ = ["FAILURES", "REFUSALS", "did_nothing", "succeeded", "unreachable"]

FAILURES = (RedisError, RedisClusterException, OSError)

#: Answers of a server that can't serve this client now: it has become a replica (READONLY), loads its data (LOADING),
#: has lost its primary (MASTERDOWN) or its cluster (CLUSTERDOWN), moves a slot (TRYAGAIN), or wants a password that an
#: old connection has not given (NOAUTH). The command was not carried out, and another server may be in charge now.
REFUSALS = (ReadOnlyError, BusyLoadingError, ClusterDownError, TryAgainError, AuthenticationError)

_NO_OWNER = "slot not served"


def did_nothing(answer: object) -> bool:
    """Return whether an answer, or an error, says that the server refused the command without carrying it out."""
    if isinstance(answer, REFUSALS):
        # A slot that no node has is no fault of the node that says so.
        return _NO_OWNER not in str(answer)
    # The driver's connections of Sentinel turn READONLY into a lost connection.
    return isinstance(getattr(answer, "__context__", None), ReadOnlyError)


def unreachable() -> StoreError:
    """Return the error to raise from the driver's, which may name keys and stays the cause."""
    return StoreError("Redis did not answer as it should. See the cause of this error for what it said.")


def succeeded(answer: Any) -> Any:
    """Return an answer out of many, or raise it if it is an error."""
    if isinstance(answer, ResponseError):
        raise answer
    return answer
