"""The list of guards that `make mutants` takes out is that of today's code, and the tool finds those nobody misses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import mutants
from tools.mutants import Guard, Outcome

ROOT = Path(__file__).resolve().parents[2]
LISTED = mutants.guards()
AUDITED = re.findall(r"^\| (\d+) \|", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
CODE = "def is_adult(age):\n    return age >= 18\n"
TEST = "from code_of_ours import is_adult\n\n\ndef test_it():\n    assert is_adult(40)\n{more}"
GUARD = Guard("age", "attack 0", "src/code_of_ours.py", "age >= 18", "True", ("test_it.py",))


@pytest.mark.parametrize("guard", LISTED, ids=lambda guard: guard.name)
def test_a_guard_is_where_the_list_says(guard: Guard) -> None:
    """The text of a guard is in its file exactly once, and the tests that should notice are there."""
    assert mutants.flaws([guard], ROOT) == []


def test_names_of_guards_differ() -> None:
    """No two guards have one name, by which `--only` finds them."""
    assert len({one.name for one in LISTED}) == len(LISTED)


@pytest.mark.parametrize("number", AUDITED)
def test_what_an_audit_found_is_guarded(number: str) -> None:
    """Each line of "What an audit found" in docs/security.md has a guard in the list."""
    assert f"attack {number}" in {one.against for one in LISTED}


def test_faults_of_several_processes_are_guarded() -> None:
    """Each fault that the list explains at its beginning has a guard, and no other is named."""
    explained = re.findall(r"\b(D\d+) ", mutants.LIST.read_text().partition("[[guard]]")[0])
    assert set(explained) == {one.against for one in LISTED if not one.against.startswith("attack ")}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with one guard, which nobody tests."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/code_of_ours.py").write_text(CODE)
    (tmp_path / "test_it.py").write_text(TEST.format(more=""))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "age > 18"}, "has its text 0 times"),
        ({"text": "age"}, "has its text 2 times"),
        ({"file": "src/nowhere.py"}, "has its text 0 times"),
        ({"replacement": "age >= 18"}, "is the text itself"),
        ({"tests": ("test_nowhere.py",)}, "no tests test_nowhere.py"),
        ({"tests": ()}, "there are no tests"),
    ],
)
def test_an_entry_that_is_not_right_is_told(tree: Path, changes: dict[str, object], said: str) -> None:
    """An entry whose text is not there once, that changes nothing, or that names no test, is a flaw."""
    [flaw] = mutants.flaws([GUARD._replace(**changes)], tree)  # type: ignore[arg-type]
    assert said in flaw
    assert mutants.flaws([GUARD], tree) == []
    assert mutants.flaws([GUARD, GUARD], tree) == ["age: two guards have this name."]


def test_a_guard_that_nobody_misses_survives(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard survives if all tests pass without it, and is noticed if one fails that would pass with it."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # which takes longer than all the rest
    assert mutants.without(GUARD, tree).outcome is Outcome.SURVIVES
    (tree / "test_it.py").write_text(TEST.format(more="    assert not is_adult(17)\n"))
    found = mutants.without(GUARD, tree)
    assert (found.outcome, found.said) == (Outcome.NOTICED, "`test_it.py::test_it`")
    (tree / "test_it.py").write_text(TEST.format(more="    assert is_adult(17)\n"))
    assert mutants.without(GUARD._replace(replacement="age > 100"), tree).outcome is Outcome.BROKEN
    assert (tree / "src/code_of_ours.py").read_text() == CODE


@pytest.mark.parametrize(
    ("code", "said", "outcome"),
    [
        (1, "FAILED a.py::b", Outcome.NOTICED),
        (0, "", Outcome.SURVIVES),
        (1, "", Outcome.BROKEN),
        (2, "ERROR a.py", Outcome.BROKEN),
        (5, "", Outcome.BROKEN),
        (None, "", Outcome.BROKEN),
    ],
)
def test_a_guard_is_noticed_by_a_test_that_fails(code: int | None, said: str, outcome: Outcome) -> None:
    """Tests that could not be read, are not there or never end have noticed nothing."""
    assert mutants.judged(code, said)[0] is outcome


@pytest.mark.parametrize("name", ["a.py::b", "a.py::b[a case]"])
def test_the_test_that_fails_is_named_whole(name: str) -> None:
    """The name of a case may have blanks."""
    said = f"x\nFAILED {name}\n1 failed"
    assert mutants.judged(1, said) == (Outcome.NOTICED, f"`{name}`")
    assert mutants.judged(1, f"FAILED {name} - assert False")[1] == mutants.judged(1, said)[1]


def test_the_command_refuses_a_name_that_it_does_not_know() -> None:
    """A name that no guard has is an error, and none is tried; the list can be shown."""
    command = [sys.executable, "tools/mutants.py"]
    shown = subprocess.run([*command, "--list"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    assert len(shown.stdout.splitlines()) == len(LISTED)
    refused = subprocess.run([*command, "--only", "x"], cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603
    assert (refused.returncode, refused.stderr) == (1, "There is no guard 'x'. Use --list to see them.\n")
