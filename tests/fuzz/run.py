"""Try one property with atheris: ``python -m tests.fuzz.run next [--seconds 60] [--folder place] [input]``.

An input is tried alone, to look at what a fuzzer has found. The exit code is that of libFuzzer: not 0 if it broke.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["admit", "email_validator", "werkzeug"], enable_loader_override=False):
    from tests.fuzz.properties import TARGETS


def main() -> None:
    """Fuzz, or try one input."""
    read = argparse.ArgumentParser()
    read.add_argument("target", choices=sorted(TARGETS))
    read.add_argument("input", nargs="?", type=Path)
    read.add_argument("--seconds", type=int, default=60)
    read.add_argument("--folder", type=Path, help="where the corpus and what breaks it are kept")
    given = read.parse_args()
    target = TARGETS[given.target]
    if given.input:
        target.holds(target.read(given.input.read_bytes()))
        return
    folder = given.folder or Path(tempfile.mkdtemp(prefix="admit-fuzz-"))
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words.write_text("\n".join(f'"{_word(one)}"' for one in target.words))
    options = [
        f"-max_total_time={given.seconds}",
        f"-artifact_prefix={folder}/",
        f"-dict={words}",
        *("-max_len=2048", "-timeout=20", "-rss_limit_mb=1024", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], lambda raw: target.holds(target.read(raw)))
    atheris.Fuzz()


def _word(text: str) -> str:
    """Return a word as libFuzzer's dictionaries spell it."""
    return "".join(chr(one) if 0x20 < one < 0x7F and one not in b'"\\' else f"\\x{one:02x}" for one in text.encode())


if __name__ == "__main__":
    main()
