"""The import rule of docs/design.md: imports only point up the list of layers."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "admit"

#: The layers, lowest first. A module may import from its own layer and from those above it in this list.
LAYERS = (
    {"errors", "model", "tokens", "per_process"},
    {
        "settings",
        "policy",
        "store",
        "store_clock",
        "adopting",
        "events",
        "mail",
        "smtp",
        "background",
        "chain",
        "telling",
        "findings",
        "foreign_hashes",
        "idle",
        "listening",
    },
    {
        "throttle",
        "admission",
        "changing",
        "erasure",
        "gate",
        "rotation",
        "feature",
        "challenges",
        "codes",
        "sessions",
        "hosts",
        "identifiers",
        "look_alikes",
        "known_devices",
        "operations",
        "origins",
        "sign_ups",
        "device_names",
        "action",
        "context",
        "issuing",
        "proofs",
        "regaining",
    },
    {"stores", "features"},
    {"flask", "server", "testing"},
)
#: The root of the package offers the kernel's names.
ROOT = "__init__"
KERNEL = range(3)
TOP = len(LAYERS) - 1
WEB_FRAMEWORKS = {"flask", "werkzeug", "jinja2", "click", "blinker", "itsdangerous", "waitress"}
#: Each driver, and the one store that may import it.
DRIVERS = {"sqlalchemy": "sql", "psycopg": "sql", "alembic": "sql", "redis": "redis", "hiredis": "redis"}
#: The kernel is the standard library, but for what describes the input of an action, and what knows the rules of names.
KERNEL_MAY = {
    "action": {"msgspec"},
    "context": {"msgspec"},
    "device_names": {"ua_parser"},
    "feature": {"msgspec"},
    "identifiers": {"email_validator", "regex"},
}
#: What is imported inside of the function that needs it: it costs more than the rest of the kernel together.
LATE = {"argon2", "email_validator", "regex", "ua_parser", "zxcvbn"}

Imports = list[tuple[str, ...]]


def layer_of(module: str) -> int:
    """Return the number of the layer of a module or folder in `admit`."""
    if module == ROOT:
        return KERNEL[-1]
    found = [number for number, names in enumerate(LAYERS) if module in names]
    assert found, f"admit.{module} has no layer. Say in LAYERS and in docs/design.md where it belongs."
    return found[0]


def imports_of(tree: ast.AST) -> Imports:
    """Return the full names of all that is imported, for types and inside of functions included."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # A name in a package may be a module, so it counts as one.
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [tuple(name.split(".")) for name in names]


def violations(module: str, code: str) -> set[str]:
    """Return what the module with this dotted path below `admit` imports and must not."""
    here = tuple(module.split("."))
    return {message for name in imports_of(ast.parse(code)) if (message := objection(here, name))}


def objection(here: tuple[str, ...], name: tuple[str, ...]) -> str | None:
    """Say what is wrong with one import in the module `here`, if anything is."""
    root, *below = name
    if root == "admit":
        return inner_objection(here, tuple(below)) if below else "Import the module that is meant, not the root."
    layer = layer_of(here[0])
    if root in WEB_FRAMEWORKS and layer < TOP:
        return f"{root} is a web framework: it belongs in flask/, server/ or testing/."
    if root in DRIVERS and store_of(here) != DRIVERS[root]:
        return f"{root} is a driver: it belongs in stores/{DRIVERS[root]}."
    if layer in KERNEL and root not in sys.stdlib_module_names | KERNEL_MAY.get(here[0], set()):
        return f"{root} is not in the standard library: it has no place in the kernel."
    return None


def inner_objection(here: tuple[str, ...], there: tuple[str, ...]) -> str | None:
    """Say what is wrong with importing `there`, a path below `admit`, in the module `here`."""
    if layer_of(there[0]) > layer_of(here[0]):
        return f"{there[0]} is built on {here[0]}."
    if {here[0], there[0]} == {"stores", "features"}:
        return "Stores and features do not know each other."
    if here[0] == there[0] and here[0] in {"stores", "features"} and len(here) > 1 and family(there) != family(here):
        return f"{'.'.join(there)} is a sibling."
    return None


def family(path: tuple[str, ...]) -> str:
    """Return the store or feature that a module is a part of: `redis_cluster` is a part of `redis`."""
    return "sql" if path[1] == "migrations" else path[1].split("_")[0] if path[0] == "stores" else path[1]


def store_of(here: tuple[str, ...]) -> str | None:
    """Return the store that a module is a part of."""
    return family(here) if here[0] == "stores" and len(here) > 1 else None


def modules() -> dict[str, Path]:
    """Return every module of the package, by dotted path below `admit`."""
    paths = {path.relative_to(SOURCE).with_suffix(""): path for path in sorted(SOURCE.rglob("*.py"))}
    return {".".join(path.parts).removesuffix(f".{ROOT}"): file for path, file in paths.items()}


@pytest.mark.parametrize("module", modules())
def test_imports_point_up(module: str) -> None:
    """No module imports what is built on it, a sibling, or a driver or framework that isn't its own."""
    assert violations(module, modules()[module].read_text()) == set()


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("tokens", "import admit.gate"),
        ("tokens", "from admit import policy"),
        ("tokens", "from admit.policy import is_alive"),
        ("tokens", "import admit"),
        ("tokens", "if TYPE_CHECKING:\n    from admit.gate import Gate"),
        ("tokens", "def late():\n    from admit.gate import Gate"),
        ("policy", "import flask"),
        ("policy", "import requests"),
        ("gate", "import msgspec"),
        ("gate", "import regex"),
        ("identifiers", "import msgspec"),
        ("__init__", "from admit.flask import LoginManager"),
        ("stores.memory", "from admit.stores.sql import SqlStore"),
        ("stores.memory", "from admit.stores import sql"),
        ("stores.memory", "import redis"),
        ("stores.redis_cluster", "import sqlalchemy.orm"),
        ("stores.memory", "from admit.features.totp import Totp"),
        ("stores", "import redis"),
        ("flask.current", "import sqlalchemy"),
        ("features.totp", "from admit.features.password import Password"),
        ("features.totp.codes", "from admit.features import password"),
        ("features.totp", "from admit.stores import open_store"),
        ("features.totp", "from admit.flask import login_user"),
    ],
)
def test_the_rule_catches(module: str, code: str) -> None:
    """A made-up violation of each kind is found."""
    assert len(violations(module, code)) == 1


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("gate", "from admit.model import Session\nimport hashlib"),
        ("feature", "import msgspec"),
        ("identifiers", "def late():\n    import email_validator, regex"),
        ("__init__", "from admit.gate import Gate"),
        ("stores", "from admit.stores.sql import SqlStore"),
        ("stores.redis", "from admit.stores.redis_cluster import connect\nimport redis"),
        ("features.totp", "from admit.features.totp.codes import code\nimport pyotp"),
        ("server.app", "import waitress\nfrom admit.flask import LoginManager"),
    ],
)
def test_the_rule_allows(module: str, code: str) -> None:
    """What points up the list, and the driver of a store, may be imported."""
    assert violations(module, code) == set()


def test_a_module_without_a_layer_is_refused() -> None:
    """Whoever adds a module to the package says which layer it is in."""
    with pytest.raises(AssertionError, match="has no layer"):
        violations("elsewhere", "import admit.tokens")


def loaded_with(module: str, code: str) -> set[str]:
    """Return the modules below `admit` that must be loaded before this one can be."""
    known = modules()
    imported: set[str] = set()
    for node in ast.parse(code).body:
        paths = [".".join(name[1:]) for name in imports_of(node) if not is_for_types(node) and name[0] == "admit"]
        imported |= {path if path in known else path.rpartition(".")[0] for path in paths}
    return imported & known.keys() - {module}


def is_for_types(node: ast.stmt) -> bool:
    """Tell whether a statement runs for type checkers only, or later."""
    later = ast.FunctionDef | ast.AsyncFunctionDef
    return isinstance(node, later) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")


def test_no_imports_go_round() -> None:
    """No module needs itself, by way of others, to be loaded."""
    graph = {module: loaded_with(module, path.read_text()) for module, path in modules().items()}
    TopologicalSorter(graph).prepare()


def test_imports_that_go_round_are_found() -> None:
    """Two modules that import each other are found, unless one does so for its types."""
    assert loaded_with("tokens", "if TYPE_CHECKING:\n    import admit.errors") == set()
    graph = {
        "errors": loaded_with("errors", "from admit.tokens import parse"),
        "tokens": loaded_with("tokens", "from admit import errors"),
    }
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", [name for name in modules() if "." not in name and layer_of(name) < TOP])
def test_the_kernel_loads_no_framework_and_no_driver(module: str) -> None:
    """Importing the root, a module of the kernel or the stores loads no web framework and no driver."""
    heavy = WEB_FRAMEWORKS | set(DRIVERS) | LATE | ({"msgspec"} - KERNEL_MAY.get(module, set()))
    assert loaded_of(heavy, "admit" if module == ROOT else f"admit.{module}") == "[]"


def test_logins_alone_load_nothing_of_accounts() -> None:
    """Importing Admit for Flask loads neither what accounts need nor an event loop: each makes the start slower."""
    heavy = set(DRIVERS) | LATE | {"asyncio", "msgspec", "admit.feature", "admit.flask.installing", "admit.flask.cli"}
    heavy |= {"admit.stores", "admit.chain", "admit.gate", "admit.events"}
    assert loaded_of(heavy, "admit.flask") == "[]"
    assert loaded_of({"admit.flask.guards"}, "admit.flask") == "['admit.flask.guards']"


def loaded_of(names: set[str], module: str) -> str:
    """Return which of these a new Python has loaded after one import, as it prints the list."""
    code = f"import sys, {module}; print([name for name in {sorted(names)!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 -- our own words
    return ran.stdout.strip()
