"""The reference leaves nothing out."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "admit"
REFERENCE = (SOURCE.parents[1] / "docs" / "reference.md").read_text()


def undocumented(package: str) -> list[str]:
    """Return the classes and functions that a package offers and the reference does not show."""
    if f".. automodule:: {package}\n   :members:" in REFERENCE:
        return []
    module = import_module(package)
    offered = {name: getattr(module, name) for name in module.__all__}  # some come with the first who asks for them
    names = [name for name in offered if inspect.isroutine(offered[name]) or isinstance(offered[name], type)]
    return [name for name in names if f":: {package}.{name}\n" not in REFERENCE]


@pytest.mark.parametrize("module", [path.stem for path in sorted(SOURCE.glob("*.py")) if path.stem != "__init__"])
def test_the_kernel_is_in_the_reference(module: str) -> None:
    """The reference shows the docstrings of each module of the kernel."""
    assert undocumented(f"admit.{module}") == []


@pytest.mark.parametrize("package", [path.parent.name for path in sorted(SOURCE.glob("*/__init__.py"))])
def test_what_a_package_offers_is_in_the_reference(package: str) -> None:
    """The reference shows the docstring of each class and function that the front of a package offers."""
    assert undocumented(f"admit.{package}") == []
