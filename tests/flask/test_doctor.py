"""``flask admit doctor``, as an operator types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo
from flask_login import LoginManager as OtherLoginManager
from werkzeug.middleware.proxy_fix import ProxyFix

from admit.features.account import AccountPages
from admit.features.mail_verification import MailVerification
from admit.features.password import Password
from admit.features.password_reset import PasswordReset
from admit.features.registration import Registration
from admit.flask import LoginManager, store_checks
from admit.flask.doctor import doctor as doctor_itself
from admit.flask.doctor import examined
from admit.flask.facts import facts_of
from admit.mail import ConsoleSender
from admit.smtp import SmtpSender
from tests.flask.facts_of_tests import SECRET
from tests.mail_server import Mailbox, mail_server

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def doctor(app: Flask, *words: str) -> Result:
    """Run ``flask admit doctor`` with these words."""
    return app.test_cli_runner().invoke(args=["admit", "doctor", *words])


def found(result: Result) -> dict[str, str]:
    """Return how bad each thing is that was printed as JSON; the worst of several is the last."""
    return {one["check"]: one["severity"] for one in json.loads(result.stdout)}


class Breaches:
    """Knows no breach."""

    def count(self, password: str) -> int:
        """Return how often a password was seen."""
        return 0


def test_a_bad_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault of one application with many is named, with what to do, and the exit code is 1."""
    app = Flask("site", instance_path=str(tmp_path))
    monkeypatch.setenv("FLASK_DEBUG", "1")
    app.debug = True  # or it would not start at all with this secret
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    app.config.update(
        SECRET_KEY="changeme",
        SECRET_KEY_FALLBACKS=["dev"],
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_DOMAIN="example.org",
        ADMIT_PROXIES=1,
        ADMIT_PUBLIC_URL="http://app.example",
        ADMIT_TRUSTED_ORIGINS=("http://other.example",),
        ADMIT_COOKIE_DOMAIN="example.org",
        ADMIT_COOKIE_SAMESITE="None",
        ADMIT_SESSION_ABSOLUTE=None,
        ADMIT_SESSION_ROTATE_EVERY=None,
        ADMIT_SESSION_FRESH_WITHIN=86400,
        ADMIT_STORE_NEAR_MAX_AGE=3600,
        ADMIT_THROTTLE_PAIR_BURST=100_000,
        ADMIT_PASSWORD_MIN_LENGTH=4,
        ADMIT_PASSWORD_RESET_LIFETIME=86400,
        ADMIT_MAIL_VERIFICATION_REQUIRED=False,
        ADMIT_MAIL_URL="smtp://a:b@127.0.0.1:1?tls=none&from=a@example.org",
    )
    features = [AccountPages(), Password(), PasswordReset(), MailVerification(), Registration()]
    LoginManager(app, store="sqlite:///app.db", features=features)
    with app.extensions["admit"].stores.accounts._database.transaction() as run:
        run("DROP TABLE admit_alembic_version")
    result = doctor(app, "--json")
    app.extensions["admit"].stores.close()
    wrong = {check for check, severity in found(result).items() if severity != "ok"}
    assert wrong >= {
        "debug",
        "secret_key",
        "secret_key_fallbacks",
        "session_cookie",
        "proxies",
        "https",
        "trusted_origins",
        "cookie",
        "session_lifetime",
        "rotation",
        "fresh_within",
        "near_max_age",
        "throttle",
        "password_length",
        "reset_lifetime",
        "addresses",
        "sign_up",
        "tables",
        "mail",
    }
    assert all(one["advice"] for one in json.loads(result.stdout) if one["severity"] != "ok")
    assert result.exit_code == 1


def test_a_good_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that is as it should be has no error and no warning, and the exit code is 0."""
    for name in ("_SLOW", "_PATIENCE"):
        monkeypatch.setattr(store_checks, name, 30)  # a busy machine is no slow store
    app = Flask("site", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY=SECRET,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
        ADMIT_PROXIES=1,
        ADMIT_PUBLIC_URL="https://app.example",
        ADMIT_STORE_COMMAND_TIMEOUT=30,
    )
    features = [
        AccountPages(),
        MailVerification(),
        Password(breach_check=Breaches()),
        PasswordReset(),
        Registration(),
    ]
    with mail_server(Mailbox()) as port:
        sender = SmtpSender("127.0.0.1", port, sender="a@example.org", tls="none")
        LoginManager(app, store="sqlite:///app.db", features=features, mail=sender)
        result = doctor(app, "--json")
    app.extensions["admit"].stores.close()
    seen = found(result)
    assert seen.pop("hash_cost") in {"ok", "note", "warning"}  # as this machine is
    assert set(seen.values()) == {"ok"}
    assert {"secret_key", "public_url", "proxies", "store", "tables", "purge", "near_cache", "mail"} <= set(seen)
    assert result.exit_code == 0


def test_a_login_in_a_cookie() -> None:
    """The doctor also looks at an application of step 1, which has no store."""
    app = Flask("site")
    app.config.update(SECRET_KEY=SECRET, SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax")
    app.config.update(REMEMBER_COOKIE_SECURE=True, REMEMBER_COOKIE_SAMESITE="Lax", REMEMBER_COOKIE_DURATION=3600)
    LoginManager(app)
    result = doctor(app, "--quiet")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "note     proxies: No proxy is believed. Behind one, all clients have its address, and https looks like http.",
        f"{'':<8} > If proxies of your own are in front, set ADMIT_PROXIES to how many; without features use ProxyFix.",
        "0 errors, 0 warnings, 1 note, and 5 in order.",
    ]
    app.config.update(SECRET_KEY="dev", SESSION_PROTECTION=None)
    result = doctor(app)
    assert result.exit_code == 1
    assert "ERROR    secret_key: SECRET_KEY is known from a tutorial" in result.output
    assert "warning  session_protection: SESSION_PROTECTION is off" in result.output


def test_what_needs_a_store_says_so() -> None:
    """Without a store the other commands say what is missing, and the help lists them."""
    app = Flask("site")
    LoginManager(app)
    result = app.test_cli_runner().invoke(args=["admit", "sessions", "list", "1"])
    assert result.exit_code == 1
    assert "Error: This LoginManager has no store" in result.output
    assert "doctor" in app.test_cli_runner().invoke(args=["admit", "--help"]).output


def test_an_application_without_admit() -> None:
    """An application that Admit does not know is told to make a login manager."""
    app = Flask("site")
    [one] = examined(app)
    assert one.check == "start"
    OtherLoginManager(app)
    [one] = examined(app)
    assert one.advice == "Make one: LoginManager(app)."


def test_an_application_that_does_not_start() -> None:
    """What keeps an application from starting is a finding, and no traceback."""

    def make() -> Flask:
        app = Flask("site")
        app.config["ADMIT_SESION_IDLE"] = 1
        LoginManager(app, store="memory:")
        return app

    result = CliRunner().invoke(doctor_itself, ["--json"], obj=ScriptInfo(create_app=make))
    assert result.exit_code == 1
    [one] = json.loads(result.stdout)
    assert one["sentence"] == "The application does not start: There is no setting ADMIT_SESION_IDLE."
    assert one["advice"].startswith("Did you mean ADMIT_SESSION_IDLE? What else there is can be seen once")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sign-in", "ada"], "Give its address by --url"),
        (["--url", "app.example"], "This is no address of a web server"),
    ],
)
def test_words_that_make_no_sense(words: list[str], sentence: str) -> None:
    """What is no address, and a name without an address, end with 2 and a sentence."""
    app = Flask("site")
    LoginManager(app)
    result = doctor(app, *words)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())


def test_logins_in_a_store_alone() -> None:
    """The doctor also looks at an application of step 2, which has no accounts."""
    app = Flask("site")
    app.config["SECRET_KEY"] = None
    LoginManager(app, store="memory:")
    seen = found(doctor(app, "--json"))
    assert seen == {
        "secret_key": "ok",
        "cookie": "ok",
        "session_lifetime": "ok",
        "proxies": "note",
        "store_kind": "warning",
        "store": "ok",
    }


def test_facts_of_an_application(tmp_path: Path) -> None:
    """What is known of an application is what it was configured with, a middleware in front included."""
    app = Flask("site", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET, SECRET_KEY_FALLBACKS=["old"], ADMIT_PROXIES=2)
    sender = ConsoleSender()
    LoginManager(app, store="memory:", features=[PasswordReset(), Password()], mail=sender)
    facts = facts_of(app)
    assert (facts.secret_key, facts.fallbacks, facts.knows_fallbacks) == (SECRET, ("old",), True)
    assert (facts.proxies, facts.is_development, facts.is_debugging) == ((2,), True, False)
    assert (facts.sends_mail, facts.sender, facts.public_url) == (True, sender, "http://127.0.0.1:5000")
