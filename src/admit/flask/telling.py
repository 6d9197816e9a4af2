"""Telling of refusals: as an event, so that whoever asks later why somebody got no further finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from admit.codes import WrongCode
from admit.errors import (
    InvalidCredentials,
    LockedAccount,
    ReauthenticationRequired,
    SessionRequired,
    VerificationRequired,
)
from admit.events import Refused
from admit.flask.clients import client
from admit.flask.context import request_globals, the_request

if TYPE_CHECKING:
    from admit.errors import AdmitError
    from admit.flask.accounts import Accounts
    from admit.flask.stay import Stay

__all__ = ["tell_of_refusal"]

#: By status: a secret that does not count, what somebody may not do, and a link that does not count any more.
_FORBIDDEN = {401, 403, 410}
#: Everyday answers, and those of logins, of which events of their own tell.
_TOLD_ELSEWHERE = (SessionRequired, ReauthenticationRequired, InvalidCredentials, LockedAccount, VerificationRequired)


def tell_of_refusal(accounts: Accounts, error: AdmitError, action: str) -> None:
    """Publish that somebody was refused what they may not do, if that is what it was.

    Args:
        accounts: The accounts of the application.
        error: Why there is no other answer.
        action: What was asked for.
    """
    if (error.status in _FORBIDDEN or isinstance(error, WrongCode)) and not isinstance(error, _TOLD_ELSEWHERE):
        subject, at = _known_subject(), accounts.now()
        told = Refused(
            at=at, subject=subject, action=action, code=error.problem_code, reason=error.reason, client=client()
        )
        accounts.keeper.gate.events.publish(told)


def _known_subject() -> str:
    """Return whose session it is, if that was asked for; what another site has sent costs no look-up."""
    stay: Stay | None = request_globals().get("_admit_stay")
    if stay is None or stay.request is not the_request() or stay.session is None:
        return ""
    return stay.session.subject
