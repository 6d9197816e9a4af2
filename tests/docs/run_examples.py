"""Run the examples of one document, in order and in one namespace; `run_examples.py DOCUMENT`.

Of a page these are its blocks of Python, of a module the `>>>` in its docstrings. A block that must not run has
`<!-- skip: next "the reason" -->` before it.
"""

import sys
from pathlib import Path
from types import ModuleType
from unittest import SkipTest

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers import markdown, rest

PAGES = Sybil([markdown.PythonCodeBlockParser(), markdown.SkipParser()], patterns=["*.md"])
MODULES = Sybil([rest.DocTestParser()], patterns=["*.py"], document_types={".py": PythonDocStringDocument})


def stand_in() -> ModuleType:
    """Make the module that the examples believe to be in, so that `Flask(__name__)` finds a folder: this one."""
    module = sys.modules["example"] = ModuleType("example")
    module.__file__ = str(Path.cwd() / "example.py")
    return module


def main() -> None:
    """Run them all; the traceback of one that fails names the document and the line."""
    path = Path(sys.argv[1])
    document = (MODULES if path.suffix == ".py" else PAGES).parse(path)
    document.namespace |= vars(stand_in())
    for example in document.examples():
        try:
            example.evaluate()
        except SkipTest as skipped:
            print(f"line {example.line} does not run: {skipped}")  # noqa: T201 -- the test shows it


if __name__ == "__main__":
    main()
