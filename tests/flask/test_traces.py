"""Spans: one for each action and each question to a store in it, and nothing in them of who it is about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

from admit.flask.traces import Traces
from tests.flask.observed_site import ADA, WORD, Failing, gate_of, make_site, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan


ROOT = Path(__file__).resolve().parents[2]


class Traced:
    """A provider of spans that keeps them."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def spans(self, prefix: str = "") -> list[ReadableSpan]:
        """Return the spans that have ended, the last first, and forget them."""
        found = [span for span in reversed(self.exporter.get_finished_spans()) if span.name.startswith(prefix)]
        self.exporter.clear()
        return found


@pytest.fixture
def traced() -> Iterator[Traced]:
    """Return a provider of spans that keeps them until the test is over."""
    traced = Traced()
    yield traced
    traced.provider.shutdown()


def test_an_action_is_a_span_and_its_questions_are_in_it(traced: Traced) -> None:
    """A login is a span named after the action, and each question to the store one in it."""
    app = make_site()
    Traces(app, tracer_provider=traced.provider)
    assert say(app) == 200
    action, *questions = traced.spans()
    assert action.name == "admit.words.login"
    assert dict(action.attributes or {}) == {"admit.action": "words.login", "admit.face": "json"}
    assert action.status.status_code is StatusCode.UNSET
    assert {"admit.store.find_account", "admit.store.add_session"} <= {one.name for one in questions}
    assert all(one.parent is not None and one.parent.span_id == action.context.span_id for one in questions)
    assert all(dict(one.attributes or {}) == {"admit.store": "failing"} for one in questions)


def test_a_page_and_its_json_have_spans_of_one_name(traced: Traced) -> None:
    """An action has one name however it is asked for; its face is an attribute."""
    app = make_site()
    Traces(app, tracer_provider=traced.provider)
    app.test_client().post("/account/word/mail")
    app.test_client().post("/api/account/word/mail", json={})
    found = [dict(one.attributes or {})["admit.face"] for one in traced.spans("admit.words.send")]
    assert sorted(map(str, found)) == ["json", "page"]


def test_a_refusal_is_noted_and_is_no_error(traced: Traced) -> None:
    """A wrong word leaves its code in the span, which is no error: the application did what it should."""
    app = make_site()
    Traces(app, tracer_provider=traced.provider)
    assert say(app, "wrong") == 401
    (action,) = traced.spans("admit.words")
    assert (action.attributes or {})["admit.refusal"] == "invalid_credentials"
    assert action.status.status_code is StatusCode.UNSET


def test_a_request_of_another_site_is_a_refusal_too(traced: Traced) -> None:
    """What another site sends is refused before the action is asked, and that is no error of ours either."""
    app = make_site()
    Traces(app, tracer_provider=traced.provider)
    answer = app.test_client().post("/account/word/mail", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    (action,) = traced.spans("admit.words")
    assert (action.attributes or {})["admit.refusal"] == "cross_site_request"
    assert action.status.status_code is StatusCode.UNSET


def test_a_store_that_does_not_answer_is_an_error(traced: Traced) -> None:
    """Without an answer of the store its span and that of the action are errors, by type and without its words."""
    store = Failing()
    app = make_site(store)
    Traces(app, tracer_provider=traced.provider)
    client = app.test_client()
    client.post("/api/account/word", json={"identifier": ADA, "word": WORD})
    traced.spans()
    store.fails = True
    assert client.post("/api/account/word/mail", json={}).status_code == 503
    action, question = traced.spans()
    assert [action.status.status_code, question.status.status_code] == [StatusCode.ERROR, StatusCode.ERROR]
    assert [action.status.description, question.status.description] == [None, None]
    assert (question.attributes or {})["error.type"] == "StoreError"


def test_spans_tell_nothing_personal(traced: Traced) -> None:
    """Whatever is sent and whatever breaks, no span holds a name, an address, a token or the words of an exception."""
    app = make_site()
    app.testing = False
    Traces(app, tracer_provider=traced.provider)
    client = app.test_client()
    client.post("/api/account/word", json={"identifier": ADA, "word": WORD})
    token = client.get_cookie("admit")
    client.get("/api/account/word/broken")
    say(app, "wrong", "nobody@example.org")
    found = traced.spans()
    broken = next(one for one in found if one.name == "admit.words.broken")
    told = " ".join(one.to_json() for one in found)
    assert broken.status.status_code is StatusCode.ERROR
    assert (broken.attributes or {})["error.type"] == "RuntimeError"
    assert not any(one.events for one in found)
    assert token is not None
    subject = next(iter(vars(app)["login_manager"].keeper.accounts.store.list_accounts())).id
    for secret in (ADA, "example.org", WORD, "wrong", "a secret", token.value, token.value.split(".")[0], subject):
        assert secret not in told


def test_spans_are_in_that_of_the_request(traced: Traced) -> None:
    """With the instrumentation of Flask, the action is in the span of the request, and that in the caller's trace."""
    app = make_site()
    FlaskInstrumentor().instrument_app(app, tracer_provider=traced.provider)
    Traces(app, tracer_provider=traced.provider)
    caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    app.test_client().post("/api/account/word", json={"identifier": ADA, "word": WORD}, headers={"traceparent": caller})
    FlaskInstrumentor.uninstrument_app(app)
    found = traced.spans()
    action = next(one for one in found if one.name == "admit.words.login")
    request = next(one for one in found if action.parent and one.context.span_id == action.parent.span_id)
    assert request.kind is trace.SpanKind.SERVER
    assert {one.context.trace_id for one in found} == {0x4BF92F3577B34DA6A3CE929D0E0E4736}


def test_links_of_mails_stay_out_of_the_spans_of_requests(traced: Traced) -> None:
    """With the addresses left out that the documentation names, no span of a request holds the token of a link."""
    page = (ROOT / "docs" / "monitoring.md").read_text()
    left_out = re.findall(r"^OTEL_PYTHON_FLASK_EXCLUDED_URLS='(.+)'", page, re.MULTILINE)
    app = make_site()
    FlaskInstrumentor().instrument_app(app, tracer_provider=traced.provider, excluded_urls=left_out[0])
    client, token = app.test_client(), "GnjVwBHW8pmOXDqXmZokcw.WG3YLTylsA5m2GWX1GD-1wJsuQ9Fp6qgywTt-oYk-Mc"
    for path in (f"/account/verify/{token}", f"/account/a/b/{token}?next=/", f"/api/account/invitation/{token}"):
        client.get(path)
    assert traced.spans() == []
    client.get("/account/devices/0m3RkX2vQkqUu2dTzqzW4g")
    FlaskInstrumentor.uninstrument_app(app)
    assert len(traced.spans()) == 1


def test_a_store_is_traced_only_in_a_span(traced: Traced) -> None:
    """Outside of every span, as in a command, and in one that is not recorded, a question to the store makes none."""
    app = make_site(features=False)
    Traces(app, tracer_provider=traced.provider)
    gate = gate_of(app)
    token = gate.admit("ada", "login").token
    silent = TracerProvider(sampler=ALWAYS_OFF)
    with silent.get_tracer("silent").start_as_current_span("silent"):
        gate.resume(token)
    assert traced.spans() == []
    with traced.provider.get_tracer("own").start_as_current_span("own"):
        gate.resume(token)
    assert [one.name for one in traced.spans("admit")] == ["admit.store.get_session"]


def test_who_asks_twice_gets_one_span(traced: Traced) -> None:
    """Asked for twice, each action and each question has one span all the same."""
    app = make_site()
    for _ in range(2):
        Traces(app, tracer_provider=traced.provider)
    app.test_client().post("/api/account/word/mail", json={})
    assert [one.name for one in traced.spans("admit.words")] == ["admit.words.send"]
