"""Every example in the README, the documentation and the docstrings runs."""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("run_examples.py")
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/features/*.md"), *ROOT.glob("examples/*/*.md")]
)
MODULES = sorted((ROOT / "src").rglob("*.py"))

#: A fenced block may be in these languages. Python is run, and of the console's lines the commands are checked. A diff
#: is applied by the test of its guide; nginx, units of systemd and the commands of containers are tried in
#: tests/deployment.
LANGUAGES = {
    "python",
    "console",
    "nginx",
    "ini",
    "sh",
    "css",
    "diff",
    "text",
    "json",
    "html",
    "http",
    "toml",
    "{admit-asvs}",
    "{admit-errors}",
    "{admit-events}",
    "{admit-feature}",
    "{admit-features}",
    "{admit-pages}",
    "{admit-server-settings}",
    "{admit-settings}",
    "{eval-rst}",
    "{toctree}",
}
FENCE = re.compile(r"^```(.*)\n(?:.*\n)*?```$", re.MULTILINE)
#: An indented block after two colons, as reStructuredText has it.
LITERAL = re.compile(r"::\n\n((?: +.*\n|\n)+)")


def relative(path: Path) -> str:
    """Name a file as a reader would."""
    return str(path.relative_to(ROOT))


def run(document: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a document in an interpreter of its own, since examples change what the whole process sees."""
    command = [sys.executable, "-W", "error", str(RUNNER), str(document)]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=120)  # noqa: S603 -- our own words


def docstrings(path: Path) -> list[str]:
    """Return all docstrings of a module."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def is_code(block: str) -> bool:
    """Tell whether Python would take it; a drawing or a layout it would not."""
    try:
        ast.parse(textwrap.dedent(block))
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("page", [page for page in PAGES if "```python" in page.read_text()], ids=relative)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """The blocks of Python of a page run in order, in one namespace, without a warning."""
    ran = run(page, tmp_path)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("module", [path for path in MODULES if ">>> " in path.read_text()], ids=relative)
def test_the_examples_of_docstrings_run(module: Path, tmp_path: Path) -> None:
    """What a docstring shows after `>>>` gives what it says."""
    ran = run(module, tmp_path)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_no_block_is_in_a_language_that_nobody_checks(page: Path) -> None:
    """Each fenced block says its language, spelled so that Python is recognised."""
    found = [language.partition("} ") for language in FENCE.findall(page.read_text())]
    # What follows the name of a directive is its argument.
    assert [name for name, brace, _ in found if name + brace.strip() not in LANGUAGES] == []


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_no_docstring_shows_code_that_does_not_run(module: Path) -> None:
    """Code in a docstring is written with `>>>`, so that it runs; what follows `::` is a drawing."""
    blocks = [block for text in docstrings(module) for block in LITERAL.findall(f"{text}\n")]
    assert [block for block in blocks if is_code(block)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.md", "```python\nassert False, 'wrong'\n```\n"),
        ("page.md", "```python\nimport warnings; warnings.warn('wrong')\n```\n"),
        ("module.py", '"""Add.\n\n>>> 1 + 1 == 3\nTrue\n"""\n'),
    ],
)
def test_an_example_that_is_wrong_is_found(name: str, text: str, tmp_path: Path) -> None:
    """An example that fails, warns or gives something else makes the run fail and names the document."""
    document = tmp_path / name
    document.write_text(text)
    ran = run(document, tmp_path)
    assert ran.returncode != 0
    assert name in ran.stderr


def test_a_block_may_be_skipped_with_its_reason(tmp_path: Path) -> None:
    """A comment that no reader of the page sees keeps the next block from running, and says why."""
    page = tmp_path / "page.md"
    page.write_text('<!-- skip: next "needs a server" -->\n```python\nassert False\n```\n')
    ran = run(page, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "needs a server" in ran.stdout
