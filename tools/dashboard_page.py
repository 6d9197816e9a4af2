"""Draws a dashboard of Grafana as a page: its panels where they are, with what its queries answer."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[str], list[dict[str, Any]]]

__all__ = ["drawn"]

#: A column of Grafana's 24, and a unit of its heights, in pixels.
COLUMN, UNIT = 52, 30
GAP = 8
#: No time is written so many seconds before the end: it would be cut off.
SCARCE = 15
COLOURS = ("#56a64b", "#e0b400", "#3274d9", "#e02f44", "#8f3bb8", "#ff780a", "#0a7c8c", "#a16a4d", "#5b6b7b")

STYLE = """
body { margin: 0; background: #f4f5f5; color: #1f2430; font: 13px/1.3 "DejaVu Sans", sans-serif; }
main { position: relative; width: 1264px; margin: 8px; }
header { padding: 4px 4px 10px; } header b { font-size: 17px; margin-right: 12px; } header span { color: #5b6270; }
section { position: absolute; box-sizing: border-box; background: #fff; border: 1px solid #dcdfe4; padding: 8px; }
h2 { font-size: 13px; font-weight: 600; margin: 0 0 4px; }
.number { font-size: 34px; font-weight: 600; text-align: center; padding-top: 8px; }
ul { list-style: none; margin: 2px 0 0; height: 29px; overflow: hidden; padding: 0; font-size: 11px; color: #3f4652; }
li { display: inline-block; margin-right: 10px; white-space: nowrap; }
i { display: inline-block; width: 12px; height: 3px; margin: 0 4px 3px 0; }
svg { display: block; } svg text { font-size: 10px; fill: #6b7280; }
"""


class Line(NamedTuple):
    """What is drawn of one series."""

    name: str
    points: list[tuple[float, float]]


def drawn(dashboard: dict[str, Any], ask: Ask) -> str:
    """Return the page.

    Args:
        dashboard: What the dashboard's file says.
        ask: Returns the series that a query answers with.
    """
    panels = [(panel, _lines(panel, ask)) for panel in dashboard["panels"]]
    times = [at for _, lines in panels for line in lines for at, _ in line.points]
    first, last = min(times), max(times)
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel, _ in panels) * UNIT
    shown = "".join(_panel(panel, lines, first, last) for panel, lines in panels)
    minutes = round((last - first) / 60)
    head = f"<header><b>{escape(dashboard['title'])}</b><span>{minutes} minutes, times in UTC</span></header>"
    return (
        f'<!doctype html><meta charset="utf-8"><title>Dashboard</title><style>{STYLE}</style>'
        f'{head}<main style="height:{height}px">{shown}</main>'
    )


def _lines(panel: dict[str, Any], ask: Ask) -> list[Line]:
    found: list[Line] = []
    for target in panel["targets"]:
        for series in ask(target["expr"]):
            name = target["legendFormat"]
            for label, value in series["metric"].items():
                name = name.replace("{{" + label + "}}", value)
            points = [(at, float(value)) for at, value in series["values"] if math.isfinite(float(value))]
            found.append(Line(name, points))
    return sorted(found, key=lambda line: -max((value for _, value in line.points), default=0.0))


def _panel(panel: dict[str, Any], lines: list[Line], first: float, last: float) -> str:
    grid = panel["gridPos"]
    width, height = grid["w"] * COLUMN - GAP, grid["h"] * UNIT - GAP
    unit = panel["fieldConfig"]["defaults"]["unit"]
    draw = _stat if panel["type"] == "stat" else _chart
    place = f"left:{grid['x'] * COLUMN}px;top:{grid['y'] * UNIT}px;width:{width}px;height:{height}px"
    inside = draw(panel, lines, (width - 18, height - 60), (first, last), unit)
    return f'<section style="{place}"><h2>{escape(panel["title"])}</h2>{inside}</section>'


def _stat(
    panel: dict[str, Any], lines: list[Line], _size: tuple[int, int], _times: tuple[float, float], unit: str
) -> str:
    points = lines[0].points if lines else []
    if not points:
        return '<div class="number">none</div>'
    value = points[-1][1]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    colour = next(step["color"] for step in reversed(steps) if step["value"] is None or value >= step["value"])
    shade = {"green": COLOURS[0], "red": COLOURS[3]}[colour]
    return f'<div class="number" style="color:{shade}">{_said(value, unit)}</div>'


def _chart(
    _panel: dict[str, Any], lines: list[Line], size: tuple[int, int], times: tuple[float, float], unit: str
) -> str:
    width, height = size
    left, top, bottom = 46, 9, 16
    most = _rounded(max((value for line in lines for _, value in line.points), default=1.0) or 1.0)

    def x(at: float) -> float:
        return left + (at - times[0]) / (times[1] - times[0]) * (width - left - 6)

    def y(value: float) -> float:
        return top + (1 - value / most) * (height - bottom - top)

    parts: list[str] = []
    for number in range(5):
        value = most * number / 4
        parts.append(f'<line x1="{left}" x2="{width}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#e7e9ed"/>')
        parts.append(f'<text x="{left - 5}" y="{y(value) + 3:.1f}" text-anchor="end">{_said(value, unit)}</text>')
    minute = math.ceil(times[0] / 60) * 60
    every = max(1, round((times[1] - times[0]) / 60 / 6)) * 60
    for at in range(minute, int(times[1]) - SCARCE, every):
        label = datetime.fromtimestamp(at, UTC).strftime("%H:%M")
        parts.append(f'<text x="{x(at):.1f}" y="{height - 3}" text-anchor="middle">{label}</text>')
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        for run in _runs(line.points):
            path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in run)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    names = "".join(
        f'<li><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escape(line.name)}</li>'
        for number, line in enumerate(lines)
    )
    return f'<svg width="{width}" height="{height}">{"".join(parts)}</svg><ul>{names}</ul>'


def _runs(points: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Return the points between gaps: where nothing was answered, nothing is drawn."""
    step = min((after[0] - before[0] for before, after in pairwise(points)), default=0.0)
    runs: list[list[tuple[float, float]]] = []
    for point in points:
        if runs and point[0] - runs[-1][-1][0] <= step:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _rounded(most: float) -> float:
    """Return the next number at which a scale may end."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= most)


def _said(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
    return f"{value:.0%}" if unit == "percentunit" else f"{value:.3g}"
