"""Sending in the background: nobody waits, nothing is sent twice, and what fails for now is tried again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import deque
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from admit import background
from admit.background import BackgroundSender
from admit.errors import MailRefused
from admit.mail import Message, sender_of
from admit.smtp import SmtpSender
from tests.forks import in_child
from tests.mail_server import Mailbox, mail_server, silent_server
from tests.serving import free_port

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Condition

HELLO = Message("grace@example.com", "Hello", "A link: https://example.com/t/secret")
PATIENCE = 20


def numbered(number: int) -> Message:
    """Make a message that can be told from others."""
    return replace(HELLO, subject=f"n{number}")


class Scripted:
    """A sender whose next sendings fail as told, and that keeps what it was given."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = deque(failures)
        self.tried: list[Message] = []

    def send(self, message: Message) -> None:
        """Fail with the next failure, if there is one."""
        self.tried.append(message)
        if self.failures and (failure := self.failures.popleft()):
            raise failure


class Held:
    """A sender that does not come back until it may."""

    def __init__(self) -> None:
        self.begun, self.may_end = Event(), Event()
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        """Wait."""
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        self.sent.append(message)


class Ticking:
    """A clock that jumps to the end of each pause, and keeps the pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        """Return the present time."""
        return self.now

    def wait(self, condition: Condition, seconds: float | None) -> object:
        """Wait for a message, or jump."""
        if seconds is None:
            return condition.wait()
        self.pauses.append(seconds)
        self.now += seconds
        return None


def quick(sender: Any, **options: Any) -> BackgroundSender:
    """Make one that begins at once and repeats soon."""
    return BackgroundSender(sender, **{"delay": 0, "first_wait": 0.001} | options)


# -- nobody waits -----------------------------------------------------------------------------------------------------


def test_who_listens_is_told_what_came_of_each_try() -> None:
    """Whoever counts is told of each mail that went out, waits, is given up or was dropped, and not whose it is."""
    told: list[str] = []
    sender = quick(Scripted(None, OSError(), OSError(), ValueError()), attempts=2, capacity=1)
    sender.tell = told.append
    for number in range(3):
        sender.send(numbered(number))
        assert sender.flush(PATIENCE)
    assert told == ["sent", "postponed", "failed", "failed"]
    held = Held()
    full = quick(held, capacity=1)
    full.tell = told.append
    full.send(HELLO)
    assert held.begun.wait(PATIENCE)
    full.send(HELLO)
    full.send(HELLO)
    held.may_end.set()
    assert full.flush(PATIENCE)
    assert told[4:] == ["dropped", "sent", "sent"]


def test_a_hundred_sendings_to_a_server_that_hangs() -> None:
    """Whoever sends is back before the server has answered even the first one; later all go out in order."""
    held = Held()
    sender = quick(held)
    for number in range(100):
        sender.send(numbered(number))
    assert held.begun.wait(PATIENCE)
    assert held.sent == []
    assert not sender.flush(0)
    held.may_end.set()
    assert sender.flush(PATIENCE)
    assert held.sent == [numbered(number) for number in range(100)]


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_hundred_sendings_to_a_real_server_that_is_dead(is_silent: bool, caplog: pytest.LogCaptureFixture) -> None:  # noqa: FBT001 -- a parameter of the test
    """A server that says nothing, or isn't there, fails none of a hundred sendings, and holds up none of them."""
    with silent_server() as port:
        target = SmtpSender("127.0.0.1", port if is_silent else free_port(), tls="none", sender="a@b.c", timeout=0.01)
        sender = quick(target, attempts=1)
        for number in range(100):
            sender.send(numbered(number))
        assert sender.flush(PATIENCE)
    assert sender.dropped == 0
    assert caplog.text.count("is given up after try 1") == 100


def test_the_work_begins_when_the_answer_is_out() -> None:
    """A message waits a moment before anything is done for it, so that the answer's time does not tell of it."""
    ticking = Ticking()
    sender = BackgroundSender(Scripted(), delay=0.1, clock=ticking, wait=ticking.wait)
    sender.send(HELLO)
    assert sender.flush(PATIENCE)
    assert ticking.pauses == [0.1]


def test_a_queue_that_is_full(caplog: pytest.LogCaptureFixture) -> None:
    """One message too many is dropped, counted and logged, and those that waited are sent."""
    held = Held()
    sender = quick(held, capacity=2)
    sender.send(numbered(0))
    assert held.begun.wait(PATIENCE)
    for number in range(1, 5):
        sender.send(numbered(number))
    assert sender.dropped == 2
    assert caplog.text.count("was dropped: 2 wait already") == 2
    held.may_end.set()
    assert sender.flush(PATIENCE)
    assert held.sent == [numbered(0), numbered(1), numbered(2)]


# -- trying again -----------------------------------------------------------------------------------------------------


def test_a_real_server_that_accepts_at_the_second_try() -> None:
    """What a server puts off is tried again, under the same Message-ID."""
    mailbox = Mailbox(answers=deque(["451 later", "451 later"]))
    with mail_server(mailbox) as port:
        sender = quick(SmtpSender("127.0.0.1", port, tls="none", sender="a@b.c", timeout=5))
        sender.send(HELLO)
        assert sender.flush(PATIENCE)
    assert mailbox.tries == [HELLO.to] * 3
    assert [letter["Message-ID"] for letter in mailbox.letters] == [f"<{HELLO.id}@b.c>"]


def test_a_real_server_that_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """What a server refuses for good is not tried again, and the log says why without saying what or to whom."""
    mailbox = Mailbox(answers=deque(["550 no grace@example.com here, go to https://example.com/t/secret"]))
    with mail_server(mailbox) as port:
        sender = quick(SmtpSender("127.0.0.1", port, tls="none", sender="a@b.c", timeout=5))
        with caplog.at_level(logging.DEBUG, "admit"):
            sender.send(HELLO)
            assert sender.flush(PATIENCE)
    assert mailbox.tries == [HELLO.to]
    [line] = [record.getMessage() for record in caplog.records if record.name == "admit.mail"]
    assert "given up after try 1 (MailRefused 550)" in line
    assert not any(part in line for part in ("grace", "secret", "Hello"))


def test_a_real_server_that_comes_back() -> None:
    """While a server is down mails wait, and when it is there they go out."""
    mailbox = Mailbox(port=free_port())
    failed = Event()

    def wait(condition: Condition, seconds: float | None) -> object:
        if seconds is not None:
            failed.set()
        return condition.wait(seconds)

    target = SmtpSender("127.0.0.1", mailbox.port, tls="none", sender="a@b.c", timeout=5)
    sender = quick(target, attempts=1000, first_wait=0.01, wait=wait)
    sender.send(HELLO)
    assert failed.wait(PATIENCE)
    with mail_server(mailbox):
        assert sender.flush(PATIENCE)
    assert len(mailbox.raw) == 1


def test_pauses_grow_and_end(caplog: pytest.LogCaptureFixture) -> None:
    """Each pause is three times the one before; after the last try the message is given up."""
    ticking = Ticking()
    scripted = Scripted(*[ConnectionRefusedError()] * 9)
    sender = BackgroundSender(scripted, attempts=4, delay=0, first_wait=10, clock=ticking, wait=ticking.wait)
    sender.send(HELLO)
    assert sender.flush(PATIENCE)
    assert ticking.pauses == [10, 30, 90]
    assert scripted.tried == [HELLO] * 4
    assert caplog.messages[-1].endswith("is given up after try 4 (ConnectionRefusedError).")
    assert caplog.messages[0].endswith("did not go out (ConnectionRefusedError). It is tried again in 10 s.")


def test_a_message_that_waits_holds_up_no_other() -> None:
    """While one message waits for its next try, the others go out."""
    done = Event()
    scripted = Scripted(OSError())

    def send(message: Message) -> None:
        is_second = bool(scripted.tried)
        try:
            scripted.send(message)
        finally:
            if is_second:
                done.set()

    sender = quick(sender_of(send), first_wait=3600)
    sender.send(numbered(0))
    sender.send(numbered(1))
    assert done.wait(PATIENCE)
    assert scripted.tried == [numbered(0), numbered(1)]
    assert not sender.flush(0)


@pytest.mark.parametrize(
    "failure", [MailRefused(550), MailRefused(None), RuntimeError("secret"), UnicodeError("secret")]
)
def test_what_no_second_try_mends(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal and a mistake in a sender are logged by name, and the next message has its turn."""
    scripted = Scripted(failure)
    sender = quick(scripted)
    sender.send(numbered(0))
    sender.send(numbered(1))
    assert sender.flush(PATIENCE)
    assert scripted.tried == [numbered(0), numbered(1)]
    assert f"({type(failure).__name__}" in caplog.text
    assert "secret" not in caplog.text


# -- threads and processes --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_thread_is_started_when_it_is_needed() -> None:
    """There is no thread before the first message, one after it, and a new one should it have ended."""
    scripted = Scripted(None, SystemExit())  # type: ignore[arg-type]  # what ends a thread
    sender = quick(scripted)
    assert sender._queue.get().thread is None
    sender.send(numbered(0))
    first = sender._queue.get().thread
    assert sender.flush(PATIENCE)
    assert first is sender._queue.get().thread
    sender.send(numbered(1))
    assert first is not None
    first.join(PATIENCE)
    sender.send(numbered(2))
    assert sender.flush(PATIENCE)
    assert sender._queue.get().thread is not first
    assert scripted.tried == [numbered(0), numbered(1), numbered(2)]


def test_a_machine_without_threads_to_spare(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """If no thread can be started the request goes on, and the message is sent when one can."""
    scripted = Scripted()
    sender = quick(scripted)

    def start(_thread: Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", start)
        sender.send(numbered(0))
    assert "no thread could be started" in caplog.text
    sender.send(numbered(1))
    assert sender.flush(PATIENCE)
    assert scripted.tried == [numbered(0), numbered(1)]


def test_who_counts_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """If what became of a mail can't be counted, neither the request nor the thread ends with it."""

    def fail(_outcome: str) -> None:
        message = "no space left"
        raise OSError(message)

    scripted = Scripted()
    sender = quick(scripted)
    sender.tell = fail
    sender.send(numbered(0))
    assert sender.flush(PATIENCE)
    thread = sender._queue.get().thread
    sender.send(numbered(1))
    assert sender.flush(PATIENCE)
    assert sender._queue.get().thread is thread
    assert scripted.tried == [numbered(0), numbered(1)]
    assert "could not be counted" in caplog.text


def test_a_fork_in_c_begins_anew() -> None:
    """A child that was forked in C, while a thread held the queue, sends its own mails and none of its parent's."""
    held = Held()
    sender = quick(held)
    sender.send(numbered(0))
    assert held.begun.wait(PATIENCE)

    def send() -> None:
        assert sender.flush(0)
        held.may_end.set()
        sender.send(numbered(1))
        assert sender.flush(PATIENCE)
        assert held.sent == [numbered(1)]

    with sender._queue.get().changed:
        in_child(send)
    held.may_end.set()
    assert sender.flush(PATIENCE)
    assert held.sent == [numbered(0)]


_FORK = """
import os, sys
from admit.background import BackgroundSender
from admit.mail import Message, sender_of

log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
write = lambda message: os.write(log, (message.subject + "\\n").encode())
sender = BackgroundSender(sender_of(write), delay=0.2)
sender.send(Message("a@b.c", "parent", ""))
with sender._queue.get().changed:  # as if a thread held it while this one forks
    child = os.fork()
    if child == 0:
        sender.send(Message("a@b.c", "child", ""))
        assert sender.flush(20)
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_fork_sends_its_own_and_an_end_sends_the_rest(tmp_path: Path) -> None:
    """The child of a fork has a thread of its own and nothing of its parent's; what waits at the end goes out."""
    # In a process of its own: a fork of this one would take pytest's threads' locks along.
    log = tmp_path / "log"
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORK, str(log)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL, env=os.environ)  # noqa: S603 -- our own words
    assert sorted(log.read_text().split()) == ["child", "parent"]


def test_the_end_of_the_process_waits_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the process ends mails have a moment to go out, but a dead server does not keep it."""
    monkeypatch.setattr(background, "_AT_EXIT", 0.05)
    held = Held()
    sender = quick(held)
    sender.send(HELLO)
    background._finish_all()
    assert held.sent == []
    held.may_end.set()
    monkeypatch.setattr(background, "_AT_EXIT", PATIENCE)
    background._finish_all()
    assert held.sent == [HELLO]
