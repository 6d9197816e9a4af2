"""Logging why a request is answered with 503: once per request, with the cause and what to do about it.

The client is told nothing of it, so that the log is the only place where an operator can find out. Drivers put values
into their messages that nobody should read, such as the parameters of a statement; only the first line is logged, and
what looks like a password or a token in it is masked.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import has_request_context
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from admit.errors import Overloaded, StoreError
from admit.flask.context import request_globals, the_request

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["log_outage", "remedy_for", "store_trouble", "unavailable"]

#: Seconds after which a client that met a store that is down may try again.
_RETRY_AFTER = 2

_NOTED = "_admit_outage"
_LONGEST_MESSAGE = 300
_MOST_CAUSES = 8

_PASSWORD = re.compile(r"(://[^\s:/@]*):[^\s@]*@")
_OPAQUE = re.compile(r"[A-Za-z0-9_+=$-]{32,}")
#: What a statement or a command held, and of which row a constraint says something.
_VALUES = re.compile(r"(?:\[SQL:|\[parameters:|DETAIL:|\(Background on).*|\([^()]*\) of pipeline", re.DOTALL)

_LOCKED = (
    "Another connection is writing to this SQLite file. Commit or roll back your own transaction before you call "
    "Admit, or keep logins in a file of their own."
)
#: What to do, by what the messages of drivers have in them.
_REMEDIES: tuple[tuple[str, str], ...] = (
    (r"database (?:table |schema )?is locked|database is busy", _LOCKED),
    (r"\bOOM\b|maxmemory", "Redis is full. Give it more memory (maxmemory), or remove what else is in it."),
    (r"MISCONF|disk is full|disk I/O|No space left|could not extend", "Make room on the disk of the store."),
    (
        r"READONLY|read.?only",
        "The server accepts no writes. Give the address of the primary, and check the rights of the files.",
    ),
    (r"\bLOADING\b|starting up|shutting down", "The server is starting or stopping. Wait for it, or look at its log."),
    (
        r"NOAUTH|WRONGPASS|NOPERM|authentication failed|permission denied",
        "Check the user and the password of the store.",
    ),
    (
        r"no such (?:table|column)|(?:relation|column|table) .* does not exist",
        'Create or upgrade the tables with "flask admit db upgrade" or "admit db upgrade".',
    ),
    (
        r"too many (?:clients|connections)|max number of clients|remaining connection slots",
        "Allow the server more clients.",
    ),
    (
        r"[Tt]imed? ?out|Timeout",
        "The store is slow or out of reach. Check its load and the network, or raise ADMIT_STORE_COMMAND_TIMEOUT.",
    ),
)
_DEFAULT_REMEDY = "Check that the store runs and that its address is right."
_OVERLOADED = (
    "More people send passwords than this machine can hash. Add processors or processes, or raise "
    "ADMIT_PASSWORD_HASHES_AT_ONCE and ADMIT_PASSWORD_LOGINS_AT_ONCE."
)
_NO_MEMORY = "There is too little memory to hash a password. Add memory, or lower ADMIT_PASSWORD_HASHES_AT_ONCE."

_logger = logging.getLogger("admit.flask")


def unavailable(error: Exception) -> ServiceUnavailable:
    """Return the answer to a request whose store does not answer, and log why."""
    log_outage(error)
    return ServiceUnavailable(retry_after=_RETRY_AFTER)


@contextmanager
def store_trouble() -> Generator[None]:
    """Turn a store that does not answer into a 503: nobody is logged out by it, and nobody let in."""
    try:
        yield
    except StoreError as error:
        raise unavailable(error) from error


def log_outage(error: BaseException) -> None:
    """Log why this request is answered with 503, unless that was logged before."""
    where = ""
    if has_request_context():
        held, request = request_globals(), the_request()
        if held.get(_NOTED) is request:
            return
        held[_NOTED] = request
        # Not the path: a link has its token there.
        where = f" to {request.method} {request.endpoint}"
    _logger.error("Answered%s with 503. Cause: %s. %s", where, "; caused by ".join(_causes(error)), remedy_for(error))


def remedy_for(error: BaseException) -> str:
    """Return the sentence that says what to do about an outage."""
    if isinstance(error, Overloaded):
        return _OVERLOADED if error.__cause__ is None else _NO_MEMORY
    text = "\n".join(_causes(error))
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, text)), _DEFAULT_REMEDY)


def _causes(error: BaseException) -> list[str]:
    return [_described(one) for one in _chain(error)]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return the error and what it came of, the client's answer left out."""
    for _ in range(_MOST_CAUSES):
        if error is None:
            return
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or not isinstance(error, HTTPException):
            yield error
        error = cause


def _described(error: BaseException) -> str:
    first = (_VALUES.sub("", str(error)).strip().splitlines() or [""])[0]
    text = _OPAQUE.sub("***", _PASSWORD.sub(r"\1:***@", first))[:_LONGEST_MESSAGE].rstrip(". ")
    shown = "".join(filter(str.isprintable, text))
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__
