"""What packages offer: some of it is loaded with the first who asks for it."""

from __future__ import annotations

from importlib import import_module

import pytest

PACKAGES = ["admit", "admit.flask", "admit.testing"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_is_offered_is_there(package: str) -> None:
    """Each name of a package can be imported from it, and is what its own module calls so."""
    module = import_module(package)
    for name in module.__all__:
        found = getattr(module, name)
        if isinstance(found, type):
            assert found.__name__ == name
            assert found is getattr(import_module(found.__module__), name)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_not_offered_is_an_attribute_error(package: str) -> None:
    """A name that is not there is refused as Python refuses it, with the name of the package and its own."""
    with pytest.raises(AttributeError, match=rf"module '{package}' has no attribute 'Nothing'"):
        _ = import_module(package).Nothing
