"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import statistics
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench import (
    adopting,
    bursts,
    dropin,
    endings,
    enumeration,
    faults,
    hashing,
    headers,
    imports,
    load,
    observing,
    people,
    report,
    revocation,
    rotation,
    scale,
    stores,
    takeovers,
)
from bench.rounds import added, interleave, stay_on_one_core

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what",
        choices=["dropin", "stores", *RUNS],
        help="dropin: logins in cookies; stores: logins in a store; beside Flask-Login",
    )
    parser.add_argument("--rounds", type=int, default=150, help="rounds a case (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=100, help="requests a round (default: %(default)s)")
    parser.add_argument("--rotations", type=int, default=1000, help="rotations of one session (default: %(default)s)")
    parser.add_argument(
        "--rounds-each", type=int, default=200, help="takeovers: rounds a change (default: %(default)s)"
    )
    parser.add_argument("--src", type=Path, help="takeovers: other code that serves; nothing is written down")
    parser.add_argument("--minutes", type=float, default=10, help="load, faults: how long (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=16, help="load: how many visit at once (default: %(default)s)")
    parser.add_argument("--huge", action="store_true", help="scale: ten million sessions in PostgreSQL too (10 GB)")
    parser.add_argument("--any-core", action="store_true", help="let servers run on other cores than the requests")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target was missed")
    options = parser.parse_args()
    # Flask-Login 0.6.3 uses what later Pythons deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    is_good = RUNS.get(options.what, beside_flask_login)(options)
    sys.exit(1 if is_good is False and options.check else 0)


def beside_flask_login(options: argparse.Namespace) -> bool:
    """Time every case, write the figures down, and tell whether every target was met."""
    run = run_dropin if options.what == "dropin" else run_stores
    cores = "Cores as they come." if options.any_core else stay_on_one_core()
    rows = run(options.rounds, options.requests)
    print(report.table(rows))
    name = f"{options.what}-any-core" if options.any_core else options.what
    report.write(name, rows, note=cores, command=report.command_line(), at=datetime.now(UTC))
    return all(row.target is None or row.ratio <= row.target for row in rows)


def run_dropin(rounds: int, requests: int) -> list[report.Row]:
    """Time every case of step 1 with every loader."""
    rows: list[report.Row] = []
    for loader in dropin.LOADERS:
        for case in dropin.CASES:
            figures = interleave(dropin.contenders(case, loader), rounds, requests)
            base = statistics.median(figures[dropin.BASE])
            mine, other = (added(figures, name, dropin.BASE) for name in ("Admit", "Flask-Login"))
            rows.append(report.Row(f"{case.title}, {loader} loader", base, mine, other, case.target))
    return rows


def run_scale(*, huge: bool) -> None:
    """Time small and large stores, and write both down."""
    with stores.folder() as folder:
        scales = scale.measure(Path(folder), huge=huge)
    cells = ["{}", "{:,}", "{:.0f}", "{:.0f}", "{:.2f}", "{:.0f}", "{:.0f}", "{:.1f}", "{:.1f}", "{:.1f}"]
    rows = [" | ".join(cells).join(["| ", " |"]).format(*one) for one in scales]
    head = (
        "| store | sessions | bytes a session | request, µs | times the small one's | look-up, µs | list of a user, µs "
        "| end 100, ms | purge, s | longest wait of a writer, ms |"
    )
    table = "\n".join([head, f"|{'---|' * len(cells)}", *rows])
    print(table)
    report.write_text("scale", table, command=report.command_line(), at=datetime.now(UTC))


def run_hashing() -> bool:
    """Time other requests while people log in, and let a class sign in; tell whether both are as they should be."""
    figures = hashing.measure()
    # All ways are the same while nobody logs in.
    idle = statistics.median(one.p99 for (_, kind), one in figures.items() if kind == "idle")
    rows = [
        f"| {hashing.WAYS[way]} | {kind} | {one.median:.1f} | {hashing.BEFORE[way, kind][0]:.1f} | {one.p99:.1f} "
        f"| {one.p99 / idle:.1f} | {hashing.BEFORE[way, kind][1]:.0f} | {one.logins:.0f} | {one.refused:.0f} |"
        for (way, kind), one in figures.items()
    ]
    columns = ("hashes", "clients", "median, ms", "p99 before, ms", "p99, ms", "times idle")
    columns += ("logins/s before", "logins/s", "refused/s")
    head = f"| {' | '.join(columns)} |"
    table = "\n".join([hashing.HEAD, "", head, f"|{'---|' * 9}", *rows])
    found, far = bursts.measure(), bursts.measure_far()
    table += "\n\n" + _of_bursts(found) + "\n\n" + _of_far_bursts(far)
    print(table)
    report.write_text("hashing", table, command=report.command_line(), at=datetime.now(UTC))
    worst = max(one.p99 for (way, _), one in figures.items() if way == "pool") / idle
    return worst <= hashing.TARGET and all(one.is_good for one in found) and not any(one.others for one in far)


def _of_far_bursts(found: list[bursts.Burst]) -> str:
    rows = [
        f"| {one.server} | {one.signed_in} | {one.others or 'none'} | {one.median:.1f} | {one.longest:.1f} |"
        for one in found
    ]
    about = (
        f"{bursts.FAR_PEOPLE} people sign in at the same moment, and PostgreSQL, which records it, answers after "
        f"{bursts.DISTANCE * 1000:.0f} ms. Target: nobody is refused."
    )
    head = "| server | signed in | others, by status | median, s | longest, s |"
    return "\n".join([about, "", head, f"|{'---|' * 5}", *rows])


def _of_bursts(found: list[bursts.Burst]) -> str:
    rows = [
        f"| {one.server} | {bursts.BEFORE[one.server]} | {one.signed_in} | {one.others or 'none'} | {one.median:.1f} "
        f"| {one.longest:.1f} |"
        for one in found
    ]
    head = "| server | signed in before | signed in | others, by status | median, s | longest, s |"
    about = (
        f"A class: {bursts.PEOPLE} people behind one address who sign in at the same moment, with SQLite. "
        f"Target: all of them within {bursts.LONGEST} s."
    )
    return "\n".join([about, "", head, f"|{'---|' * 6}", *rows])


def run_imports() -> float:
    """Time imports; return the milliseconds that ours adds."""
    figures = imports.measure()
    rows = [f"| {one.name} | {one.median:.1f} | {one.fastest:.1f} |" for one in figures]
    head = "| added to `import flask` by | median, ms | fastest, ms |"
    about = f"{imports.ROUNDS} rounds in turns. Target: {imports.TARGET} ms."
    table = "\n".join([about, "", head, "|---|---|---|", *rows])
    print(table)
    report.write_text("imports", table, command=report.command_line(), at=datetime.now(UTC))
    return figures[0].median


def run_headers() -> float:
    """Count what reading headers and fields takes; return the worst ratio between a length and half of it."""
    costs = headers.measure()
    rows = [
        f"| {one.name} | `{one.shape}` | {one.half:.1f} | {one.whole:.1f} | {one.ratio:.2f} "
        f"| {'yes' if one.ratio <= headers.TARGET else 'NO'} |"
        for one in costs
    ]
    head = "| header or field | worst shape | at half, million | at the limit, million | ratio | linear |"
    about = (
        f"Instructions that a value adds to its requests, at {headers.HEADERS // 1024} KiB for headers and 16 KiB for "
        f"bodies, and at half of it. Linear is a ratio of at most {headers.TARGET}."
    )
    table = "\n".join([about, "", head, "|---|---|---|---|---|---|", *rows])
    print(table)
    report.write_text("headers", table, command=report.command_line(), at=datetime.now(UTC))
    return max(one.ratio for one in costs)


def run_observing(rounds: int, requests: int) -> float:
    """Time requests with metrics and with spans; return the worst ratio with metrics."""
    cores = stay_on_one_core()
    with stores.folder() as folder:
        found = list(observing.measure(Path(folder), rounds, requests))
    rows = [f"| {one.case} | {one.watched} | {one.base:.1f} | {one.added:+.1f} | {one.ratio:.3f} |" for one in found]
    head = "| case | with | without, µs | added, µs | ratio |"
    about = f"{cores} Target for metrics: a ratio of {observing.TARGET}. Spans are ours, besides that of the request."
    table = "\n".join([about, "", head, "|---|---|---|---|---|", *rows])
    print(table)
    report.write_text("observing", table, command=report.command_line(), at=datetime.now(UTC))
    return max(one.ratio for one in found if one.watched == "metrics")


def run_people() -> None:
    """Import and export ten thousand accounts, and a million."""
    with stores.folder() as folder:
        found = people.measure(Path(folder), 10_000, 1_000_000)
    rows = [
        f"| {one.command} | {one.rows:,} | {one.seconds:.0f} | {one.rate:,.0f} | {one.mebibytes:.0f} | {one.outcome} |"
        for one in found
    ]
    head = "| command | rows | s | rows/s | MiB | outcome |"
    table = "\n".join([people.HEAD, "", head, "|---|---|---|---|---|---|", *rows])
    print(table)
    report.write_text("people", table, command=report.command_line(), at=datetime.now(UTC))


def run_adopting() -> bool:
    """Let adopted users sign in under load; tell whether nothing failed."""
    found = adopting.measure()
    head = f"{adopting.RATE} requests a second for {adopting.SECONDS} s, gunicorn with 2 workers of 8 threads, SQLite."
    cells = "| logins | lost | other requests | failed |\n|---|---|---|---|"
    table = "\n".join([head, "", cells, f"| {found.logins} | {found.lost} | {found.others} | {found.failed} |"])
    print(table)
    report.write_text("adopting", table, command=report.command_line(), at=datetime.now(UTC))
    return found.lost == found.failed == 0


def run_load(clients: int, minutes: float) -> bool:
    """Let clients visit, and break things under them; tell whether all that was promised was kept."""
    found = load.measure(clients, minutes)
    print(load.tables(found))
    command, at = report.command_line(), datetime.now(UTC)
    report.write_text("load", load.tables(found), command=command, at=at)
    report.write_json("load", load.as_json(found), command=command, at=at)
    return found.is_good


def run_faults(minutes: float) -> bool:
    """Break things under traffic over each store, and check the promises; tell whether all were kept."""
    found = faults.measure(minutes)
    print(faults.tables(found, minutes))
    command, at = report.command_line(), datetime.now(UTC)
    report.write_text("faults", faults.tables(found, minutes), command=command, at=at)
    report.write_json("faults", faults.as_json(found), command=command, at=at)
    return faults.is_good(found)


def run_takeovers(rounds: int, src: Path | None) -> bool:
    """Let a thief sign in without pause while their victim throws them out; tell whether nobody stayed in."""
    found = []
    for one in takeovers.measure(rounds, src or takeovers.SRC):
        print(takeovers.row(one), flush=True)
        found.append(one)
    if src is None:
        report.write_text("takeovers", takeovers.table(found), command=report.command_line(), at=datetime.now(UTC))
    return all(one.is_good for one in found)


def run_enumeration() -> None:
    """Ask in pairs for somebody and for nobody, and compare the answers and their times."""
    with stores.folder() as folder:
        found = enumeration.table(list(enumeration.measure(Path(folder))))
    print(found)
    report.write_text("enumeration", found, command=report.command_line(), at=datetime.now(UTC))


def run_revocation() -> None:
    """Time how soon a revocation is seen by four other processes, over each store that pushes."""
    now = datetime.now(UTC)
    with stores.folder() as folder:
        latencies = [revocation.measure(name, url, now) for name, url in revocation.urls(Path(folder))]
    rows = [f"| {one.name} | " + " | ".join(f"{value:.1f}" for value in one[1:]) + " |" for one in latencies]
    table = "\n".join(["| store | median, ms | p99, ms | longest, ms |", "|---|---|---|---|", *rows])
    print(table)
    report.write_text("revocation", table, command=report.command_line(), at=now)


def run_endings() -> bool:
    """End very many sessions of one account over each store, and tell whether nobody waited long."""
    now = datetime.now(UTC)
    with stores.folder() as folder:
        found = [endings.measure(name, url, now) for name, url in revocation.urls(Path(folder))]
    rows = [
        f"| {one.name} | {one.seconds:.1f} | {one.others} | {' | '.join(f'{ms:.0f}' for ms in one[3:])} |"
        for one in found
    ]
    head = "| store | s | sign-ins of others | longest, ms | of the same account, ms | longest without, ms |"
    table = "\n".join([head, f"|{'---|' * 6}", *rows])
    print(table)
    note = (
        f"All {endings.SESSIONS:,} sessions of one account end while two threads add sessions, of another account and "
        f"of the same. Target: nobody of another account waits longer than {endings.LONGEST:.0f} ms."
    )
    report.write_text("endings", f"{note}\n\n{table}", command=report.command_line(), at=now)
    return all(one.others_longest <= endings.LONGEST for one in found)


def run_rotation(rotations: int) -> None:
    """Count who is logged out, and who is not caught, through many rotations under parallel requests."""
    with stores.folder() as folder:
        found = [rotation.measure(name, url, rotations) for name, url in rotation.urls(Path(folder))]
    rows = [f"| {' | '.join(map(str, one[:-1]))} | {one.seconds:.0f} |" for one in found]
    head = "| store | rotations | requests | false log-outs | superseded secrets | recognized | a replay ended it | s |"
    told = [f"| {' | '.join(map(str, one))} |" for one in rotation.situations(rotations)]
    heads = ["", "| situation | sessions | accused of theft | served |", "|---|---|---|---|"]
    table = "\n".join([head, f"|{'---|' * 8}", *rows, *heads, *told])
    print(table)
    report.write_text("rotation", table, command=report.command_line(), at=datetime.now(UTC))


def run_stores(rounds: int, requests: int) -> list[report.Row]:
    """Time every case of step 2."""
    rows: list[report.Row] = []
    with stores.folder() as folder:
        for case in stores.cases(Path(folder)):
            contenders = stores.contenders(case)
            figures = interleave(contenders, rounds, requests)
            stores.close(contenders)
            base = statistics.median(figures[stores.BASE])
            mine, other = (added(figures, name, stores.BASE) for name in ("Admit", stores.OTHER))
            rows.append(report.Row(case.title, base, mine, other, case.target))
    return rows


#: What each word runs; what it returns is whether all targets were met, if it has any.
RUNS: dict[str, Callable[[argparse.Namespace], bool | None]] = {
    "scale": lambda options: run_scale(huge=options.huge),
    "revocation": lambda _: run_revocation(),
    "rotation": lambda options: run_rotation(options.rotations),
    "enumeration": lambda _: run_enumeration(),
    "hashing": lambda _: run_hashing(),
    "headers": lambda _: run_headers() <= headers.TARGET,
    "adopting": lambda _: run_adopting(),
    "imports": lambda _: run_imports() <= imports.TARGET,
    "people": lambda _: run_people(),
    "observing": lambda options: run_observing(options.rounds, options.requests) <= observing.TARGET,
    "load": lambda options: run_load(options.clients, options.minutes),
    "faults": lambda options: run_faults(options.minutes),
    "endings": lambda _: run_endings(),
    "takeovers": lambda options: run_takeovers(options.rounds_each, options.src),
}


if __name__ == "__main__":
    main()
