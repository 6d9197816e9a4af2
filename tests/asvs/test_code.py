"""What the code never does, so that no input can make it: read off the source, where no request could show it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
import tomllib
from functools import cache
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import admit

pytestmark = pytest.mark.asvs

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(admit.__file__).parent
SCRIPTS = sorted(SOURCE.rglob("*.js"))
TEMPLATES = sorted([*SOURCE.rglob("*.html"), *SOURCE.rglob("*.txt")])


@cache
def trees() -> dict[str, ast.Module]:
    """Return every module of the package, parsed, by its path."""
    return {str(path.relative_to(SOURCE)): ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}


@cache
def nodes() -> list[tuple[str, ast.AST]]:
    """Return every node of every module, with the module's path."""
    return [(path, node) for path, tree in trees().items() for node in ast.walk(tree)]


@cache
def imports() -> dict[str, set[str]]:
    """Return what each module imports, by its path: modules, and names with the modules they come from."""
    found: dict[str, set[str]] = {path: set() for path in trees()}
    for path, node in nodes():
        if isinstance(node, ast.Import):
            found[path].update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            found[path].update({node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


@cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """Return every call with its module and how the function is spelled."""
    return [(path, ast.unparse(node.func), node) for path, node in nodes() if isinstance(node, ast.Call)]


def importing(*names: str) -> set[str]:
    """Return the modules that import one of these."""
    return {path for path, found in imports().items() if any(one.split(".")[0] in names for one in found)}


# -- what could run what somebody sent --------------------------------------------------------------------------------


def test_nothing_starts_programs() -> None:
    """No module can start a program, by a shell or without."""
    assert importing("subprocess", "pty", "commands", "sh") == set()
    forbidden = re.compile(r"os\.(system|popen|exec\w*|spawn\w*|posix_spawn\w*)")
    assert [call for call in calls() if forbidden.fullmatch(call[1])] == []


def test_nothing_runs_text() -> None:
    """No text becomes code, or a template, while the program runs."""
    forbidden = {"eval", "exec", "compile", "__import__", "render_template_string", "Template", "jinja2.Template"}
    assert [(path, name) for path, name, _ in calls() if name in forbidden] == []
    # Of the hash's own notation, in libpass.
    made_of_text = [(path, name) for path, name, _ in calls() if name.endswith(".from_string")]
    assert made_of_text == [("features/password/adopted.py", "scheme.from_string")]


def test_nothing_unpacks_objects() -> None:
    """No module reads a format that makes objects of what it says: what comes back is JSON with declared types."""
    assert importing("pickle", "marshal", "shelve", "dill", "jsonpickle", "yaml", "xmlrpc") == set()


def test_there_is_no_such_language() -> None:
    """Neither XML, XPath, LDAP nor GraphQL is spoken, so that nothing can be injected into them."""
    assert importing("xml", "lxml", "ldap", "ldap3", "graphql", "graphene") == set()


def test_patterns_are_written_not_made() -> None:
    """Every pattern is our own words; where a name is part of one, it is escaped or one of ours."""
    made = [
        (path, ast.unparse(call.args[0]))
        for path, name, call in calls()
        if re.fullmatch(r"(re|regex)\.(compile|search|match|fullmatch|sub|split|findall|finditer)", name)
        and not isinstance(call.args[0], ast.Constant)
    ]
    harmless = {
        ("features/password/adopted.py", "pattern"),  # the notations of hashes, written below it
        ("flask/cors.py", r"f'{_NAME}(?:[ \\t]*,[ \\t]*{_NAME})*'"),  # the names of headers, written above it
        ("flask/headers.py", r"f'(?:^|;)[ \\t]*{re.escape(name)}=([^;]*)'"),
        ("flask/headers.py", r"f'(?:^|;)\\s*{re.escape(name)}\\s*='"),
        ("flask/settings.py", r"_ORIGIN.pattern + '(?:/(?!\\.)[\\w.~-]+)*'"),
        ("identifiers.py", "f'[{letters}]+'"),  # scripts of Unicode, from a table of ours
    }
    others = [one for one in made if one not in harmless]
    assert all("{" not in text for _, text in others), others


@cache
def patterns() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    """Return every pattern that a module of the package holds, by its place.

    Left out are those that read what nobody from outside writes: docstrings, the configuration, answers of a cluster.
    """
    found: dict[str, re.Pattern[str] | re.Pattern[bytes]] = {}
    for one in pkgutil.walk_packages(admit.__path__, "admit."):
        if ".migrations" in one.name or one.name.endswith("__main__"):
            continue
        module = importlib.import_module(one.name)
        found |= {f"{one.name}.{key}": it for key, it in vars(module).items() if isinstance(it, re.Pattern)}
        for key, several in vars(module).items():
            if isinstance(several, list | tuple):
                held = [getattr(it, "pattern", None) for it in several]
                found |= {f"{one.name}.{key}[{n}]": it for n, it in enumerate(held) if isinstance(it, re.Pattern)}
    inside = {"admit.flask.prose._SENTENCE", "admit.smtp._AUTHOR", "admit.stores.redis_cluster._REDIRECT"}
    assert inside <= set(found)
    return {key: it for key, it in found.items() if key not in inside}


HOSTILE = ("a", "@", ".", "A1_-", "<", '"', '\\"', "://a:", " ", "\n", "1", "$", "-w ", "a.", "a@", ":r:`", "aA", "/.")


def test_patterns_take_linear_time() -> None:
    """No pattern of ours can be made to take long by what it is matched with."""
    assert len(patterns()) > 25
    slow = []
    for place, pattern in patterns().items():
        for piece in HOSTILE:
            text = piece * (10_000 // len(piece)) + "\0"
            began = time.process_time()
            # Quadratic time would be seconds. What says so in its own place is our own configuration.
            for look in (pattern.search, pattern.match, pattern.fullmatch):
                look(text if isinstance(pattern.pattern, str) else text.encode())  # type: ignore[arg-type]
            if time.process_time() - began > 0.4:
                slow.append((place, piece))
    assert slow == []


def test_names_of_tables_are_all_that_is_put_into_statements() -> None:
    """A module that puts SQL together says why that is safe, and puts in nothing but names and our own words."""
    said = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if "# ruff: noqa: S608 -- only names that were checked" in path.read_text()
    }
    # ruff's S608 finds every other statement that is put together, and runs in `make check`.
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["select"] == ["ALL"]
    assert said <= {str(path.relative_to(SOURCE)) for path in (SOURCE / "stores").glob("sql_*.py")}
    elsewhere = [path for path in SOURCE.rglob("*.py") if re.search("noqa: S608(?! -- only names)", path.read_text())]
    assert elsewhere == []


# -- secrets and cryptography -----------------------------------------------------------------------------------------

#: Which module computes what, and what for. The page about security says so in words.
HASHES = {
    "chain.py": {"sha256"},  # the chain of records
    "background.py": {"sha256"},  # whom a log line is about
    "features/magic_link/__init__.py": {"sha256"},  # codes
    "features/mail_verification/confirmed_links.py": {"sha256"},  # the name of what notes a used link
    "features/password/adopted.py": {"sha256", "sha512", "pbkdf2_hmac", "scrypt"},  # as other programs did
    "features/password/breaches.py": {"sha1"},  # what the service's ranges are made of
    "flask/cookie_login.py": {"sha512"},  # Flask-Login's identifier
    "known_devices.py": {"sha256"},  # where a client without cookies has been before
    "flask/remember.py": {"sha256", "sha512"},  # a key for each purpose, and Flask-Login's remember cookie
    "server/user_rows.py": {"sha256"},  # ids
    "stores/redis_counters.py": {"sha256"},  # names of keys
    "stores/redis_scripts.py": {"sha1"},  # what Redis calls its scripts
    "stores/sql_model_passwords.py": {"sha256"},  # whether a column has changed
    "stores/sql_postgres.py": {"sha256"},  # names of channels
    "throttle.py": {"sha256"},  # names of counters
    "tokens.py": {"sha256"},  # secrets at rest, and their succession
}


def hashes() -> dict[str, set[str]]:
    """Return which algorithms each module names."""
    known = re.compile(r"\b(md[245]|sha\d+|sha3_\d+|blake2\w|pbkdf2_hmac|scrypt|ripemd160)\b")
    found: dict[str, set[str]] = {}
    for path, node in nodes():
        if isinstance(node, ast.Attribute | ast.Name):
            names = [node.attr if isinstance(node, ast.Attribute) else node.id]
        elif isinstance(node, ast.ImportFrom) and node.module == "hashlib":
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"hmac.digest", "hmac.new", "hashlib.new"}:
            names = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        else:
            continue
        for name in names:
            if known.fullmatch(name):
                found.setdefault(path, set()).add(name)
    return found


def test_the_algorithms_are_those_of_the_inventory() -> None:
    """No module computes a hash that the inventory does not have, and MD5 is nowhere."""
    assert hashes() == HASHES
    assert not any(name.startswith("md") for found in hashes().values() for name in found)


def test_sha1_protects_nothing() -> None:
    """Where SHA-1 is asked for, it is another program's choice of a name, and said to be no security."""
    asked = [call for _, name, call in calls() if name in {"sha1", "hashlib.sha1"}]
    assert len(asked) == 2
    for call in asked:
        [keyword] = call.keywords
        assert ast.unparse(keyword) == "usedforsecurity=False"


def test_nothing_is_encrypted_and_nothing_self_made() -> None:
    """There is no cipher, no signature and no token format of our own: nothing to use in the wrong mode."""
    assert (
        importing("cryptography", "Crypto", "nacl", "jwt", "jose", "authlib", "itsdangerous", "rsa", "ecdsa") == set()
    )
    makers = {"argon2", "bcrypt", "passlib"}
    assert {one.split(".")[0] for found in imports().values() for one in found} & makers <= makers


def test_chance_is_the_systems() -> None:
    """What has to be unguessable comes from the operating system's generator, and from nothing else."""
    assert importing("random", "numpy") == set()
    assert not [name for _, name, _ in calls() if re.fullmatch(r"(uuid\.)?uuid[1-8]|os\.urandom|time\.time", name)]
    drawn = {name.split("(")[0] for _, name, _ in calls() if name.startswith("secrets.")}
    known = ("choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe")
    assert drawn <= {f"secrets.{one}" for one in known}


def test_secrets_are_compared_in_constant_time() -> None:
    """No secret, hash or token is compared by an operator that stops at the first difference."""
    secret = re.compile(r"(.*_)?(secret|secrets|digest|token|hash|code|password|mark|hashed|presented)(_hash)?")
    found = []
    for path, node in nodes():
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
            sides = [node.left, *node.comparators]
            names = [getattr(one, "attr", getattr(one, "id", "")) for one in sides]
            # What is compared with a constant of ours is no secret.
            if any(secret.fullmatch(name) for name in names) and not any(
                isinstance(one, ast.Constant) for one in sides
            ):
                found.append((path, ast.unparse(node)))
    assert found == [
        # The end of a chain, which whoever may read the records may know.
        ("chain.py", "last == self.ends.head_hash"),
        ("flask/answers.py", "response.status_code == HTTPStatus.UNAUTHORIZED"),
        # Two readings of one column. Nobody sends either.
        ("stores/sql_model_table.py", "person.password != old"),
    ]


def test_connections_are_verified() -> None:
    """No connection of ours is told to believe any certificate."""
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))
    assert not re.search(r"verify\s*=\s*False|CERT_NONE|_create_unverified|check_hostname\s*=\s*False", text)


def test_no_question_stands_for_a_password() -> None:
    """There are no hints and no secret questions."""
    text = "\n".join(path.read_text() for path in [*SOURCE.rglob("*.py"), *TEMPLATES])
    assert not re.search(r"secret.?question|mother.?s maiden|password.?hint|first pet", text, re.IGNORECASE)


def test_no_secret_is_in_the_source() -> None:
    """No text of the package looks like a key, but for those of tutorials, which are refused."""
    word = re.compile(r"(?=\w*\d)(?=\w*[a-z])[A-Za-z0-9_-]{32,}")
    found = {
        (path, text)
        for path, node in nodes()
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for text in word.findall(node.value)
    }
    assert {path for path, _ in found} == {"flask/starting.py"}


# -- where things go --------------------------------------------------------------------------------------------------


def test_logs_go_where_the_application_says() -> None:
    """The package opens no log of its own: its loggers are below `admit`, and what it prints are its commands."""
    settings = {"FileHandler", "basicConfig", "addHandler", "StreamHandler", "dictConfig", "setLevel"}
    found = [(path, name) for path, name, _ in calls() if name.split(".")[-1] in settings]
    # The ready application is one, and may say of its own server that a queue is no news.
    assert found == [("server/serving.py", "logging.getLogger('waitress.queue').setLevel")]
    named = [ast.unparse(call.args[0]) for _, name, call in calls() if name == "logging.getLogger"]
    assert named
    assert all(one in {"__name__", "'waitress.queue'"} or one.startswith("'admit.") for one in named)
    assert [path for path, name, _ in calls() if name == "print"] == []


def test_who_opens_connections() -> None:
    """Only what asks a database, a mail server, a list of leaks or the site itself speaks to other machines."""
    speaking = importing(
        "socket", "ssl", "smtplib", "urllib.request", "http.client", "httpx", "requests", "psycopg", "redis"
    )
    urls = {path for path, found in imports().items() if any(one.startswith("urllib.request") for one in found)}
    assert urls == {"features/password/breaches.py"}
    inside = {path for path in speaking if path.startswith(("stores/", "server/", "testing/"))}
    # What an operator has looked at by its address, and mails.
    assert speaking - inside == {"flask/visits.py", "smtp.py"}


def test_every_package_is_locked_by_its_hash() -> None:
    """Each package that is installed for development, tests and serving is pinned with hashes, which are demanded."""
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        pinned = re.findall(r"^[\w.\[\]-]+==(?:[^\n]|(?<=\\)\n)*", lock.read_text(), re.MULTILINE)
        assert len(pinned) > 3
        assert all("--hash=sha256:" in one for one in pinned), lock
    assert '"--require-hashes"' in (ROOT / "tools" / "environment.py").read_text()


def test_the_wheel_holds_the_package_and_nothing_else() -> None:
    """Neither tests, examples, benchmarks nor the history of the source are in what is installed."""
    files = [one.distribution_path for one in WheelBuilder(str(ROOT)).recurse_included_files()]
    assert len(files) > 100
    assert [one for one in files if not one.startswith("admit/")] == []
    assert [
        one for one in files if re.search(r"(^|/)(tests|examples|bench|\.git[^/]*|\.env)(/|$)|~$|\.orig$", one)
    ] == []


# -- scripts and pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.name for path in SCRIPTS])
def test_scripts_write_text_and_keep_nothing(script: Path) -> None:
    """A script inserts text as text, keeps nothing in the browser, listens to no other window, and is strict."""
    code = script.read_text()
    inserting = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setTimeout\(['\"`]"
    # The one cookie that is read and taken away says for how long to wait.
    keeping = r"localStorage|sessionStorage|indexedDB|document\.cookie(?!\.match| = \"admit-wait=; Max-Age=0;)|caches\b"
    listening = r"postMessage|['\"]message['\"]|onmessage"
    reaching = r"window\[|globalThis\[|Object\.assign|__proto__|\.\.\.JSON|merge\("
    assert not re.search(f"{inserting}|{keeping}|{listening}|{reaching}", code)
    assert '"use strict";' in code


def test_pages_use_nothing_of_other_sites() -> None:
    """No page refers to anything on another host, runs code of its own, or needs a plug-in."""
    for path in TEMPLATES:
        text = path.read_text()
        assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", text), path
        assert not re.search(r"<(?:object|embed|applet|iframe|frame)\b|\son[a-z]+=|\|\s*safe\b", text), path
