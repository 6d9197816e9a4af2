"""Readable names for devices."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.device_names import name_of


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                "Version/17.5 Mobile/15E148 Safari/604.1"
            ),
            "Mobile Safari on iOS",
        ),
        ("curl/8.1", "curl"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Linux"),
        ("backup-robot/2.0 (nightly)", "backup-robot"),
        ("", "Unknown device"),
        ("/", "Unknown device"),
        (None, "Unknown device"),
    ],
)
def test_name(user_agent: str | None, name: str) -> None:
    """A browser is named with its system, a program by its first word, and nothing by a phrase."""
    assert name_of(user_agent) == name


@given(st.text(max_size=600))
def test_any_text_has_a_short_name(user_agent: str) -> None:
    """Whatever a client calls itself gives a name that is not empty and not long."""
    assert 0 < len(name_of(user_agent)) <= 120


@pytest.mark.parametrize(
    ("browser", "system", "name"),
    [
        ("Firefox", "Windows", "Firefox on Windows"),
        ("Firefox", "Other", "Firefox"),
        ("Other", "Linux", "Linux"),
        ("Other", "Other", "robot"),
    ],
)
def test_u12_names_by_an_older_ua_parser(browser: str, system: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ua-parser offered before 1.0 will do: it says "Other" where it knows nothing."""
    old: Any = ModuleType("ua_parser")
    old.user_agent_parser = ModuleType("ua_parser.user_agent_parser")
    old.user_agent_parser.ParseUserAgent = lambda _: {"family": browser}
    old.user_agent_parser.ParseOS = lambda _: {"family": system}
    monkeypatch.setitem(sys.modules, "ua_parser", old)
    monkeypatch.setitem(sys.modules, "ua_parser.user_agent_parser", old.user_agent_parser)
    assert name_of(f"robot/1.0 ({browser} {system})") == name
