"""The pages of actions: forms, what came of them, and refusals that a person can read and mend."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlencode

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
from admit.feature import Face, Shown, way_in
from admit.flask.answers import add_error_headers, as_json
from admit.flask.bodies import posted
from admit.flask.context import the_request
from admit.flask.headers import query
from admit.flask.languages import said
from admit.flask.phrases import phrases, templates_of
from admit.flask.redirects import asked_url, mounted, redirect_to, safe_next

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

    from admit.errors import AdmitError
    from admit.feature import Action, Context, Reply
    from admit.flask.accounts import Accounts, Bound
    from admit.model import Account

__all__ = ["Pages", "next_of"]


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
            return self._send_on(reply.to)
        if reply.file is not None:
            return as_json(bound.action, reply, ctx.language)
        page = reply.page or bound.action.page or f"{bound.feature.name}/{bound.action.name}"
        return self._render(page, bound, ctx, reply=reply.body)

    def form(self, bound: Bound, ctx: Context, values: Mapping[str, str] | None = None) -> Response:
        """Show the form of an action that takes input."""
        return self._render(str(bound.action.page), bound, ctx, values=values or {})

    def refuse(self, bound: Bound, ctx: Context, error: AdmitError, values: Mapping[str, str]) -> Response:
        """Show what was wrong: in the form that it was typed into, if there is one."""
        if isinstance(error, SessionRequired | ReauthenticationRequired):
            way = self._way_in(error)
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
        language = ctx.language
        account = None if ctx.leaves else ctx.account
        html = render_template(
            templates_of(page, "html"),
            **phrases(language, ctx.now),
            account=account,
            action=bound.action,
            api_path=self.api_path,
            error=None if error is None else said(error.message, language),
            error_code=None if error is None else error.problem_code,
            feature=bound.feature,
            features=self._accounts.features,
            fields={name: said(text, language) for name, text in (fields or {}).items()},
            keeper=ctx.secret_keeper(),
            language=language,
            links=self._links(bound, account, language),
            login_path=self._login_path(),
            next=next_of(),
            now=ctx.now,
            path=self.path,
            reply=reply,
            retry_after=getattr(error, "retry_after", None),
            session=None if ctx.leaves else ctx.session,
            site_name=self._accounts.mailing.site_name,
            title=said(bound.action.title, language),
            values=values or {},
        )
        return current_app.response_class(html, status=status, mimetype="text/html")

    def _links(self, here: Bound, account: Account | None, language: str) -> list[Link]:
        wanted = Shown.GUESTS if account is None else Shown.MEMBERS
        return [
            Link(
                one.name,
                said(one.action.title, language),
                self.path(one.name),
                one.name == here.name,
            )
            for one in self._accounts.actions()
            if one.action.shown is wanted
        ]

    def _send_on(self, to: str) -> Response:
        if to == "next":
            to = next_of() or mounted(self._home())
        elif to.startswith("/"):
            to = mounted(to)
        else:
            to = _with_next(self.path(to), next_of())
        return redirect_to(to, HTTPStatus.SEE_OTHER)

    def _home(self) -> str:
        return self._accounts.settings.after_login or self._accounts.settings.prefix + "/"

    def _way_in(self, error: AdmitError) -> str | None:
        """Return the page that gives what is missing, with the way back to the one that was asked for."""
        is_login = isinstance(error, SessionRequired)
        name = way_in(self._accounts.features) if is_login else "reauthenticate.show"
        if name is None or all(one.name != name for one in self._accounts.actions()):
            return None
        request = the_request()
        # Back to a page: what was sent with a form is gone, and typing it again is safer than sending it again.
        back = asked_url() if request.method == "GET" else next_of()
        return _with_next(self.path(name), back)

    def _login_path(self) -> str | None:
        name = way_in(self._accounts.features)
        return None if name is None else self.path(name)


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


def _with_next(path: str, back: str | None) -> str:
    return path if back is None else f"{path}?{urlencode({'next': back})}"


def next_of() -> str | None:
    """Return the page of this site that the client wants to go on to, as it says in the query or in a form."""
    request = the_request()
    return safe_next(query(request, "next") or posted(request, "next"))
