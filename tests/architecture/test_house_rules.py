"""Rules of the house that a reader would otherwise have to watch over."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "admit"
FILES = sorted(SOURCE.rglob("*.py"))
#: Alembic runs migrations as scripts.
MODULES = [path for path in FILES if "migrations" not in path.parts]
TESTS = sorted([*(ROOT / "tests").rglob("test_*.py"), *(SOURCE / "testing").rglob("*.py")])

LONGEST_FILE = 300

#: Files that may be longer, each with the reason that a reader accepts.
LONG_FILES: dict[str, str] = {
    "src/admit/errors.py": "The tree of errors is read as one page, and each of them is a few lines.",
    "src/admit/store.py": "What stores have to do is read as one page, and each verb is a few lines.",
    "src/admit/events.py": "The events are read as one page, and each of them is a few lines.",
    "src/admit/features/mail_change/__init__.py": "A change of the email and its way back are one feature.",
    "src/admit/features/password/__init__.py": "The feature is one class; what can stand alone is beside it.",
    "src/admit/gate.py": "The gate is one class, and is not cut further into bases.",
    "src/admit/model.py": "The nouns are read as one page, and each of them is a few lines.",
    "src/admit/flask/stored_login.py": "Logging in, resuming and logging out in a store are one class.",
    "src/admit/stores/redis.py": "The verbs of one protocol over one database.",
    "src/admit/stores/sql_events.py": "The chain of records in SQL is one thing.",
    "src/admit/stores/sql_model.py": "The verbs of one protocol over an application's own table.",
    "src/admit/stores/sql_model_table.py": "What is read and written of one table is one class.",
    "src/admit/throttle.py": "The settings of limits and what counts them are read together.",
}

#: Words that say nothing, or something else than the field means by them. `data` and `info` are fine with another word,
#: and a process that is not a verb is one of the operating system.
BANNED = re.compile(
    r"(^|_)(utils?|helpers?|(?<!login_)managers?|handlers?|auth)(_|$)|^_*(data|info)$|^_*(do|process)(_|$)"
)

#: Names of Flask-Login, which are what they are.
FLASK_LOGIN = {"auth_header_name", "needs_refresh_handler", "unauthorized_handler", "utils"}

#: What begins a session, or puts one in the place of another.
STARTING = {"add_session", "replace_session", "replace_secret"}

#: Where that is done, declared or tried out.
MAY_START = {"gate", "sessions", "rotation", "store", "stores", "testing"}

#: A sentence that goes on after its end is two.
TWO_SENTENCES = re.compile(r"[.!?]\s+[A-Z]")


def relative(path: Path) -> str:
    """Return the path below the repository, to show."""
    return str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    """Return the module's dotted name."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def top_of(path: Path) -> str:
    """Return the part of the house that a file belongs to: a kernel module, or a folder."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


# -- names ------------------------------------------------------------------------------------------------------------


def names_given(code: str) -> list[str]:
    """Return every name that the code gives to something."""
    names: list[str | None] = []
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.append(name)
            case ast.alias(asname=name):
                names.append(name)
    return [name for name in names if name]


def banned(names: list[str]) -> list[str]:
    """Return the names with a word in them that the design keeps out of names."""
    snake = {name: re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() for name in names}
    return [name for name, words in snake.items() if BANNED.search(words) and words not in FLASK_LOGIN]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_names_are_the_words_of_the_design(path: Path) -> None:
    """No name of ours uses a word that the design keeps out of names."""
    assert banned([path.stem, *names_given(path.read_text())]) == []


@pytest.mark.parametrize(
    "code",
    [
        "class SessionManager: ...",
        "class TokenHelper: ...",
        "def do_login(): ...",
        "def load(data): ...",
        "self.auth = 1",
        "import json as json_util",
        "info = 1",
        "process_all = 1",
    ],
)
def test_a_word_that_says_nothing_is_found(code: str) -> None:
    """Each kind of name that the design keeps out is found, whatever it names."""
    assert len(banned(names_given(code))) == 1


# -- what a module says that it offers --------------------------------------------------------------------------------


def public_names(path: Path) -> set[str]:
    """Return the public names that a module defines."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_all_is_sorted_and_importable(path: Path) -> None:
    """Every `__all__` is sorted, constants and classes first, holds no name twice, and each name is there."""
    module = importlib.import_module(module_name(path))
    names: list[str] = getattr(module, "__all__", [])
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert [name for name in names if not hasattr(module, name)] == []


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parent == SOURCE or path.stem == "__init__"], ids=relative
)
def test_all_is_complete(path: Path) -> None:
    """A module of the kernel, and the front of a package, name in `__all__` everything public that they define."""
    offered: list[str] = getattr(importlib.import_module(module_name(path)), "__all__", [])
    assert public_names(path) - set(offered) == set()


# -- sessions ---------------------------------------------------------------------------------------------------------


def starts_a_session(code: str) -> bool:
    """Tell whether the code takes hold of one of the verbs that start or replace a session."""
    tree = ast.parse(code)
    return any(isinstance(node, ast.Attribute) and node.attr in STARTING for node in ast.walk(tree))


@pytest.mark.parametrize("path", [path for path in FILES if top_of(path) not in MAY_START], ids=relative)
def test_only_the_gate_starts_sessions(path: Path) -> None:
    """Sessions begin, are replaced and get new secrets in the gate, and nowhere else."""
    assert not starts_a_session(path.read_text())


@pytest.mark.parametrize("code", ["store.add_session(session)", "replace = self.gate.store.replace_session"])
def test_starting_a_session_elsewhere_is_found(code: str) -> None:
    """Calling such a verb is found, and so is handing it on."""
    assert starts_a_session(code)


# -- files and tests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_file_is_long(path: Path) -> None:
    """A file has at most 300 lines, or a reason."""
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_FILE or relative(path) in LONG_FILES


def speechless(code: str) -> list[str]:
    """Return the tests whose docstring is missing, or is not one sentence."""
    functions = [
        node
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    said = {node.name: ast.get_docstring(node) or "" for node in functions}
    return [name for name, text in said.items() if not text.endswith(".") or TWO_SENTENCES.search(text)]


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_every_test_says_what_it_is_about(path: Path) -> None:
    """Every test has a docstring of one sentence."""
    assert speechless(path.read_text()) == []


@pytest.mark.parametrize("body", ["pass", "'''It works'''", "'''It works. It really does.'''"])
def test_a_test_that_says_nothing_is_found(body: str) -> None:
    """A test without a docstring, without a full stop or with a second sentence is found."""
    assert speechless(f"def test_it():\n    {body}") == ["test_it"]


# -- what no file names -----------------------------------------------------------------------------------------------

#: Hosts of package registries and folders of one machine, in classes of one letter so that this file does not match.
ELSEWHERE = re.compile(
    r"py[p]i\.(org|python)|python[h]osted|registry\.npm[j]s|[d]eb\.debian|secur[i]ty\.debian"
    r"|(^|[^\w.])/([w]ork|[r]oot|[h]ome|[U]sers|tmp/[a-z])/",
    re.MULTILINE,
)


def files_of_the_project() -> list[Path]:
    """Return the files that are under version control or would be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603 -- our own words
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_nothing_names_a_registry_or_a_machine() -> None:
    """No file under version control names the host of a package registry or a folder of one machine."""
    assert [
        relative(path) for path in files_of_the_project() if ELSEWHERE.search(path.read_text(errors="replace"))
    ] == []


@pytest.mark.parametrize("text", ["https://{}/simple", "cd {}", "see {}."])
@pytest.mark.parametrize("place", ["py" + "pi.org", "files.python" + "hosted.org", "/ho" + "me/ada", "/ro" + "ot/x"])
def test_a_place_elsewhere_is_found(text: str, place: str) -> None:
    """A host of a registry and a folder of one machine are found in running text."""
    assert ELSEWHERE.search(text.format(f"{place}/"))
