"""gevent replaces parts of the standard library after Admit was imported and an application was set up."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.serving import ROOT

if TYPE_CHECKING:
    from pathlib import Path

#: Two greenlets over a store that was opened before gevent replaced anything.
RECORD = """
import sys
from datetime import UTC, datetime
from admit.model import EventRecord, Outcome
from admit.stores.sql import SqlStore
from admit.testing import a_session

store = SqlStore(f"sqlite:///{sys.argv[1]}/app.db")
import gevent.monkey
gevent.monkey.patch_all()
import gevent

def tell():
    with store.recording([EventRecord(datetime.now(UTC), "LoggedIn", Outcome.SUCCESS)]) as is_written:
        gevent.sleep(0)
        return is_written()

telling, other = gevent.spawn(tell), gevent.spawn(lambda: store.add_session(a_session()))
gevent.joinall([telling, other], raise_error=True)
assert not telling.value
assert list(store.list_events()) == []
store.close()
print("done")
"""


def kept(tmp_path: Path, code: str = "") -> list[str]:
    """Return what the program finds that was kept of before."""
    found: list[str] = json.loads(run(str(ROOT / "tests/monkey_patched.py"), str(tmp_path), code))
    return found


def run(*command: str) -> str:
    """Run a program in a process of its own, and return what it prints."""
    python = [sys.executable, "-W", "ignore", *command]
    return subprocess.run(python, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout  # noqa: S603


def test_u03_nothing_that_gevent_replaces_is_kept(tmp_path: Path) -> None:
    """No module, class, default or object of an application keeps a lock, poll, sleep or context of before."""
    assert kept(tmp_path) == []


def test_u03_what_is_kept_is_found(tmp_path: Path) -> None:
    """The search finds what a module, a class, a default or an object keeps."""
    code = """
import select, ssl, threading, time
import admit.idle
def act(*, wait=time.sleep): ...
admit.idle.nap, admit.idle.lock, admit.idle.act = time.sleep, threading.Lock(), act
admit.idle.Idle.poll = select.poll
idle = admit.idle.Idle(print)
idle.made = ssl.create_default_context()
"""
    assert set(kept(tmp_path, code)) == {
        "admit.idle: nap is time.sleep",
        "admit.idle: lock is lock",
        "admit.idle: act is time.sleep",
        "admit.idle: poll is select.poll",
        "admit.idle.Idle: made holds SSLContext",
    }


def test_u03_events_are_recorded_by_the_greenlet_that_tells_them(tmp_path: Path) -> None:
    """A change of one request never carries the events of another, although the store is older than gevent's locals."""
    assert run("-c", RECORD, str(tmp_path)) == "done\n"
