"""What ``admit doctor`` says of the ready application, also of one that does not start."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from admit.errors import ConfigurationError
from admit.flask.doctor import examined, refusal
from admit.server.app import create_app
from admit.server.configuration import configuration, values_of
from admit.server.pages import close_stores
from admit.server.settings import ServerSettings, known_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.findings import Finding
    from admit.server.program import Setup

__all__ = ["look"]

_KEY = re.compile(r"ADMIT_[A-Z_]+")
#: Without these it would be about another application.
_PLACES = frozenset(ServerSettings.key(name) for name in ("db", "sessions"))


def look(setup: Setup) -> Iterator[Finding]:
    """Return what there is to say: what keeps it from starting is told and left out, and the rest is looked at."""
    left_out, said = set[str](), set[str]()
    while True:
        try:
            found = configuration(setup.flags, os.environ, setup.file, known_settings(), without=left_out)
            values = values_of(found)
            app = create_app(values, serves=False)
        except ConfigurationError as problem:
            named = [key for key in _KEY.findall(str(problem)) if key not in left_out and _may_be_set(key, setup)]
            if str(problem) not in said:
                yield refusal(problem, goes_on=bool(named))
            said.add(str(problem))
            if not named:
                return
            left_out.add(named[0])
            continue
        break
    try:
        yield from examined(app, is_development=ServerSettings.from_mapping(values).dev)
    finally:
        close_stores(app)


def _may_be_set(key: str, setup: Setup) -> bool:
    """Tell whether somebody may have set a key that can be left out."""
    # What a file says is not known while it can't be read as a whole.
    is_set = key in os.environ or setup.flags.get(key) is not None or setup.file is not None
    return is_set and key not in _PLACES
