"""Ten minutes of mixed traffic over gunicorn, PostgreSQL and Redis, and then what breaks breaks."""

from __future__ import annotations

import os
import re
import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.deployment.browsers import Browser, Journal
from tests.deployment.site import deployed
from tests.deployment.visitors import crowd
from tests.deployment.watching import sample, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deployment.browsers import Failure
    from tests.deployment.site import Outage, Site
    from tests.deployment.watching import Sample

__all__ = ["Found", "as_json", "faults", "measure", "tables"]

WORKERS, THREADS, WITNESSES = 2, 8, 20
#: MiB that a worker may grow in a minute, over the second half.
FLAT = 0.5
#: Threads that hash in a worker, as the password feature has it by default.
HASHES = 1
_MEMORY_OF_A_HASH = 19456 / 1024
#: How a traceback ends.
_ERRORS = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Timeout)\w*\b.*$", re.MULTILINE)
_BREATH = 0.25
_PEOPLE = 3000

#: So long each thing is left alone before the next one is broken, in seconds.
_CALM = 10


class Memory(NamedTuple):
    """What one worker had: MiB, MiB a minute, and threads."""

    idle: float
    after: float
    at_end: float
    peak: float
    growth: float
    hashing: int


class Broken(NamedTuple):
    """What came of breaking one thing."""

    what: str
    seconds: float
    lost: int
    refused: int
    late: float


class Found(NamedTuple):
    """What the whole run has found."""

    clients: int
    minutes: float
    answers: dict[str, int]
    calm: int
    busy: dict[str, int]
    surprises: list[str]
    unexplained: list[str]
    logged: list[str]
    memory: list[Memory]
    believed: list[float]
    broken: list[Broken]
    witnesses: int
    letters: int

    @property
    def is_good(self) -> bool:
        """Whether all that was promised was kept."""
        flat = all(one.growth <= FLAT and one.hashing <= HASHES for one in self.memory)
        return flat and not (self.surprises or self.unexplained or self.logged)


def measure(clients: int, minutes: float) -> Found:
    """Let so many clients visit for so long, and then break one thing after the other under them."""
    with deployed(_PEOPLE) as site:
        idle = _idle(site)
        with crowd(site, clients=clients, witnesses=WITNESSES, breath=_BREATH) as visiting:
            journal = visiting.journal
            with watched(site) as samples:
                time.sleep(minutes * 60)  # how long it goes on is what was asked for
            calm = journal.answers.total()
            logged = _ERRORS.findall(site.log.read_text())
            early = list(journal.failures)
            broken = list(faults(site))
            visiting.look_again()
        return Found(
            clients=clients,
            minutes=minutes,
            answers={f"{what} {status}": count for (what, status), count in sorted(journal.answers.items())},
            calm=calm,
            busy=dict(sorted(journal.busy.items())),
            surprises=journal.surprises,
            unexplained=[str(one) for one in {*early, *journal.unexplained(broken)}],
            logged=logged,
            memory=[_memory(idle, [one for one in samples if one.pid == pid]) for pid in {one.pid for one in samples}],
            believed=sorted(journal.believed),
            broken=[_broken(one, journal) for one in broken],
            witnesses=len(visiting.witnesses),
            letters=site.letters.count,
        )


def faults(site: Site) -> Iterator[Outage]:
    """Break one thing after the other, with calm after each."""
    for breaking in (
        site.kill_worker,
        site.restart_redis,
        lambda: site.restart_redis(kill=True),
        site.restart_postgres,
        lambda: site.restart_postgres(kill=True),
        site.reload,
    ):
        time.sleep(_CALM)  # traffic has no end that one could wait for
        yield breaking()
    time.sleep(_CALM)  # the last fault has its calm after it as well


def _idle(site: Site) -> float:
    """Return what a worker has that serves and has hashed nothing yet, in MiB."""
    visitor = Browser(site.port, Journal())
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for _ in range(20):
            visitor.get("/account/sign-in")
        found = [sample(pid).resident for pid in site.workers()]
        # Whatever the other has, one that has not loaded the application has far less than one that has.
        if len(found) == WORKERS and min(found) > max(found) * 0.9:
            return statistics.mean(found)
    message = "The workers do not all serve."
    raise TimeoutError(message)


def _memory(idle: float, samples: list[Sample]) -> Memory:
    half = samples[len(samples) // 2 :]
    growth = statistics.linear_regression([one.at / 60 for one in half], [one.resident for one in half]).slope
    last = samples[-1]
    return Memory(idle, half[0].resident, last.resident, last.peak, growth, max(one.hashing for one in samples))


def _broken(outage: Outage, journal: Journal) -> Broken:
    due: list[Failure] = [one for one in journal.failures if one.is_due_to(outage)]
    lost = sum(one.is_lost for one in due)
    late = max([one.ended - outage.ended for one in due], default=0.0)
    return Broken(outage.what, outage.ended - outage.began, lost, len(due) - lost, max(0.0, late))


def as_json(found: Found) -> dict[str, Any]:
    """Return the figures for programs."""
    named = found._asdict()
    named["memory"] = [one._asdict() for one in found.memory]
    named["broken"] = [one._asdict() for one in found.broken]
    named["believed"] = {"revocations": len(found.believed), "longest_s": max(found.believed)}
    return named | {"is_good": found.is_good}


def tables(found: Found) -> str:
    """Return the figures for people."""
    return "\n\n".join([_head(found), _of_memory(found), _of_faults(found), _of_answers(found), *_of_wrongs(found)])


def _head(found: Found) -> str:
    believed = found.believed
    return (
        f"gunicorn with {WORKERS} workers of {THREADS} threads, PostgreSQL for accounts, Redis for sessions (what it "
        f"has answered is in its file), SMTP; {found.clients} clients, {found.minutes:g} minutes, then the faults. "
        f"All of it is on this machine, at niceness {os.nice(0)}.\n\n"
        f"- {found.calm:,} answers before anything was broken, {found.calm / found.minutes / 60:.0f} a second; "
        f"{sum(found.answers.values()):,} in all; {found.letters:,} mails\n"
        f"- unexpected answers: {len(found.surprises)}; failures that no fault accounts for: "
        f"{len(found.unexplained)}; errors in the log before the faults: {len(found.logged)}\n"
        f"- told to come back in a second by the bound on hashes: {sum(found.busy.values()):,}, all of them at "
        f"{', '.join(found.busy) or 'nothing'}\n"
        f"- {len(believed):,} revocations: let in after it {sum(one > 0 for one in believed):,} times, "
        f"{max(believed):.2f} s at the longest (the bound is 5 s)\n"
        f"- {found.witnesses} sessions that nobody ended, and as many that were ended, were looked at all the time: "
        f"one that had ended or come back would be among the unexpected answers"
    )


def _of_memory(found: Found) -> str:
    rows = [
        f"| {one.idle:.0f} | {one.after:.1f} | {one.at_end:.1f} | {one.peak:.1f} | {one.growth:+.2f} | {one.hashing} |"
        for one in found.memory
    ]
    head = (
        "| idle, MiB | at half time, MiB | at the end, MiB | at most, MiB | growth in the second half, MiB/min "
        "| threads that hash, at most |"
    )
    bound = f"Each line is a worker. A hash takes {_MEMORY_OF_A_HASH:.0f} MiB. Target: {FLAT} MiB/min, {HASHES} thread."
    return "\n".join([bound, "", head, "|---|---|---|---|---|---|", *rows])


def _of_faults(found: Found) -> str:
    rows = [f"| {one.what} | {one.seconds:.1f} | {one.lost} | {one.refused} | {one.late:.2f} |" for one in found.broken]
    head = "| broken | down, s | requests without an answer | answered 503 | last of them after it served again, s |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def _of_answers(found: Found) -> str:
    rows = [f"| {' | '.join(name.rsplit(' ', 1))} | {count:,} |" for name, count in found.answers.items()]
    return "\n".join(["| request | answer | times |", "|---|---|---|", *rows])


def _of_wrongs(found: Found) -> list[str]:
    wrongs = [*found.surprises, *found.unexplained, *found.logged]
    return ["\n".join(["Unexpected:", "", *(f"- {one}" for one in wrongs)])] if wrongs else []
