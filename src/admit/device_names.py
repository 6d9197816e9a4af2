"""Readable names for devices, from what their browsers call themselves."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["name_of"]

_UNKNOWN = "Unknown device"


@lru_cache(maxsize=256)
def name_of(user_agent: str | None) -> str:
    """Return "Firefox on Windows" and the like; the first word of whatever is no browser."""
    if not user_agent:
        return _UNKNOWN
    # Loading the patterns takes a moment, which only those who show device names spend.
    from ua_parser import parse

    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or user_agent.split("/", 1)[0].split(" ", 1)[0][:40] or _UNKNOWN
