"""A program that sets applications up, has gevent replace parts of the library, and prints what is left of before.

It is given a folder for files, and code to run before it looks.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import json
import pkgutil
import sys
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.local import LocalProxy

import admit
from admit.features import everything
from admit.flask import LoginManager
from admit.per_process import PerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = ("_thread", "os", "queue", "select", "selectors", "signal", "socket", "ssl")
LIBRARY += ("subprocess", "threading", "time")
NOBODY = "127.0.0.1:1"


def set_up(folder: str) -> list[Flask]:
    """Set an application up over each kind of store."""
    apps = []
    for store in (f"sqlite:///{folder}/app.db", f"postgresql+psycopg://nobody@{NOBODY}/nothing"):
        app = Flask("site")
        app.config.update(TESTING=True, SECRET_KEY="key", ADMIT_MAIL_SENDER="site@people.example")
        LoginManager(app, store=(store, f"redis://{NOBODY}"), features=everything(), mail=f"smtp://{NOBODY}")
        apps.append(app)
    return apps


def library() -> dict[str, Any]:
    """Return what the library has that can be called, by its full name."""
    modules = {name: importlib.import_module(name) for name in LIBRARY}
    return {
        f"{name}.{key}": one for name, module in modules.items() for key, one in vars(module).items() if callable(one)
    }


class Replaced:
    """What was replaced, and what is of a kind that was."""

    def __init__(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.names = {id(one): name for name, one in before.items() if after.get(name) is not one}
        kinds = [one for name, one in before.items() if id(one) in self.names and isinstance(one, type)]
        locks = [type(before[f"threading.{name}"]()) for name in ("Lock", "RLock", "Condition", "Semaphore")]
        self._kinds = tuple(kinds + locks)
        self._kept = before

    def name_of(self, one: object) -> str | None:
        """Return what one was replaced, or its kind was; ``None`` if neither."""
        return self.names.get(id(one)) or (type(one).__name__ if isinstance(one, self._kinds) else None)

    def in_modules(self) -> Iterator[str]:
        """Look through the modules of Admit and their classes."""
        for found in pkgutil.walk_packages(admit.__path__, "admit."):
            module = importlib.import_module(found.name)
            classes = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == found.name]
            for holder in (module, *classes):
                for key, one in _values_of(holder):
                    if self.name_of(one):
                        yield f"{found.name}: {key} is {self.name_of(one)}"

    def in_objects(self) -> Iterator[str]:
        """Look through the objects of Admit, but for what the child of a fork makes for itself."""
        objects = gc.get_objects()
        own = {id(one) for made in objects if type(made) is PerProcess for one in made._made.values()}
        for holder in objects:
            kind = type(holder)
            if not str(kind.__module__).startswith("admit.") or kind is PerProcess or id(holder) in own:
                continue
            slots = [slot for base in kind.__mro__ for slot in vars(base).get("__slots__", ())]
            for key in (*getattr(holder, "__dict__", ()), *slots):
                name = self.name_of(getattr(holder, key, None))
                if name:
                    yield f"{kind.__module__}.{kind.__name__}: {key} holds {name}"


def _values_of(holder: object) -> Iterator[tuple[str, object]]:
    """Return what a module or class holds, and what its functions do by default."""
    for key, one in list(vars(holder).items()):
        if isinstance(one, LocalProxy):
            continue
        yield key, one
        function = getattr(one, "__func__", one)
        if inspect.isfunction(function):
            for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
                yield key, default


if __name__ == "__main__":
    apps = set_up(sys.argv[1])
    for found in pkgutil.walk_packages(admit.__path__, "admit."):
        importlib.import_module(found.name)
    exec(sys.argv[2])  # noqa: S102 -- what a test puts in
    before = library()
    import gevent.monkey

    gevent.monkey.patch_all()
    replaced = Replaced(before, library())
    assert {"select.poll", "time.sleep", "threading.Event", "ssl.SSLContext"} <= set(replaced.names.values())
    sys.stdout.write(json.dumps(sorted({*replaced.in_modules(), *replaced.in_objects()})))
