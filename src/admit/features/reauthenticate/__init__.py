"""Proving once more who one is: the page behind ``fresh_login_required``."""

from __future__ import annotations

import msgspec

from admit.feature import Context, Demand, Feature, Reply, action

__all__ = ["OpenWays", "Reauthenticate", "Way"]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to prove it: the feature's name, and the action that takes the proof."""

    name: str
    action: str


class OpenWays(msgspec.Struct, frozen=True, kw_only=True):
    """The ways that are open to this account."""

    ways: list[Way]


class Reauthenticate(Feature):
    """Leads to the ways by which a session becomes fresh again, and back to where the person was.

    .. versionadded:: 0.2
    """

    name = "reauthenticate"

    @action("GET", "/reauthenticate", title="Confirm that it is you", demands=Demand.SESSION)
    def show(self, ctx: Context) -> Reply[OpenWays]:
        """Return the ways in which the account can prove once more who it is."""
        session = ctx.demand_session()
        enrolled = {one.kind for one in ctx.credentials.list_credentials(session.subject)}
        ways = [
            Way(name=name, action=f"{name}.{feature.proves}")
            for name, feature in ctx.features.items()
            if feature.proves is not None and name in enrolled
        ]
        # With one way only there is nothing to choose.
        return Reply(OpenWays(ways=ways), to=ways[0].action if len(ways) == 1 else None)
