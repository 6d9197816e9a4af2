"""Spans for OpenTelemetry: one for each action, and in it one for each question to a store.

Nothing here is imported before it is used; it needs ``admit[traces]``, which is the API alone. The application says
where the spans go, with the SDK.

Spans leave the machine. So they hold names of the code and never what a client has sent, and of an exception its type
only: a driver's message repeats the values that it was given.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import StatusCode

from admit.errors import AdmitError
from admit.flask.observing import is_first, keeper_and_stores, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from flask import Flask
    from opentelemetry.trace import Tracer, TracerProvider

    from admit.flask.accounts import Bound

__all__ = ["Traces"]

_SERVER_ERROR = 500
#: What an action is served as: JSON, a page, the form before it, and the link that leads there.
_FACES = ("json", "page", "form", "link")


class Traces:
    """Makes spans of the actions of an application and of what its stores are asked for.

    Make it once the application has its login manager. A span is in that of the request where something else makes
    one, such as the instrumentation of Flask. A store is traced inside of a span that is recorded and nowhere else.

    Args:
        app: The application, whose login manager has a store.
        tracer_provider: What makes tracers; the one that is set for the whole process when it is missing.

    Raises:
        ConfigurationError: There is no login manager or no store.

    .. versionadded:: 0.2
    """

    def __init__(self, app: Flask, *, tracer_provider: TracerProvider | None = None) -> None:
        keeper, stores = keeper_and_stores(app)
        tracer = trace.get_tracer("admit", tracer_provider=tracer_provider)
        observe(stores, Traces, _tracing(tracer))
        if keeper.accounts and is_first(app, Traces):
            keeper.accounts.tell_refusal = _note_refusal
            for bound in keeper.accounts.actions():
                _trace_action(tracer, app, bound)


def _trace_action(tracer: Tracer, app: Flask, bound: Bound) -> None:
    for face in _FACES:
        endpoint = f"admit.{bound.feature.name}_{bound.action.name}_{face}"
        if endpoint in app.view_functions:
            app.view_functions[endpoint] = _traced_view(tracer, bound.name, face, app.view_functions[endpoint])


def _traced_view(tracer: Tracer, action: str, face: str, view: Callable[..., Any]) -> Callable[..., Any]:
    attributes = {"admit.action": action, "admit.face": face}

    @wraps(view)
    def traced(**arguments: Any) -> Any:
        with _span(tracer, f"admit.{action}", attributes):
            return view(**arguments)

    return traced


def _tracing(tracer: Tracer) -> Callable[[str, str, Callable[..., Any]], Callable[..., Any]]:
    def around(store: str, verb: str, function: Callable[..., Any]) -> Callable[..., Any]:
        name, attributes = f"admit.store.{verb}", {"admit.store": store}

        @wraps(function)
        def traced(*args: Any, **options: Any) -> Any:
            if not trace.get_current_span().is_recording():
                return function(*args, **options)
            with _span(tracer, name, attributes):
                return function(*args, **options)

        return traced

    return around


@contextmanager
def _span(tracer: Tracer, name: str, attributes: Mapping[str, str]) -> Generator[None]:
    started = tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    )
    with started as span:
        try:
            yield
        except AdmitError as refusal:
            _note_refusal(refusal)
            raise
        except Exception as error:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", type(error).__qualname__)
            raise


def _note_refusal(problem: AdmitError) -> None:
    """Say in the span of an action why there is no other answer; only what is our own doing is an error."""
    span = trace.get_current_span()
    span.set_attribute("admit.refusal", problem.problem_code)
    if problem.status >= _SERVER_ERROR:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", problem.problem_code)
