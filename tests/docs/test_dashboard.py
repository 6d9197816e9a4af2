"""The dashboard of Grafana and the page about it: what they name is what is counted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry

from admit.flask.instruments import Instruments

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "examples" / "grafana" / "admit.json"
PAGE = ROOT / "docs" / "monitoring.md"

#: What a query says of a metric: its name, and what it chooses by.
SELECTED = re.compile(r"(admit_\w+)(?:\{([^}]*)\})?")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


@pytest.fixture(scope="module")
def counted() -> dict[str, set[str]]:
    """Return the labels of each series that there is, by name."""
    instruments = Instruments(CollectorRegistry())
    found: dict[str, set[str]] = {"admit_sessions_live": set()}
    for metric in vars(instruments).values():
        for family in getattr(metric, "describe", list)():
            labels = set(getattr(metric, "_labelnames", ()))
            found |= {f"{family.name}{suffix}": labels for suffix in SUFFIXES[family.type]}
    return found


def dashboard() -> dict[str, Any]:
    """Return what the file says."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def queries() -> Iterator[str]:
    """Return every query of the dashboard and of the alerts on the page."""
    found = dashboard()
    yield from (target["expr"] for panel in found["panels"] for target in panel["targets"])
    yield from (variable["query"]["query"] for variable in found["templating"]["list"] if variable["type"] == "query")
    yield from re.findall(r"^.*admit_\w+\{.*$", PAGE.read_text(), re.MULTILINE)


def test_queries_name_what_is_counted(counted: dict[str, set[str]]) -> None:
    """Each metric that a query names is there, and so are the labels that it chooses and groups by."""
    for query in queries():
        named = SELECTED.findall(query)
        assert named
        for name, chosen in named:
            assert name in counted, query
            labels = set(re.findall(r"(\w+)=", chosen)) - {"job"}
            grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")}
            assert labels | (grouped - {"le"}) <= counted[name], query


def test_every_metric_is_shown_and_described(counted: dict[str, set[str]]) -> None:
    """The dashboard shows each metric, and the page has a row for it with its labels."""
    shown = {name for query in queries() for name, _ in SELECTED.findall(query)}
    rows = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in table()}
    names = {re.sub(r"_(bucket|count|sum)$", "", name): labels for name, labels in counted.items()}
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown} == names.keys()
    assert rows == names


def table() -> list[tuple[str, str]]:
    """Return the names and the labels in the table of the page."""
    return re.findall(r"^\| `(admit_\w+)` \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)


def test_grafana_understands_the_dashboard() -> None:
    """The file is a dashboard by Grafana's own description: nothing in it gets lost when that reads and writes it."""
    found = dashboard()
    assert lost(found, json.loads(JSONEncoder().encode(Dashboard.from_json(found)))) == []


def test_what_grafana_does_not_know_is_found() -> None:
    """A word that is none of Grafana's, at any depth, is found by its place."""
    found = dashboard()
    found["panels"][0]["tittle"] = "Sessions"
    assert lost(found, json.loads(JSONEncoder().encode(Dashboard.from_json(found)))) == [".panels.0.tittle"]


def lost(given: Any, read: Any, place: str = "") -> list[str]:
    """Return the places of what was given and was not read; what was added by default is no matter."""
    if isinstance(given, dict) and isinstance(read, dict):
        return [one for key in given for one in lost(given[key], read.get(key), f"{place}.{key}")]
    if isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        return [one for number in range(len(given)) for one in lost(given[number], read[number], f"{place}.{number}")]
    return [] if given == read else [place]


def test_the_panels_do_not_overlap() -> None:
    """Each panel has a number and a place of its own in Grafana's 24 columns."""
    panels = dashboard()["panels"]
    places = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23
    assert len({panel["id"] for panel in panels}) == len(panels)
