"""Telling an owner of a login on a device that they have never used, with a way to say that it was not them.

An attacker who has a password logs in and hopes that nobody notices: they use up the mails that an account gets,
change the password or the address so that the owner's link is void, show up as a device that is known, or come as a
client that keeps no marks, or before the owner does. So these mails are counted apart, their links are void by nothing
that is done in the account, a device is known only by a mark that a login of its owner has left there, and a client
without cookies by the place that it came from. Only who has just signed up here is told nothing of their first login:
imported and adopted users are. Whoever has got hold of such a mail can end sessions, and no more: the link to choose a
new password goes to the address.

Source: NIST SP 800-63B-4, section 4.6 (notices, with a way to object); OWASP ASVS 5.0.0, 6.3.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, ClassVar

import msgspec

from admit import device_names
from admit.errors import InvalidChallenge, Overloaded, Text
from admit.events import SessionEvent
from admit.feature import About, Context, Face, Feature, Reply, Token, action, can_regain
from admit.known_devices import KINDS
from admit.settings import setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.model import Account, Challenge, Client, Identifier, Session
    from admit.store import Stores

__all__ = ["DeviceDenied", "DeviceMet", "Evicted", "NewDevice", "NewDeviceForm", "NewDeviceView"]

_HOUR = timedelta(hours=1)
#: How long the first login to an account is nothing new to its owner, who has just made it.
_SOON = timedelta(days=1)
#: What is counted apart: logins of clients that keep no cookies.
_PROGRAMS = "programs"
_NAME = re.compile(r"[\w +/-]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMet(SessionEvent):
    """Somebody has logged in on a device that is not known; ``told`` says whether the owner was sent a mail."""

    said: ClassVar[Text | None] = Text("A new device signed in.")
    tells_login: ClassVar[bool] = True

    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDenied(SessionEvent):
    """The owner of an account says that a login was not theirs; all of its sessions have ended, and its password."""

    said: ClassVar[Text | None] = Text("You told us that a sign-in was not yours.")


class NewDeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """The login that a mail tells of."""

    name: str
    address: str | None
    at: datetime


class NewDeviceForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of the link in a mail."""

    token: Token


class Evicted(msgspec.Struct, frozen=True, kw_only=True):
    """That everybody is out, and what comes next: a mail (``check_mail``), or logging in (``sign_in``)."""

    next: str


class NewDevice(Feature):
    """Sends a mail when somebody logs in on a device that the account does not know.

    .. versionadded:: 0.2
    """

    name = "new_device"
    sends_mail = True
    needs_email = True

    lifetime: timedelta = setting(timedelta(days=7), "How long the owner can say that it was not them.")
    mails_per_hour: int = setting(
        5, "How many of these mails one account is sent in an hour, and as many for programs."
    )

    def __post_init__(self) -> None:
        """Check that there are mails, and that their links work for a time."""
        super().__post_init__()
        self.demand_positive()

    def missing(self, features: Mapping[str, Feature]) -> str | None:
        """Return what this feature lacks: a way to choose a new password for whoever had a stranger in."""
        if can_regain(features):
            return None
        return (
            "NewDevice ends the password of whoever had a stranger in, and there is no way for them to choose another. "
            "Add PasswordReset() to the features, or take NewDevice out."
        )

    def meet(self, ctx: Context, session: Session) -> None:
        """Tell the owner, unless it is the first login of somebody who has just signed up."""
        account = ctx.accounts.get_account(session.subject)
        if account is None or _is_first(ctx, account):
            return
        # An address that nobody has confirmed may be a stranger's, who must not end anybody's sessions.
        address = account.email if account.email and account.email.verified_at else None
        is_told = address is not None and self._may_mail(ctx, account)
        if address is not None and is_told:
            self._tell(ctx, account, address, session)
        ctx.publish(DeviceMet(at=ctx.now, subject=account.id, session_id=session.id, told=is_told))

    def erase(self, stores: Stores, account: Account) -> None:
        """Void the links of mails that tell of logins."""
        if stores.challenges is not None:
            stores.challenges.delete_challenges(_subject(account))

    @action("GET", "/new-device", title="Was it you?", page="new_device/deny", faces=[Face.PAGE], by_mail=True)
    def form(self, ctx: Context) -> Reply[NewDeviceView]:
        """Show the login and the button that denies it; nothing is changed by looking."""
        found = self._told(ctx, ctx.kept.get("link", ""))
        name, address = found.details["name"], found.details["address"] or None
        return Reply(NewDeviceView(name=name, address=address, at=found.created_at))

    @action(
        "POST",
        "/new-device",
        title="Was it you?",
        page="new_device/deny",
        errors=[InvalidChallenge, Overloaded],
        link="/new-device/<token>",
        by_mail=True,
    )
    def deny(self, ctx: Context, form: NewDeviceForm) -> Reply[Evicted]:
        """End all sessions, links and the password of the account, and mail a link to choose another password.

        Not only the session of that login: it may have been replaced since, and others may have begun.
        """
        details = self._told(ctx, form.token).details
        account = ctx.accounts.get_account(details["account"])
        # A closed one as well, as long as it can be opened again: a thief may have closed it.
        if account is None or not ctx.gate.admission.can_return(account):
            raise InvalidChallenge(reason="the account is gone, or locked")
        is_mailed = ctx.evict(account, lambda: self._claim(ctx, account, form.token), key=details["key"])
        ctx.publish(DeviceDenied(at=ctx.now, subject=account.id, session_id=details["session"]))
        ctx.keeps["link"] = ""
        return Reply(Evicted(next="check_mail" if is_mailed else "sign_in"), page="new_device/denied")

    # -- steps -------------------------------------------------------------------------------------

    def _may_mail(self, ctx: Context, account: Account) -> bool:
        # Counted apart from what anybody can ask for. A program that logs in as another each time does not use up what
        # tells of a thief in a browser.
        name = account.id if ctx.keeps_marks else f"{account.id} {_PROGRAMS}"
        return ctx.throttle.allows(self.name, name, burst=self.mails_per_hour, interval=_HOUR / self.mails_per_hour)

    def _tell(self, ctx: Context, account: Account, to: Identifier, session: Session) -> None:
        name, address = device_names.name_of(session.client.user_agent), _address(session.client)
        # Whoever logs in chooses what their device is called. It must not be read as a place to go to.
        name = name if _NAME.fullmatch(name) else "Unknown device"
        details = {"account": account.id, "key": to.key, "session": session.id, "name": name, "address": address}
        # Several may be open at a time: each tells of another login.
        token = ctx.gate.challenges.issue(self.name, _subject(account), self.lifetime, details)
        url = ctx.url("new_device.deny", token=token)
        values = {"account": account, "device": name, "address": address, "at": ctx.now, "url": url}
        ctx.post(to.value, "new_device/mail", values)

    def _told(self, ctx: Context, token: str) -> Challenge:
        found = ctx.gate.look(self.name, token)
        # Not by its label: whoever has read the email knows the address that it went to, and no more.
        ctx.about = About(found.details["key"], found.details["account"])
        return found

    def _claim(self, ctx: Context, account: Account, token: str) -> None:
        ctx.gate.take(self.name, token)
        ctx.gate.challenges.void(_subject(account))


def _address(client: Client) -> str:
    """Return where a client is, if that is an address: behind a proxy that is trusted too much it may be any text."""
    try:
        return str(ip_address(client.address or ""))
    except ValueError:
        return ""


def _subject(account: Account) -> str:
    # Not the account itself: a thief who changes the password voids all that is the account's.
    return f"new_device:{account.id}"


def _is_first(ctx: Context, account: Account) -> bool:
    """Tell whether it is the first login of somebody who has just signed up here.

    One with a password of another program has not: whoever comes first may be somebody who knows it from there.
    """
    if ctx.now - account.created_at >= _SOON:
        return False
    return not any(one.kind in KINDS or one.is_adopted for one in ctx.credentials.list_credentials(account.id))
