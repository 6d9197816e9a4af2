"""Stand in for the module ``flask_login``, for packages that import it by name.

Nothing is installed on disk: a second distribution that ships a folder ``flask_login`` breaks as soon as
some package brings the real one.
"""

from __future__ import annotations

import sys
from importlib import import_module

from admit.errors import ConfigurationError

__all__ = ["install"]


def install() -> None:
    """Make ``import flask_login``, and its submodules, mean Admit in this process.

    Call it before anything imports ``flask_login``; calling it again changes nothing.

    >>> from admit.flask import LoginManager, alias
    >>> alias.install()
    >>> import flask_login
    >>> flask_login.LoginManager is LoginManager
    True

    Raises:
        ConfigurationError: The real Flask-Login was imported before.

    .. versionadded:: 0.1
    """
    package = import_module("admit.flask")
    found = sys.modules.setdefault("flask_login", package)
    if found is not package:
        message = (
            "The real flask_login was imported before alias.install(), so some code holds on to it already. "
            "Call alias.install() before the first import of flask_login, or of a package that imports it."
        )
        raise ConfigurationError(message)
    # All of them: a submodule imported under the other name only would be a second copy of it.
    for name, module in list(sys.modules.items()):
        if name.startswith("admit.flask."):
            sys.modules[name.replace("admit.flask", "flask_login", 1)] = module
