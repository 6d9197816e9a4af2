"""The alias: `import flask_login` means Admit. Each test is an interpreter of its own: it is about `sys.modules`."""

import subprocess
import sys
from textwrap import dedent

import pytest

SECONDS = 60
INSTALL = "from admit.flask.alias import install; install()\n"

NAMES = {
    "flask_login": """
        AnonymousUserMixin COOKIE_DURATION COOKIE_HTTPONLY COOKIE_NAME COOKIE_SECURE FlaskLoginClient ID_ATTRIBUTE
        LOGIN_MESSAGE LOGIN_MESSAGE_CATEGORY LoginManager REFRESH_MESSAGE REFRESH_MESSAGE_CATEGORY UserMixin __all__
        confirm_login current_user decode_cookie encode_cookie fresh_login_required login_fresh login_remembered
        login_required login_url login_user logout_user make_next_param session_protected set_login_view user_accessed
        user_loaded_from_cookie user_loaded_from_request user_logged_in user_logged_out user_login_confirmed
        user_needs_refresh user_unauthorized""",
    "flask_login.utils": """
        _cookie_digest _create_identifier _get_user _secret_key _user_context_processor confirm_login current_user
        decode_cookie encode_cookie expand_login_view fresh_login_required login_fresh login_remembered login_required
        login_url login_user logout_user make_next_param set_login_view""",
    "flask_login.config": """
        COOKIE_DURATION COOKIE_HTTPONLY COOKIE_NAME COOKIE_SAMESITE COOKIE_SECURE EXEMPT_METHODS ID_ATTRIBUTE
        LOGIN_MESSAGE LOGIN_MESSAGE_CATEGORY REFRESH_MESSAGE REFRESH_MESSAGE_CATEGORY SESSION_KEYS
        USE_SESSION_FOR_NEXT""",
    "flask_login.signals": """
        session_protected user_accessed user_loaded_from_cookie user_loaded_from_request user_logged_in user_logged_out
        user_login_confirmed user_needs_refresh user_unauthorized""",
    "flask_login.mixins": "AnonymousUserMixin UserMixin",
    "flask_login.login_manager": "LoginManager",
    "flask_login.test_client": "FlaskLoginClient",
    "flask_login.__about__": """
        __author__ __author_email__ __copyright__ __description__ __license__ __maintainer__ __title__ __url__
        __version__ __version_info__""",
}
OLD_NAMES = ["__version__", "AUTH_HEADER_NAME", "user_loaded_from_header"]

SITE = """
    from unittest import mock
    from flask import Flask
    import flask_login
    from flask_login import LoginManager, UserMixin, current_user, login_required, login_user

    app = Flask("site")
    app.secret_key = "of the tests"
    manager = LoginManager(app)

    class User(UserMixin):
        def __init__(self, id):
            self.id = id

    manager.user_loader(User)
    app.add_url_rule("/login", "login", lambda: str(login_user(User("ada"))))
    app.add_url_rule("/me", "me", login_required(lambda: current_user.get_id()))
    app.add_url_rule("/guarded", "guarded", login_required(lambda: "guarded"))
    client = app.test_client()
"""


def run(script: str) -> None:
    """Run the script in a fresh interpreter, where every warning is an error; its asserts are the test."""
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)  # noqa: S603
    assert done.returncode == 0, done.stderr


def run_aliased(script: str) -> None:
    """Run the script where `flask_login` is Admit."""
    run(INSTALL + dedent(script))


@pytest.mark.parametrize("module", NAMES)
def test_every_name_is_there(module: str) -> None:
    """A module of the alias is found by import and as an attribute, and has every name that others import."""
    run_aliased(f"""
        import importlib, flask_login
        module = importlib.import_module({module!r})
        assert eval({module!r}) is module
        missing = [name for name in {NAMES[module].split()!r} if not hasattr(module, name)]
        assert missing == [], missing
    """)


@pytest.mark.parametrize("name", OLD_NAMES)
def test_names_of_the_release_are_there(name: str) -> None:
    """What 0.6.3 exports and warns about is there too, with a warning or without."""
    run_aliased(f"""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import flask_login
        assert getattr(flask_login, {name!r})
    """)


def test_star_imports() -> None:
    """`from flask_login import *` and from its submodules give the names that applications go on to use."""
    run_aliased("""
        from flask_login import *
        assert [LoginManager, UserMixin, current_user, login_required, user_logged_in]
        from flask_login.utils import *
        from flask_login.signals import *
        from flask_login.mixins import *
        from flask_login.config import *
        assert [expand_login_view, user_logged_out, AnonymousUserMixin, EXEMPT_METHODS]
    """)


def test_it_is_admit() -> None:
    """Classes, functions and signals of the alias are Admit's own objects, so `isinstance` and receivers agree."""
    run_aliased("""
        import admit.flask, flask_login, flask_login.signals, flask_login.mixins, flask_login.login_manager
        from admit.flask import signals
        for name in flask_login.__all__:
            assert getattr(flask_login, name) is getattr(admit.flask, name), name
        for name in ("user_logged_in", "user_accessed", "session_protected"):
            assert getattr(flask_login.signals, name) is getattr(signals, name) is getattr(admit.flask, name), name
        assert flask_login.mixins.UserMixin is admit.flask.UserMixin
        assert flask_login.login_manager.LoginManager is admit.flask.LoginManager
    """)


def test_get_user_can_be_patched() -> None:
    """`mock.patch("flask_login.utils._get_user")` says who `current_user` is, in a request and out of one."""
    run_aliased(
        dedent(SITE)
        + dedent("""
        nobody = client.get("/me").status_code
        with mock.patch("flask_login.utils._get_user", return_value=User("patched")):
            assert current_user.id == "patched"
            assert flask_login.utils.current_user.id == "patched"
            assert client.get("/me").text == "patched"
        assert nobody == client.get("/me").status_code == 401
        """),
    )


def test_a_login_under_the_alias() -> None:
    """An application that imports `flask_login` by name logs in."""
    run_aliased(dedent(SITE) + 'client.get("/login")\nassert client.get("/me").text == "ada"')


def test_exempt_methods_can_be_changed() -> None:
    """A method added to `flask_login.config.EXEMPT_METHODS` passes the guards."""
    run_aliased(
        dedent(SITE)
        + dedent("""
        assert client.head("/guarded").status_code == 401
        flask_login.config.EXEMPT_METHODS.add("HEAD")
        assert client.head("/guarded").status_code == 200
        """),
    )


def test_calling_twice_is_harmless() -> None:
    """A second `install()` changes nothing: the modules are the same objects."""
    run_aliased("""
        import sys, flask_login, flask_login.utils
        before = {name: module for name, module in sys.modules.items() if name.startswith("flask_login")}
        install()
        assert before == {name: module for name, module in sys.modules.items() if name.startswith("flask_login")}
    """)


@pytest.mark.parametrize("imported", ["flask_login", "flask_login.utils"])
def test_the_real_package_came_first(imported: str) -> None:
    """Where the real package was imported before, `install` says so in two sentences, and touches nothing."""
    run(f"""if True:
        import {imported}, sys
        from admit.errors import ConfigurationError
        from admit.flask.alias import install
        before = dict(sys.modules)
        try:
            install()
        except ConfigurationError as error:
            assert "flask_login" in str(error), error
            assert str(error).endswith(".") and len(str(error).split(". ")) == 2, error
        else:
            raise SystemExit("it did not refuse")
        assert {{n: m for n, m in sys.modules.items() if n.startswith("flask_login")}} == {{
            n: m for n, m in before.items() if n.startswith("flask_login")
        }}
    """)


def test_it_is_opt_in() -> None:
    """Importing Admit, and the module of the alias, puts no `flask_login` anywhere."""
    run("import sys, admit.flask, admit.flask.alias; assert 'flask_login' not in sys.modules")


def test_others_can_ask_whether_it_is_there() -> None:
    """`find_spec`, as packages use it to look for optional imports, finds the alias."""
    run_aliased("""
        from importlib.util import find_spec
        assert find_spec("flask_login")
        assert find_spec("flask_login.utils")
    """)
