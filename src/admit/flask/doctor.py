"""``admit doctor``: whether an application is configured, deployed and looked after as it should be."""

from __future__ import annotations

import json as encoding
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from flask.cli import ScriptInfo

from admit.errors import ConfigurationError, StoreError
from admit.findings import Severity, error
from admit.flask.checks import findings_of
from admit.flask.facts import facts_of
from admit.flask.login_manager import LoginManager
from admit.flask.printing import as_json, legible
from admit.flask.store_checks import store_findings
from admit.flask.visit_checks import visit_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flask import Flask

    from admit.findings import Finding

__all__ = ["doctor", "doctor_command", "examined", "refusal"]

_MARKS = {Severity.OK: "ok", Severity.NOTE: "note", Severity.WARNING: "warning", Severity.ERROR: "ERROR"}


def doctor_command(look: Callable[[Any], Iterable[Finding]]) -> click.Command:
    """Return the command.

    Args:
        look: Returns what there is to say of the application, given what Flask finds it by.
    """

    @click.command("doctor")
    @click.option("--url", metavar="URL", help="Look at a running server instead, as a browser sees it.")
    @click.option("--sign-in", metavar="NAME", help="With --url: sign in as NAME, to see the session's cookie.")
    @click.option("--quiet", is_flag=True, help="Leave out what is as it should be.")
    @as_json
    @click.pass_context
    def doctor(ctx: click.Context, *, url: str | None, sign_in: str | None, quiet: bool, json: bool) -> None:
        """Look for what is not as it should be, and say what to do about it.

        Looks at the configuration, asks the stores and the mail server, and hashes a few passwords. With --url it
        looks at a server that runs, from wherever you are.

        The exit code is 0 if there are no errors, with notes and warnings too, and 1 if there are.
        """
        if sign_in is not None and url is None:
            message = "--sign-in is for a running server. Give its address by --url."
            raise click.UsageError(message)
        found = list(look(ctx.ensure_object(ScriptInfo)) if url is None else _visited(url, sign_in))
        _report(found, quiet=quiet, json=json)
        ctx.exit(1 if any(one.severity is Severity.ERROR for one in found) else 0)

    return doctor


def _visited(url: str, sign_in: str | None) -> Iterable[Finding]:
    login = None if sign_in is None else (sign_in, click.prompt("Password", hide_input=True, err=True))
    try:
        yield from visit_findings(url, login)
    except ConfigurationError as problem:
        raise click.BadParameter(str(problem), param_hint="--url") from problem


def _started(setup: ScriptInfo) -> Iterator[Finding]:
    try:
        app = setup.load_app()
    except (ConfigurationError, StoreError) as problem:
        yield refusal(problem, goes_on=False)
        return
    yield from examined(app)


def refusal(problem: Exception, *, goes_on: bool) -> Finding:
    """Return the finding that an application does not start.

    Args:
        problem: What it said: what is wrong, and in a second sentence what to do.
        goes_on: Whether more is looked at all the same.
    """
    what, _, advice = str(problem).partition(". ")
    rest = "" if goes_on else "What else there is can be seen once this is mended."
    return error("start", f"The application does not start: {what.rstrip('.')}.", f"{advice} {rest}".strip())


def examined(app: Flask, *, is_development: bool = False) -> Iterator[Finding]:
    """Return what there is to say of an application.

    Args:
        app: The application.
        is_development: Whether it may do with less, whatever Flask says.
    """
    if not isinstance(getattr(app, "login_manager", None), LoginManager):
        yield error("start", "This application has no LoginManager of Admit.", "Make one: LoginManager(app).")
        return
    with app.app_context():
        facts = facts_of(app)
        facts = replace(facts, is_development=facts.is_development or is_development)
        yield from findings_of(facts)
        yield from store_findings(facts, now=datetime.now(UTC))


def _report(found: Iterable[Finding], *, quiet: bool, json: bool) -> None:
    """Print findings, the worst last, so that they are where the eye is; as JSON in the same order."""
    shown = sorted(found, key=lambda one: one.severity)
    counts = Counter(one.severity for one in shown)
    shown = [one for one in shown if one.severity is not Severity.OK or not quiet]
    if json:
        click.echo(encoding.dumps([_row(one) for one in shown], indent=2))
        return
    for one in shown:
        click.echo(legible(f"{_MARKS[one.severity]:<8} {one.check}: {one.sentence}"))
        if one.advice:
            click.echo(legible(f"{'':<8} > {one.advice}"))
    told = [f"{counts[one]} {one}{'' if counts[one] == 1 else 's'}" for one in sorted(Severity, reverse=True)[:-1]]
    click.echo(f"{', '.join(told)}, and {counts[Severity.OK]} in order.")


def _row(one: Finding) -> dict[str, Any]:
    return {"check": one.check, "severity": str(one.severity), "sentence": one.sentence, "advice": one.advice}


#: ``flask admit doctor``.
doctor: click.Command = doctor_command(_started)
