"""Metrics for Prometheus: logins, what was throttled, sessions, mails and how long the store takes.

Nothing here is imported before it is used; it needs ``admit[metrics]``.
"""

from __future__ import annotations

from functools import cache, wraps
from hmac import compare_digest
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from admit.background import BackgroundSender
from admit.errors import StoreError
from admit.events import Event, LoggedIn, LoginFailed, LoginPending, SessionEnded, Throttling, name_of
from admit.flask.context import the_request
from admit.flask.headers import bearer
from admit.flask.instruments import instruments_of
from admit.flask.observing import is_first, keeper_and_stores, observe, store_name
from admit.flask.settings import MetricsSettings
from admit.flask.starting import refuse_weak_secret
from admit.model import EndReason
from admit.store import Listening
from admit.stores.near import NearStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flask import Flask
    from prometheus_client import CollectorRegistry

    from admit.events import Events
    from admit.feature import Feature
    from admit.flask.instruments import Instruments
    from admit.flask.mailing import Mailing
    from admit.mail import Message, Sender
    from admit.store import SessionStore

__all__ = ["Metrics"]

#: Logins of the application itself, by ``login_user()``.
_OWN = "login"
#: What stands for every word that nobody has declared.
_OTHER = "other"
_COUNTERS = ("account", "address", "device", "pair", "requests")
_OUTCOMES = ("failure", "pending", "success")


class Metrics:
    """Counts what happens with the logins and accounts of an application, for Prometheus.

    Make it once the application has its login manager. Nothing is shown to anybody by that: set
    ``ADMIT_METRICS_TOKEN`` to have the application itself answer at ``/metrics`` to whoever presents it, or serve
    :attr:`registry` elsewhere.

    Args:
        app: The application, whose login manager has a store.
        registry: Where the metrics are registered; several applications may share one.
        methods: Names of methods that the application itself gives to :meth:`admit.gate.Gate.admit`. Those of features
            are known; any other counts as ``other``.

    Raises:
        ConfigurationError: There is no login manager or no store, or a setting can't be what it is.

    .. versionadded:: 0.2
    """

    def __init__(self, app: Flask, *, registry: CollectorRegistry = REGISTRY, methods: Iterable[str] = ()) -> None:
        keeper, stores = keeper_and_stores(app)
        settings = MetricsSettings.from_mapping(app.config)
        instruments = instruments_of(registry)
        #: What to show to Prometheus: that of all processes where ``PROMETHEUS_MULTIPROC_DIR`` is set.
        self.registry: CollectorRegistry = instruments.shown
        features: Mapping[str, Feature] = keeper.accounts.features if keeper.accounts else {}
        events = keeper.gate.events
        if is_first(events, registry):
            _count_events(instruments, events, frozenset((*features, _OWN, *methods)))
        _begin_with_zero(instruments, features)
        if is_first(stores.sessions, instruments.live):
            instruments.live.watch(stores.sessions)
            _count_deafness(instruments, stores.sessions)
        observe(stores, registry, _timing(instruments))
        if keeper.accounts and is_first(keeper.accounts.mailing, registry):
            _count_mails(instruments, keeper.accounts.mailing)
        if settings.token is not None and is_first(app, registry):
            refuse_weak_secret(settings.key("token"), settings.token)
            app.add_url_rule(settings.path, "admit_metrics", _view(self.registry, settings.token), methods=["GET"])


def _begin_with_zero(instruments: Instruments, features: Mapping[str, Feature]) -> None:
    """Show zeros from the start: Prometheus sees no rise in a series that begins with 1."""
    for method in [one.name for one in features.values() if one.logs_in] or [_OWN]:
        for outcome in _OUTCOMES:
            instruments.logins.labels(method, outcome)
    for counter in _COUNTERS:
        instruments.throttled.labels(counter)
    for reason in EndReason:
        instruments.sessions_ended.labels(reason.value)


def _count_events(instruments: Instruments, events: Events, methods: frozenset[str]) -> None:
    def login(method: str, outcome: str) -> None:
        instruments.logins.labels(method if method in methods else _OTHER, outcome).inc()

    def throttled(counter: str) -> None:
        instruments.throttled.labels(counter if counter in _COUNTERS else _OTHER).inc()

    events.subscribe(Event, lambda event: instruments.events.labels(name_of(type(event))).inc())
    events.subscribe(LoggedIn, lambda event: login(event.method, "success"))
    events.subscribe(LoginPending, lambda event: login(event.method, "pending"))
    events.subscribe(LoginFailed, lambda event: login(event.method, "failure"))
    events.subscribe(Throttling, lambda event: throttled(event.counter))
    events.subscribe(SessionEnded, lambda event: instruments.sessions_ended.labels(event.reason.value).inc())


def _timing(instruments: Instruments) -> Callable[[str, str, Callable[..., Any]], Callable[..., Any]]:
    def around(store: str, verb: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @cache
        def series() -> tuple[Callable[[float], None], Callable[[], None]]:
            """Return what notes a time and an error: at the first question, because many verbs are never used."""
            seconds, errors = instruments.store_seconds, instruments.store_errors
            return seconds.labels(store, verb).observe, errors.labels(store, verb).inc

        @wraps(function)
        def timed(*args: Any, **options: Any) -> Any:
            took, failed = series()
            began = perf_counter()
            try:
                return function(*args, **options)
            except StoreError:
                failed()
                raise
            finally:
                took(perf_counter() - began)

        return timed

    return around


def _count_deafness(instruments: Instruments, sessions: SessionStore) -> None:
    store = sessions.store if isinstance(sessions, NearStore) else sessions
    if isinstance(store, Listening):
        series = instruments.deaf.labels(store_name(store))
        store.on_listening(lambda hears: None if hears else series.inc())


def _count_mails(instruments: Instruments, mailing: Mailing) -> None:
    def count(outcome: str) -> None:
        instruments.mails.labels(outcome).inc()

    if isinstance(mailing.sender, BackgroundSender):
        mailing.sender.tell = count
    else:
        mailing.sender = _Counted(mailing.sender, count)


class _Counted:
    """A sender that sends at once, with somebody who counts."""

    def __init__(self, sender: Sender, count: Callable[[str], None]) -> None:
        self._sender = sender
        self._count = count

    def send(self, message: Message) -> None:
        """Send a message."""
        try:
            self._sender.send(message)
        except Exception:
            self._count("failed")
            raise
        self._count("sent")


def _view(registry: CollectorRegistry, token: str) -> Callable[[], Response]:
    """Return what shows the metrics to whoever has the token.

    An attacker would read there how many guesses are looked at, how long they take, and when the site is busy.
    """

    def show() -> Response:
        given = bearer(the_request()) or ""
        if not compare_digest(given.encode(), token.encode()):
            return Response("A token is needed.\n", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
        return Response(generate_latest(registry), 200, {"Cache-Control": "no-store"}, content_type=CONTENT_TYPE_LATEST)

    return show
