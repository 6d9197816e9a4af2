"""Readable names for devices, from what their browsers call themselves."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

__all__ = ["name_of"]

_UNKNOWN = "Unknown device"


@lru_cache(maxsize=256)
def name_of(user_agent: str | None) -> str:
    """Return "Firefox on Windows" and the like; the first word of whatever is no browser."""
    if not user_agent:
        return _UNKNOWN
    browser, system = _families(user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or user_agent.split("/", 1)[0].split(" ", 1)[0][:40] or _UNKNOWN


def _families(user_agent: str) -> tuple[str, str]:
    """Return the names of a browser and its system, empty if they are not known."""
    # Loading the patterns takes a moment, which only those who show device names spend.
    try:
        from ua_parser import parse
    except ImportError:  # ua-parser before 1.0
        return _families_of_old(user_agent)
    found = parse(user_agent)
    return (found.user_agent.family if found.user_agent else "", found.os.family if found.os else "")


def _families_of_old(user_agent: str) -> tuple[str, str]:
    from ua_parser import user_agent_parser

    parser: Any = user_agent_parser
    browser, system = (parse(user_agent)["family"] for parse in (parser.ParseUserAgent, parser.ParseOS))
    return ("" if browser == "Other" else browser, "" if system == "Other" else system)
