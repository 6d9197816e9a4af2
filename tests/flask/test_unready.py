"""What must not be served outside development: who refuses, and when."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup

from admit.errors import ConfigurationError
from admit.features.password import Password
from admit.features.password_reset import PasswordReset
from admit.flask import LoginManager
from admit.testing import an_account

if TYPE_CHECKING:
    from click.testing import Result

READY = {
    "SECRET_KEY": "0123456789abcdef" * 2,
    "ADMIT_PUBLIC_URL": "https://app.example",
    "ADMIT_MAIL_URL": "smtp://mail.example?from=a@app.example",
}


def make(**config: Any) -> Flask:
    """Make an application that sends mails."""
    app = Flask("site")
    app.config.update(config)
    LoginManager(app, store="memory:", features=[Password(), PasswordReset()])
    app.add_url_rule("/", "home", lambda: "home")
    return app


def mailing_of(app: Any) -> Any:
    """Return who sends the mails of an application."""
    return app.login_manager.keeper.accounts.mailing


def without(*keys: str, **more: Any) -> dict[str, Any]:
    """Return a good configuration that lacks some keys."""
    return {key: value for key, value in READY.items() if key not in keys} | more


LACKING = [
    (without("ADMIT_PUBLIC_URL"), "Set ADMIT_PUBLIC_URL"),
    (without("ADMIT_MAIL_URL"), "Set ADMIT_MAIL_URL"),
    (without(SECRET_KEY="dev"), "SECRET_KEY is known from a tutorial"),
    (without(SECRET_KEY_FALLBACKS=["dev"]), "SECRET_KEY_FALLBACKS is known from a tutorial"),
]
IDS = ["no public URL", "no mail URL", "weak secret", "weak fallback"]


def flask(*words: str, **config: Any) -> Result:
    """Run ``flask`` with a factory."""

    @click.group(cls=FlaskGroup, create_app=lambda: make(**config), set_debug_flag=False)
    def main() -> None:
        pass

    return CliRunner().invoke(main, words, prog_name="flask")


@pytest.mark.parametrize(("config", "sentence"), LACKING, ids=IDS)
def test_n02_a_program_that_may_serve_is_refused(config: dict[str, Any], sentence: str) -> None:
    """Where no command is known to run, the application does not start; the sentence names the way to develop."""
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        make(**config)
    assert str(refused.value).endswith(', or run "flask --debug" during development.')
    make(**config, DEBUG=True)
    make(**config, TESTING=True)


@pytest.mark.parametrize(("config", "sentence"), LACKING, ids=IDS)
def test_n02_commands_run_and_serving_does_not(config: dict[str, Any], sentence: str) -> None:
    """A command that does not serve runs; ``flask run`` ends with 1 and one sentence."""
    for words in (["routes"], ["admit", "settings"], ["--help"]):
        assert flask(*words, **config).exit_code == 0
    result = flask("run", "--port", "0", **config)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert sentence in result.output
    assert result.output.count("\n") == 1
    examined = flask("admit", "doctor", "--quiet", **config)
    assert examined.exit_code == 1
    assert sentence.removeprefix("Set ").split(" is ", maxsplit=1)[0] in examined.output


def test_n02_several_reasons_are_one_sentence() -> None:
    """The first reason is said, and who lists the others."""
    output = flask("run").output
    assert "Set ADMIT_PUBLIC_URL" in output
    assert '"flask admit doctor" lists what else is missing.' in output
    assert "ADMIT_MAIL_URL" not in output


def test_n02_a_memory_of_many_is_looked_at_by_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused because of several workers is no matter for a command, which is one process."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    assert flask("routes", **READY).exit_code == 0
    result = flask("run", **READY)
    assert isinstance(result.exception, ConfigurationError)
    assert "There are 4 workers" in str(result.exception)


@pytest.mark.parametrize("program", ["/usr/bin/gunicorn", "waitress-serve", "uwsgi", "/x/gunicorn/__main__.py"])
def test_n02_servers_that_are_known_end_with_a_sentence(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that would print a traceback is ended by the code at which gunicorn starts no other worker."""
    monkeypatch.setattr(sys, "argv", [program, "site:app"])
    with pytest.raises(SystemExit) as ended:
        make()
    assert ended.value.code == 4
    assert capsys.readouterr().err.count("\n") == 1


def test_n02_what_a_command_serves_after_all(caplog: pytest.LogCaptureFixture) -> None:
    """A server that is started by some other command lets nobody in, and logs one sentence, once."""
    with click.Context(click.Command("serve"), info_name="serve"):
        app = make()
    client = app.test_client()
    with caplog.at_level(logging.ERROR):
        answers = [client.get(path) for path in ("/", "/account/sign-in", "/nowhere")]
    assert [one.status_code for one in answers] == [503] * 3
    assert "ADMIT" not in answers[0].text
    [record] = caplog.records
    assert "Set ADMIT_PUBLIC_URL" in record.message
    assert "--debug" in record.message
    assert record.exc_info is None


def test_n02_no_mail_of_a_command_is_lost_silently(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that sends a mail without a mail server says so in the log, and prints no link on the terminal."""
    with click.Context(click.Command("serve"), info_name="serve"):
        app = make(ADMIT_PUBLIC_URL="https://app.example")
        nowhere = make()
    with app.app_context():
        values = {"account": an_account("ada"), "url": "https://app.example/secret", "minutes": 20}
        mailing_of(app).post("en", "ada@example.org", "password_reset/mail", values)
    assert "A mail could not be sent." in caplog.text
    assert "Set ADMIT_MAIL_URL" in caplog.text
    assert capsys.readouterr() == ("", "")
    with nowhere.app_context(), pytest.raises(ConfigurationError, match="Set ADMIT_PUBLIC_URL"):
        mailing_of(nowhere).url("password_reset.ask")
