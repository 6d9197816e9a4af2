"""The thread that listens outlives every error, says so once, and drops what may be stale."""

from __future__ import annotations

import threading
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from admit import listening
from admit.errors import StoreError
from admit.listening import Changes
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30


class Source:
    """What is heard, as a test says it: a text is passed on, an error is raised."""

    def __init__(self) -> None:
        self.said: Queue[str | BaseException | None] = Queue()
        self.changes = Changes(self.hear)
        self.states: Queue[bool] = Queue()
        self.changes.watch(self.states.put)

    def hear(self, stopped: threading.Event, tell: Callable[[str | None], None]) -> None:
        """Listen until the test says an error."""
        tell(None)
        while not stopped.is_set():
            said = self.said.get(timeout=PATIENCE)
            if isinstance(said, BaseException):
                raise said
            if said is not None:
                tell(said)

    def stop(self) -> None:
        """End the thread."""
        self.said.put(None)
        self.changes.stop()


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    """Return a source that is tried again at once."""
    monkeypatch.setattr(listening, "_FIRST_RETRY", 0.0)
    return Source()


def heard_by(source: Source) -> Queue[str | None]:
    """Subscribe, and return what is heard, once listening has begun."""
    heard: Queue[str | None] = Queue()
    source.changes.subscribe(heard.put)
    assert heard.get(timeout=PATIENCE) is None
    return heard


@pytest.mark.parametrize(
    "error", [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), RuntimeError("x"), StoreError("x")], ids=repr
)
def test_an_error_ends_nothing(source: Source, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """After an error everything is dropped, it is logged once, and what is said next is heard."""
    heard = heard_by(source)
    assert source.states.get(timeout=PATIENCE) is True
    assert source.changes.are_heard
    for _ in range(3):
        source.said.put(error)
        assert source.states.get(timeout=PATIENCE) is False
        assert heard.get(timeout=PATIENCE) is None  # it went deaf
        assert heard.get(timeout=PATIENCE) is None  # it hears again
        assert source.states.get(timeout=PATIENCE) is True
    source.said.put("id")
    assert heard.get(timeout=PATIENCE) == "id"
    source.stop()
    assert not source.changes.are_heard
    told = [record for record in caplog.records if type(error).__name__ in record.getMessage()]
    assert len(told) == 3
    assert all(bool(record.exc_info) is not isinstance(error, StoreError) for record in told)
    assert sum("hears again" in record.getMessage() for record in caplog.records) == 3


def test_a_lasting_error_is_logged_once(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """While nothing can be heard each try is counted, and only the first one is logged."""

    def refuse(_stopped: threading.Event, _tell: object) -> None:
        message = "refused"
        raise ZeroDivisionError(message)

    changes = Changes(refuse)
    tries: Queue[bool] = Queue()
    changes.watch(tries.put)
    changes.subscribe(lambda _: None)
    assert [tries.get(timeout=PATIENCE) for _ in range(5)] == [False] * 5
    assert not changes.are_heard
    changes.stop()
    assert len([one for one in caplog.records if "ZeroDivisionError" in one.getMessage()]) == 1


def test_pauses_grow_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between tries that fail the pause doubles, up to a second."""
    pauses: list[float] = []

    class Stopped(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            pauses.append(timeout)
            if len(pauses) == 8:
                self.set()
            return self.is_set()

    def refuse(_stopped: threading.Event, _tell: object) -> None:
        raise StoreError

    changes = Changes(refuse)
    changes._run(changes._ears.get(), Stopped())
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1, 1, 1, 1]


def test_a_subscriber_that_fails_is_no_reason_to_be_deaf(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """One subscriber's error is logged, and the others and the thread go on."""

    def fail(_: str | None) -> None:
        message = "broken"
        raise KeyError(message)

    heard = heard_by(source)
    source.changes.subscribe(fail)
    heard_too: Queue[str | None] = Queue()
    source.changes.subscribe(heard_too.put)
    source.said.put("id")
    assert heard_too.get(timeout=PATIENCE) == "id"
    assert heard.get(timeout=PATIENCE) == "id"
    source.stop()
    assert "A subscriber of changes failed" in caplog.text


def test_a_watcher_that_fails_ends_nothing(source: Source) -> None:
    """Who counts may fail."""
    source.changes.watch(lambda _: 1 / 0)
    heard = heard_by(source)
    source.said.put("id")
    assert heard.get(timeout=PATIENCE) == "id"
    source.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_ended_is_started_again(source: Source) -> None:
    """What no thread survives leaves the process deaf, and the next look-up starts another thread."""
    heard = heard_by(source)
    thread = source.changes._ears.get().thread
    assert thread is not None
    source.said.put(SystemExit())
    assert heard.get(timeout=PATIENCE) is None
    thread.join(PATIENCE)
    assert not source.changes.are_heard
    source.changes.keep_listening()
    assert heard.get(timeout=PATIENCE) is None
    assert source.changes._ears.get().thread is not thread
    source.stop()


def test_a_machine_without_threads_to_spare(
    source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If no thread can be started the request goes on, and the next one tries again."""

    def refuse(_thread: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    heard: Queue[str | None] = Queue()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        source.changes.subscribe(heard.put)
        source.changes.keep_listening()
    assert not source.changes.are_heard
    assert len([one for one in caplog.records if "RuntimeError" in one.getMessage()]) == 1
    source.changes.keep_listening()
    assert heard.get(timeout=PATIENCE) is None
    source.stop()


def test_a_thread_that_another_one_has_started_is_enough(source: Source) -> None:
    """Two requests that find no thread start one."""
    heard_by(source)
    thread = source.changes._ears.get().thread
    source.changes._start(source.changes._ears.get())
    assert source.changes._ears.get().thread is thread
    source.stop()


def test_a_child_listens_by_itself(source: Source) -> None:
    """A child that was forked in C, while its parent held the lock, is deaf until a thread of its own listens."""
    heard = heard_by(source)

    def listen() -> None:
        assert not source.changes.are_heard
        source.changes.keep_listening()
        assert heard.get(timeout=PATIENCE) is None

    with source.changes._ears.get().lock:
        in_child(listen)
    assert source.changes.are_heard
    source.stop()
