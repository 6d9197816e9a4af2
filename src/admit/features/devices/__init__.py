"""The devices on which somebody is logged in: to see them, and to end the login on one or on all others."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from admit import device_names
from admit.errors import NotFound
from admit.feature import Context, Demand, Feature, Reply, Shown, action

if TYPE_CHECKING:
    from admit.model import Account, Session

__all__ = ["DeviceList", "DeviceView", "Devices", "Ended"]


#: How many are shown or taken away at most: more than anybody looks at, and few enough to answer at once.
_MOST = 200


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """One login on one device, in human words."""

    id: str
    name: str
    address: str | None
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    seen_at: Annotated[datetime, msgspec.Meta(tz=True)]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)]
    is_remembered: bool
    is_this: bool


class DeviceList(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of a person, the one that was used last first; of very many, the newest."""

    devices: list[DeviceView]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How many logins were ended."""

    ended: int


class Devices(Feature):
    """Shows where somebody is logged in, and ends it there.

    .. versionadded:: 0.2
    """

    name = "devices"

    @action("GET", "/devices", title="Devices", page="devices/show", shown=Shown.MEMBERS, demands=Demand.SESSION)
    def show(self, ctx: Context) -> Reply[DeviceList]:
        """Return the devices on which the account is logged in."""
        here = ctx.demand_session()
        found = {here.id: here} | {one.id: one for one in ctx.gate.sessions_of(here.subject, limit=_MOST)}
        sessions = sorted(found.values(), key=lambda one: (one.id == here.id, one.seen_at))
        return Reply(DeviceList(devices=[_view(one, here) for one in reversed(sessions)]))

    def export(self, ctx: Context, account: Account) -> Any:
        """Return the logins of the account, with what their devices said of themselves."""
        return [_exported(one) for one in ctx.gate.sessions_of(account.id, limit=_MOST)] or None

    @action("DELETE", "/devices/<session_id>", title="End one", demands=Demand.SESSION, errors=[NotFound])
    def end(self, ctx: Context, session_id: str) -> Reply[Ended]:
        """End the login on one device; on this one, it logs out."""
        here = ctx.demand_session()
        # Somebody else's is treated like one that never was: the answer must not tell that it exists.
        if not ctx.gate.has_session(here.subject, session_id):
            raise NotFound(reason="not a session of this account")
        if session_id == here.id:
            ctx.leaves = True
            return Reply(Ended(ended=1), to="next")
        return Reply(Ended(ended=int(ctx.gate.revoke(session_id, by="owner"))), to="devices.show")

    @action("DELETE", "/devices", title="End all others", demands=Demand.SESSION)
    def end_others(self, ctx: Context) -> Reply[Ended]:
        """End the logins on all devices but this one."""
        here = ctx.demand_session()
        ended = ctx.gate.revoke_all(here.subject, keep=here.id, by="owner")
        return Reply(Ended(ended=ended), to="devices.show")


def _view(session: Session, here: Session) -> DeviceView:
    return DeviceView(
        id=session.id,
        name=device_names.name_of(session.client.user_agent),
        address=session.client.address,
        created_at=session.created_at,
        seen_at=session.seen_at,
        expires_at=session.expires_at,
        is_remembered=session.remembered,
        is_this=session.id == here.id,
    )


def _exported(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "address": session.client.address,
        "user_agent": session.client.user_agent,
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "expires_at": session.expires_at,
        "is_remembered": session.remembered,
        "authentications": [
            {"method": one.method, "factors": sorted(one.factors), "at": one.at} for one in session.authentications
        ],
    }
