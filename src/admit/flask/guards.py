"""Guards: what a view demands of whoever asks for it."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, overload

from admit.flask.config import EXEMPT_METHODS
from admit.flask.context import application, configured, request_context
from admit.flask.current import active_login_manager, holds, user_now
from admit.flask.state import state_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

__all__ = ["fresh_login_required", "guarded", "login_required"]

View = TypeVar("View", bound="Callable[..., Any]")


def login_required(func: View) -> View:
    """Let a view run only for somebody who is logged in; all others get ``unauthorized()``.

    Put it under the route's decorator. The methods in ``EXEMPT_METHODS`` pass, and everything does
    where ``LOGIN_DISABLED`` is configured (for tests).

    .. versionadded:: 0.1
    """
    return guarded(func, _refuse_nobody)


@overload
def fresh_login_required(func: View) -> View: ...
@overload
def fresh_login_required(*, within: timedelta | None = None) -> Callable[[View], View]: ...


def fresh_login_required(func: View | None = None, *, within: timedelta | None = None) -> View | Callable[[View], View]:
    """Let a view run only for somebody whose login is fresh; a stale one gets ``needs_refresh()``.

    Used bare, or as ``@fresh_login_required(within=timedelta(minutes=5))`` where logins are kept in a
    store, which knows when the person has last proven who they are.

    Args:
        func: The view.
        within: How long ago the last authentication may be; the setting ``fresh_within`` when it is missing.

    .. versionadded:: 0.1
    """

    def refuse() -> Callable[[], Any] | None:
        return _refuse_nobody() or _refuse_stale(within)

    if func is None:
        return lambda view: guarded(view, refuse)
    return guarded(func, refuse)


def guarded(func: View, refuse: Callable[[], Callable[[], Any] | None]) -> View:
    """Return ``func`` behind a guard.

    Args:
        func: The view.
        refuse: Returns what answers instead of the view, or ``None`` to let it run.
    """
    is_coroutine = inspect.iscoroutinefunction(func)

    @wraps(func)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not _is_exempt():
            refusal = refuse()
            if refusal is not None:
                return refusal()
        # One call, outside of any `try`: a view must never run twice.
        view = application().ensure_sync(func) if is_coroutine else func
        return view(*args, **kwargs)

    return checked  # type: ignore[return-value]


def _is_exempt() -> bool:
    context = request_context()
    return context.request.method in EXEMPT_METHODS or bool(configured("LOGIN_DISABLED"))


def _refuse_nobody() -> Callable[[], Any] | None:
    return None if holds(user_now(), "is_authenticated") else active_login_manager().unauthorized


def _refuse_stale(within: timedelta | None) -> Callable[[], Any] | None:
    login_manager = active_login_manager()
    return None if state_now().keeper.is_fresh(within) else login_manager.needs_refresh
