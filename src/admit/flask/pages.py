"""The pages of actions: forms, what came of them, and refusals that a person can read and mend."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from flask import current_app, render_template

from admit.errors import (
    IdentifierTaken,
    InvalidChallenge,
    InvalidInput,
    MalformedBody,
    ReauthenticationRequired,
    SessionRequired,
)
from admit.feature import Face, Shown
from admit.flask.answers import add_error_headers, as_json
from admit.flask.context import the_request
from admit.flask.languages import said
from admit.flask.next_page import keep_next, next_page, with_next
from admit.flask.phrases import phrases, templates_of
from admit.flask.redirects import asked_url, mounted, redirect_to
from admit.flask.session_cookie import needs_https

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

    from admit.errors import AdmitError
    from admit.feature import Action, Context, Reply
    from admit.flask.accounts import Accounts, Bound
    from admit.model import Account

__all__ = ["Pages"]


@dataclass(frozen=True)
class Link:
    """An action in the menu."""

    name: str
    title: str
    path: str
    is_here: bool


class Pages:
    """Renders the pages of an application's features.

    Args:
        accounts: The features, and where they are.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def show(self, bound: Bound, ctx: Context, reply: Reply[Any]) -> Response:
        """Show what happened, or send the browser on."""
        if reply.to is not None:
            return self._send_on(reply.to, next_page(bound.action, ctx))
        if reply.file is not None:
            return as_json(bound.action, reply, ctx.language)
        keep_next(bound.action, ctx)
        page = reply.page or bound.action.page or f"{bound.feature.name}/{bound.action.name}"
        return self._render(page, bound, ctx, reply=reply.body)

    def form(self, bound: Bound, ctx: Context, values: Mapping[str, str] | None = None) -> Response:
        """Show the form of an action that takes input."""
        return self._render(str(bound.action.page), bound, ctx, values=values or {})

    def refuse(self, bound: Bound, ctx: Context, error: AdmitError, values: Mapping[str, str]) -> Response:
        """Show what was wrong: in the form that it was typed into, if there is one."""
        if isinstance(error, SessionRequired | ReauthenticationRequired):
            way = self._way_in(error, next_page(bound.action, ctx))
            if way is not None:
                return redirect_to(way, HTTPStatus.SEE_OTHER)
        page = str(bound.action.page) if _has_form(bound.action, error) else "admit/error"
        fields = error.fields if isinstance(error, InvalidInput | MalformedBody | IdentifierTaken) else {}
        shown = _shown(bound.action, values)
        response = self._render(page, bound, ctx, values=shown, error=error, fields=fields, status=error.status)
        add_error_headers(response, error)
        return response

    def plain(self, message: str, status: int, language: str) -> Response:
        """Show a refusal when nothing else is known of the request."""
        html = render_template(
            "admit/plain.html",
            **phrases(language),
            language=language,
            message=message,
            site_name=self._accounts.mailing.site_name,
        )
        return current_app.response_class(html, status=status, mimetype="text/html")

    def path(self, name: str, **arguments: str) -> str:
        """Return the path of an action's page as a browser asks for it: below where the application is mounted."""
        return mounted(self.place(name, **arguments))

    def place(self, name: str, **arguments: str) -> str:
        """Return the path of an action's page in the application, or of its link when a token is given."""
        bound = next((one for one in self._accounts.actions() if one.name == name), None)
        if bound is None:
            return self._home()
        action = bound.action
        path = action.link if "token" in arguments and action.link else action.path
        for argument, value in arguments.items():
            path = path.replace(f"<{argument}>", value)
        return self._accounts.settings.prefix + path

    def api_path(self, name: str) -> str | None:
        """Return the path of an action's JSON, or ``None`` if there is no such action here."""
        found = (one.action.path for one in self._accounts.actions() if one.name == name)
        path = next(found, None)
        return None if path is None else mounted(self._accounts.settings.api_prefix + path)

    def _render(  # noqa: PLR0913 -- what a page is made of
        self,
        page: str,
        bound: Bound,
        ctx: Context,
        *,
        reply: Any = None,
        values: Mapping[str, str] | None = None,
        error: AdmitError | None = None,
        fields: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        language, target = ctx.language, next_page(bound.action, ctx)
        account, other = _whose(ctx)
        html = render_template(
            templates_of(page, "html"),
            **phrases(language, ctx.now),
            about=None if ctx.about is None else ctx.about.name,
            account=account,
            action=bound.action,
            api_path=self.api_path,
            error=None if error is None else said(error.message, language),
            error_code=None if error is None else error.problem_code,
            feature=bound.feature,
            features=self._accounts.offered(account),
            fields={name: said(text, language) for name, text in (fields or {}).items()},
            keeper=ctx.secret_keeper(),
            language=language,
            links=() if other else self._links(bound, account, language, target),
            login_path=self._login_path(),
            names=self._accounts.names,
            needs_https=needs_https(the_request()),
            next=target,
            now=ctx.now,
            other=other,
            path=self.path,
            reply=reply,
            retry_after=getattr(error, "retry_after", None),
            session=None if ctx.leaves else ctx.session,
            site_name=self._accounts.mailing.site_name,
            title=said(bound.action.title, language),
            values=values or {},
        )
        return current_app.response_class(html, status=status, mimetype="text/html")

    def _links(self, here: Bound, account: Account | None, language: str, target: str | None) -> list[Link]:
        wanted = Shown.GUESTS if account is None else Shown.MEMBERS
        onward = target if account is None else None
        return [
            Link(
                one.name,
                said(one.action.title, language),
                with_next(self.path(one.name), onward),
                one.name == here.name,
            )
            for one in self._accounts.offered_actions(account)
            if one.action.shown is wanted
        ]

    def _send_on(self, to: str, target: str | None) -> Response:
        if to == "next":
            to = target or mounted(self._home())
        elif to.startswith("/"):
            to = mounted(to)
        else:
            to = with_next(self.path(to), target)
        return redirect_to(to, HTTPStatus.SEE_OTHER)

    def _home(self) -> str:
        return self._accounts.settings.after_login or self._accounts.settings.prefix + "/"

    def _way_in(self, error: AdmitError, target: str | None) -> str | None:
        """Return the page that gives what is missing, with the way back to the one that was asked for."""
        is_login = isinstance(error, SessionRequired)
        name = self._accounts.way_in() if is_login else "reauthenticate.show"
        if name is None or all(one.name != name for one in self._accounts.actions()):
            return None
        request = the_request()
        # Back to a page: what was sent with a form is gone, and typing it again is safer than sending it again.
        back = asked_url() if request.method == "GET" else target
        return with_next(self.path(name), back)

    def _login_path(self) -> str | None:
        name = self._accounts.way_in()
        return None if name is None else self.path(name)


def _whose(ctx: Context) -> tuple[Account | None, Account | None]:
    """Return whose page it is, and who else is signed in: a link of one person is opened in the browser of another."""
    account = None if ctx.leaves else ctx.account
    is_others = account is not None and ctx.about is not None and ctx.about.subject != account.id
    return (None, account) if is_others else (account, None)


def _has_form(action: Action, error: AdmitError) -> bool:
    """Tell whether the page of an action says what was wrong, and what to do next.

    Where a link leads, the page is that of a form too, and knows best how to get another link when this one is dead.
    """
    is_of_link = Face.JSON not in action.faces and isinstance(error, InvalidChallenge)
    return action.page is not None and (action.input is not None or is_of_link)


def _shown(action: Action, values: Mapping[str, str]) -> dict[str, str]:
    """Return what a form shows again of what was typed: no secret, and nothing that it has no field for."""
    kind = action.input
    fields = () if kind is None else msgspec.structs.fields(kind)
    return {
        one.encode_name: values[one.encode_name]
        for one in fields
        if one.encode_name in values and not _is_secret(one.type)
    }


def _is_secret(kind: Any) -> bool:
    """Tell whether a type is, or may be, one whose values are written and never read."""
    schema = kind.extra_json_schema if isinstance(kind, msgspec.Meta) else None
    return bool(schema and schema.get("writeOnly")) or any(
        _is_secret(part) for part in (*get_args(kind), *getattr(kind, "__metadata__", ()))
    )
