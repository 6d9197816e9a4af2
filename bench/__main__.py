"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import statistics
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

from bench import dropin, hashing, report, revocation, scale, stores
from bench.rounds import added, interleave


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what",
        choices=["dropin", "stores", "scale", "revocation", "hashing"],
        help="dropin: logins in cookies; stores: logins in a store; beside Flask-Login",
    )
    parser.add_argument("--rounds", type=int, default=150, help="rounds a case (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=100, help="requests a round (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target was missed")
    options = parser.parse_args()
    # Flask-Login 0.6.3 uses what later Pythons deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    if options.what == "hashing":
        sys.exit(1 if run_hashing() > hashing.TARGET and options.check else 0)
    if options.what in {"scale", "revocation"}:
        (run_scale if options.what == "scale" else run_revocation)()
        return
    run = run_dropin if options.what == "dropin" else run_stores
    rows = run(options.rounds, options.requests)
    print(report.table(rows))
    report.write(options.what, rows, command=report.command_line(), at=datetime.now(UTC))
    if options.check and any(row.target is not None and row.ratio > row.target for row in rows):
        sys.exit(1)


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


def run_scale() -> None:
    """Time a small and a large store of SQLite, and write both down."""
    with stores.folder() as folder:
        scales = [scale.measure(Path(folder), size) for size in scale.SIZES]
    rows = [f"| {one.size:,} | " + " | ".join(f"{value:.1f}" for value in one[1:]) + " |" for one in scales]
    head = "| sessions | look-up, µs | list of a user, µs | end 100, ms | purge, s | longest wait of a writer, ms |"
    table = "\n".join([head, "|---|---|---|---|---|---|", *rows])
    print(table)
    report.write_text("scale", table, command=report.command_line(), at=datetime.now(UTC))


def run_revocation() -> None:
    """Time how soon a revocation is seen by four other processes, over each store that pushes."""
    now = datetime.now(UTC)
    with stores.folder() as folder:
        latencies = [revocation.measure(name, url, now) for name, url in revocation.urls(Path(folder))]
    rows = [f"| {one.name} | " + " | ".join(f"{value:.1f}" for value in one[1:]) + " |" for one in latencies]
    table = "\n".join(["| store | median, ms | p99, ms | longest, ms |", "|---|---|---|---|", *rows])
    print(table)
    report.write_text("revocation", table, command=report.command_line(), at=now)


def run_hashing() -> float:
    """Time other requests while people log in; return the worst ratio of our pool to idle."""
    figures = hashing.measure()
    # All ways are the same while nobody logs in.
    idle = statistics.median(one.p99 for (_, kind), one in figures.items() if kind == "idle")
    rows = [
        f"| {hashing.WAYS[way]} | {kind} | {one.median:.1f} | {one.p99:.1f} | {one.p99 / idle:.1f} "
        f"| {one.logins:.0f} | {one.refused:.0f} |"
        for (way, kind), one in figures.items()
    ]
    head = "| hashes | clients | median, ms | p99, ms | times idle | logins/s | refused/s |"
    table = "\n".join([hashing.HEAD, "", head, "|---|---|---|---|---|---|---|", *rows])
    print(table)
    report.write_text("hashing", table, command=report.command_line(), at=datetime.now(UTC))
    return max(one.p99 for (way, _), one in figures.items() if way == "pool") / idle


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


if __name__ == "__main__":
    main()
