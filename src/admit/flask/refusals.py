"""Refusing: what those get who may not go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import abort, flash, redirect

from admit.flask import problems
from admit.flask.callbacks import Callbacks, UserT
from admit.flask.config import USE_SESSION_FOR_NEXT
from admit.flask.context import application, configured, the_request, the_session
from admit.flask.redirects import asked_url, expand_login_view, login_url, make_next_param, mounted
from admit.flask.signals import user_needs_refresh, user_unauthorized
from admit.flask.state import state_now

if TYPE_CHECKING:
    from flask import Response

    from admit.errors import AdmitError

__all__ = ["Refusals"]


class Refusals(Callbacks[UserT]):
    """The answers of :class:`admit.flask.LoginManager` to those whom a guard refuses."""

    def unauthorized(self) -> Any:
        """Answer somebody who is not logged in.

        By :attr:`unauthorized_callback`; by a problem document where ``ADMIT_PROBLEM_JSON`` is on and
        the client prefers JSON or opens no page; by a redirect to the login page; or with 401.
        """
        user_unauthorized.send(application())
        if self.unauthorized_callback:
            return self.unauthorized_callback()
        if problems.wanted():
            return self._problem(problems.session_required(state_now().keeper.ending()))
        view = self.blueprint_login_views.get(the_request().blueprint, self.login_view)
        if view is None and (page := state_now().login_page) is not None:
            return self._send_to_ours(page)
        return self._send_to(view, self.login_message, self.login_message_category)

    def needs_refresh(self) -> Any:
        """Answer somebody whose login is not fresh; as :meth:`unauthorized`, with the refresh page."""
        user_needs_refresh.send(application())
        if self.needs_refresh_callback:
            return self.needs_refresh_callback()
        if problems.wanted():
            return self._problem(problems.reauthentication_required())
        if self.refresh_view is None and (page := state_now().refresh_page) is not None:
            return self._send_to_ours(page)
        return self._send_to(self.refresh_view, self.needs_refresh_message, self.needs_refresh_message_category)

    def _problem(self, error: AdmitError) -> Response:
        """Return the problem document; where there are accounts, it lists what would do."""
        accounts = state_now().keeper.accounts
        if accounts is None:
            return problems.problem(error)
        from admit.flask.answers import as_problem
        from admit.flask.languages import best_language

        return as_problem(accounts, error, best_language(the_request()))

    def _send_to_ours(self, page: str) -> Any:
        # Our pages say themselves what they are for, and read the way back in the query alone. A message or a way back
        # in Flask's session would need a secret key.
        return redirect(login_url(mounted(page), next_url=asked_url()))

    def _send_to(self, view: str | None, message: Any, category: str) -> Any:
        if not view:
            abort(401)
        if message:
            flash(self.localize_callback(message) if self.localize_callback else message, category=category)
        if not configured("USE_SESSION_FOR_NEXT", USE_SESSION_FOR_NEXT):
            return redirect(login_url(view, next_url=asked_url()))
        session = the_session()
        session["_id"] = self._session_identifier_generator()
        asked = asked_url()
        session["next"] = None if asked is None else make_next_param(expand_login_view(view), asked)
        return redirect(login_url(view))
