"""Metrics: what is counted, that no client moves what there is to count, and who may read it."""

from __future__ import annotations

import subprocess
import sys
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from admit.background import BackgroundSender
from admit.errors import ConfigurationError, StoreError
from admit.events import LoggedIn, LoginPending, Throttling
from admit.flask.instruments import LiveSessions
from admit.flask.metrics import Metrics
from admit.flask.settings import MetricsSettings
from admit.model import Client
from admit.stores.memory import MemoryStore
from admit.testing import Clock
from tests.flask.observed_site import ADA, WORD, Failing, gate_of, make_site, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = "6f1ed002ab5595859014ebf0951522d9"


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return an empty registry."""
    return CollectorRegistry()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return what a series stands at."""
    return registry.get_sample_value(name, labels)


def series(registry: CollectorRegistry) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Return every series that there is."""
    return {
        (sample.name, frozenset(sample.labels.items())) for family in registry.collect() for sample in family.samples
    }


def test_logins_are_counted_by_method_and_outcome(registry: CollectorRegistry) -> None:
    """Logins that succeed and fail are counted under the feature that verified them, and begin at zero."""
    app = make_site()
    Metrics(app, registry=registry)
    assert value(registry, "admit_logins_total", method="words", outcome="success") == 0
    assert [say(app), say(app, "wrong"), say(app, "wrong", "nobody@example.org")] == [200, 401, 401]
    assert value(registry, "admit_logins_total", method="words", outcome="success") == 1
    assert value(registry, "admit_logins_total", method="words", outcome="failure") == 2
    assert value(registry, "admit_events_total", event="logged_in") == 1


def test_an_application_of_its_own_logins_is_counted_too(registry: CollectorRegistry) -> None:
    """With a store and no features, logins by the application's own view and their ends are counted."""
    app = make_site(features=False)
    Metrics(app, registry=registry, methods=["ldap"])
    gate = gate_of(app)
    assert gate.revoke(gate.admit("ada", "login").session.id)
    gate.admit("ada", "ldap")
    assert value(registry, "admit_logins_total", method="login", outcome="success") == 1
    assert value(registry, "admit_logins_total", method="ldap", outcome="success") == 1
    assert value(registry, "admit_sessions_ended_total", reason="revoked") == 1
    assert value(registry, "admit_sessions_live") == 1


def test_what_is_throttled_is_counted_by_counter(registry: CollectorRegistry) -> None:
    """A try that is not looked at counts under the counter that was used up, and as no failed login."""
    app = make_site(ADMIT_THROTTLE_PAIR_BURST=1)
    Metrics(app, registry=registry)
    assert [say(app, "wrong") for _ in range(3)] == [401, 429, 429]
    assert value(registry, "admit_throttled_total", counter="pair") == 2
    assert value(registry, "admit_throttled_total", counter="address") == 0
    assert value(registry, "admit_logins_total", method="words", outcome="failure") == 1


def test_half_done_logins_are_counted(registry: CollectorRegistry) -> None:
    """A login that waits for a second factor is counted as pending."""
    app = make_site()
    Metrics(app, registry=registry)
    gate = gate_of(app)
    gate.events.publish(LoginPending(at=Clock()(), subject="ada", method="words", needs=("codes",), client=Client()))
    assert value(registry, "admit_logins_total", method="words", outcome="pending") == 1


def test_clients_add_no_series(registry: CollectorRegistry) -> None:
    """An attacker who sends ten thousand names, methods and counters makes the metrics no longer by a line."""
    app = make_site(ADMIT_THROTTLE_ADDRESS_BURST=5)
    Metrics(app, registry=registry)
    events = gate_of(app).events

    def attack(number: int) -> None:
        at, name = Clock()(), f"x{number}@example.org"
        events.publish(LoggedIn(at=at, subject=name, session_id=name, method=name, client=Client(name)))
        events.publish(Throttling(at=at, subject=name, counter=name, client=Client(name)))

    attack(0)
    for number in range(10):
        say(app, f"wrong{number}", f"y{number}@example.org")
    series(registry)  # which counts the sessions for the first time
    before = series(registry)
    for number in range(10_000):
        attack(number)
    for number in range(50):
        say(app, f"wrong{number}", f"z{number}@example.org")
        app.test_client().get(f"/api/account/{number}")
    assert series(registry) == before
    assert value(registry, "admit_logins_total", method="other", outcome="success") == 10_001
    assert "example.org" not in str(before)
    assert len(before) < 300


def test_deafness_is_counted(registry: CollectorRegistry, tmp_path: Path) -> None:
    """Each try to hear what other processes change that fails is counted; one that succeeds is not."""
    app = make_site(f"sqlite:///{tmp_path}/app.db")
    Metrics(app, registry=registry)
    stores = app.extensions["admit"].stores
    changes = stores.sessions.store._database.changes
    labels = {"store": "sql"}
    assert value(registry, "admit_listening_failures_total", **labels) == 0
    changes._tell_watchers(hears=True)
    assert value(registry, "admit_listening_failures_total", **labels) == 0
    changes._tell_watchers(hears=False)
    assert value(registry, "admit_listening_failures_total", **labels) == 1
    stores.close()


def test_the_store_is_timed_and_its_silence_counted(registry: CollectorRegistry) -> None:
    """Each question to the store is timed by operation; one without an answer is timed and counted as an error."""
    store = Failing()
    app = make_site(store)
    Metrics(app, registry=registry)
    client = app.test_client()
    client.post("/api/account/word", json={"identifier": ADA, "word": WORD})
    client.get("/me")
    labels = {"store": "failing", "operation": "get_session"}
    found = value(registry, "admit_store_seconds_count", **labels)
    store.fails = True
    assert client.get("/me").status_code == 503
    assert found is not None
    assert value(registry, "admit_store_seconds_count", **labels) == found + 1
    assert value(registry, "admit_store_errors_total", **labels) == 1
    assert value(registry, "admit_store_errors_total", store="failing", operation="add_session") == 0


def test_several_applications_share_a_registry(registry: CollectorRegistry) -> None:
    """Applications of one process, and one that is asked twice, count together and each thing once."""
    first, second = make_site(ADMIT_METRICS_TOKEN=TOKEN), make_site()
    for app in (first, second, first):
        Metrics(app, registry=registry)
    say(first)
    say(second)
    assert value(registry, "admit_logins_total", method="words", outcome="success") == 2
    assert value(registry, "admit_sessions_live") == 2


# -- mails ------------------------------------------------------------------------------------------------------------


def test_mails_of_a_sender_that_sends_at_once_are_counted(registry: CollectorRegistry) -> None:
    """A mail is counted as sent or failed, and the answer does not tell which."""
    app = make_site(mail=_Sending(_script(None, OSError())))
    Metrics(app, registry=registry)
    client = app.test_client()
    assert [client.post("/api/account/word/mail", json={}).status_code for _ in range(2)] == [204, 204]
    assert value(registry, "admit_mails_total", outcome="sent") == 1
    assert value(registry, "admit_mails_total", outcome="failed") == 1


def test_mails_in_the_background_are_counted_when_they_go_out(registry: CollectorRegistry) -> None:
    """What becomes of a mail behind the request's back is counted: sent, tried again, given up, dropped."""
    sender = BackgroundSender(_Sending(_script(None, OSError(), OSError())), delay=0, first_wait=0, attempts=2)
    app = make_site(mail=sender)
    Metrics(app, registry=registry)
    client = app.test_client()
    for _ in range(2):
        client.post("/api/account/word/mail", json={})
        assert sender.flush(10)
    found = {one: value(registry, "admit_mails_total", outcome=one) for one in ("sent", "postponed", "failed")}
    assert found == {"sent": 1, "postponed": 1, "failed": 1}


class _Sending:
    def __init__(self, send: Callable[[object], None]) -> None:
        self.send = send


def _script(*outcomes: Exception | None) -> Callable[[object], None]:
    left = iter(outcomes)

    def send(_message: object) -> None:
        if failure := next(left):
            raise failure

    return send


# -- sessions ---------------------------------------------------------------------------------------------------------


class Slow(MemoryStore):
    """A store that takes its time to count, by a clock of seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.now, self.takes, self.counts = 0.0, seconds, 0
        self.fails = False

    def count_sessions(self, subject: str | None = None) -> int:
        """Count how often this was asked for."""
        self.now += self.takes
        self.counts += 1
        if self.fails:
            raise StoreError
        return self.counts


def collected(live: LiveSessions) -> list[float]:
    """Return what is shown of the sessions."""
    return [sample.value for family in live.collect() for sample in family.samples]


@pytest.mark.parametrize(("takes", "holds"), [(0.0, 15.0), (0.1, 15.0), (2.0, 200.0)])
def test_fetching_often_does_not_load_the_store(takes: float, holds: float) -> None:
    """However often the metrics are fetched, the sessions are counted anew only after a hundred times as long."""
    store = Slow(takes)
    live = LiveSessions(lambda: store.now)
    live.watch(store)
    assert [collected(live) for _ in range(1000)] == [[1]] * 1000
    store.now += holds - 0.5
    assert collected(live) == [1]
    store.now += 0.6
    assert collected(live) == [2]


def test_a_store_that_does_not_answer_leaves_a_gap() -> None:
    """Without an answer there is no number, rather than an old or a wrong one, until there is one again."""
    store = Slow()
    live = LiveSessions(lambda: store.now)
    live.watch(store)
    store.fails = True
    assert collected(live) == []
    store.fails = False
    store.now += 15
    assert collected(live) == [2]


def test_nobody_waits_for_another_who_counts() -> None:
    """Who fetches while another counts is told what was found before, and the store is asked once."""
    begun, may_end = Event(), Event()

    class Held(Slow):
        def count_sessions(self, subject: str | None = None) -> int:
            begun.set()
            assert may_end.wait(20)
            return super().count_sessions(subject)

    store = Held()
    live = LiveSessions(lambda: store.now)
    live.watch(store)
    other = Thread(target=collected, args=[live])
    other.start()
    assert begun.wait(20)
    assert collected(live) == []
    may_end.set()
    other.join()
    assert collected(live) == [1]


def test_a_store_that_is_gone_is_not_counted() -> None:
    """The metrics keep no store alive: one that nobody has any more is counted no more."""
    live = LiveSessions()
    live.watch(MemoryStore())
    assert collected(live) == []


# -- who may read them ------------------------------------------------------------------------------------------------


def test_nobody_reads_them_unless_told(registry: CollectorRegistry) -> None:
    """Without a token the application has no route that shows the metrics."""
    app = make_site()
    Metrics(app, registry=registry)
    assert app.test_client().get("/metrics").status_code == 404


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xff\xfe"],
)
def test_a_stranger_reads_nothing(registry: CollectorRegistry, header: str | None) -> None:
    """Without the very token the answer is 401 and tells nothing."""
    app = make_site(ADMIT_METRICS_TOKEN=TOKEN)
    Metrics(app, registry=registry)
    answer = app.test_client().get("/metrics", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert b"admit_" not in answer.data


def test_prometheus_reads_them_with_the_token(registry: CollectorRegistry) -> None:
    """With the token, where the settings say, is what Prometheus reads; no cache keeps it."""
    app = make_site(ADMIT_METRICS_TOKEN=TOKEN, ADMIT_METRICS_PATH="/seen")
    Metrics(app, registry=registry)
    say(app)
    answer = app.test_client().get("/seen", headers={"Authorization": f"Bearer {TOKEN}"})
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "text/plain"
    assert {"admit_logins", "admit_sessions_live", "admit_store_seconds"} <= families.keys()


@pytest.mark.parametrize("token", ["too-few-letters", "secret" * 8, "ab" * 16])
def test_a_token_that_can_be_guessed_is_refused(registry: CollectorRegistry, token: str) -> None:
    """A token that others could know is refused at the start, and not shown."""
    with pytest.raises(ConfigurationError, match="ADMIT_METRICS_TOKEN") as refused:
        Metrics(make_site(ADMIT_METRICS_TOKEN=token), registry=registry)
    assert token not in str(refused.value)


@pytest.mark.parametrize("path", ["metrics", "/<path>"])
def test_a_path_is_a_path(path: str) -> None:
    """A path that is none is refused with the key and what to do."""
    with pytest.raises(ConfigurationError, match=r"ADMIT_METRICS_PATH.+Begin it with a slash"):
        MetricsSettings(path=path)


# -- several processes ------------------------------------------------------------------------------------------------


def test_a_folder_that_is_none_is_said(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where several processes are to count together, a missing folder is found at the start."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "nowhere/at/all")
    with pytest.raises(ConfigurationError, match=r"no folder\. Make it before the server starts"):
        Metrics(make_site(), registry=registry)


def test_of_several_processes_all_is_shown(
    registry: CollectorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where several processes count together, what is shown is read from their folder and from the store."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    app = make_site()
    metrics = Metrics(app, registry=registry)
    say(app)
    assert series(metrics.registry) == {("admit_sessions_live", frozenset())}
    assert value(metrics.registry, "admit_sessions_live") == 1


def test_metrics_are_imported_by_those_who_use_them() -> None:
    """Neither Admit for Flask nor the ready-made application loads what metrics and spans need unasked."""
    names = ["prometheus_client", "opentelemetry", "admit.flask.metrics", "admit.flask.traces"]
    code = f"import sys, admit.flask, admit.server; print([name for name in {names!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 -- our own words
    assert ran.stdout.strip() == "[]"
