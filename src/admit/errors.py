"""The errors of Admit, in one tree.

::

    Exception
    ├── AdmitError                      the client's doing; code and message may be shown
    │   ├── InvalidCredentials      401 unknown identifier, wrong secret, closed account: one face
    │   ├── InvalidChallenge        401 a link or a code that is unknown, used or too old
    │   ├── SessionRequired         401 nobody is logged in, or no longer
    │   ├── ReauthenticationRequired 403 the last authentication is too long ago
    │   ├── StepUpRequired          403 the session rests on too few factors
    │   ├── CrossSiteRequest        403 another site made the browser send this
    │   ├── IdentifierTaken         409 an account has this identifier already
    │   ├── InvalidInput            422 one or more fields are not acceptable
    │   └── Throttled               429 too many failures; try again later
    ├── ConfigurationError              the developer's doing; says what is wrong and what to do
    └── StoreError                      the machine's doing; the driver's error is its cause
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AdmitError",
    "ConfigurationError",
    "CrossSiteRequest",
    "IdentifierTaken",
    "InvalidChallenge",
    "InvalidCredentials",
    "InvalidInput",
    "ReauthenticationRequired",
    "SessionRequired",
    "StepUpRequired",
    "StoreError",
    "Throttled",
]


class AdmitError(Exception):
    """What a client did could not be granted; ``code``, ``status`` and ``message`` may be shown.

    Args:
        reason: What really happened, for events and logs only. It is never shown, because it may
            tell a stranger whether an account exists.
        code: A stable name for the error in snake case, when it is narrower than the class's own.

    .. versionadded:: 0.1
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    message: ClassVar[str] = "The request could not be granted."

    def __init__(self, reason: str = "", *, code: str | None = None) -> None:
        super().__init__(self.message)
        self.reason = reason
        self.problem_code = code or self.code


class InvalidCredentials(AdmitError):
    """The identifier is unknown, the secret is wrong or the account is closed."""

    code = "invalid_credentials"
    status = 401
    message = "These credentials are not valid."


class InvalidChallenge(AdmitError):
    """The link or code is unknown, used or too old."""

    code = "invalid_challenge"
    status = 401
    message = "This link or code is not valid any more."


class SessionRequired(AdmitError):
    """Nobody is logged in, or no longer."""

    code = "session_required"
    status = 401
    message = "Please log in."


class ReauthenticationRequired(AdmitError):
    """The last authentication is too long ago for this action."""

    code = "reauthentication_required"
    status = 403
    message = "Please log in again to go on."


class StepUpRequired(AdmitError):
    """The session rests on too few factors for this action."""

    code = "step_up_required"
    status = 403
    message = "Please confirm with another factor to go on."


class CrossSiteRequest(AdmitError):
    """Another site made the browser send this request."""

    code = "cross_site_request"
    status = 403
    message = "This request came from another site."


class IdentifierTaken(AdmitError):
    """An account has this identifier already."""

    code = "identifier_taken"
    status = 409
    message = "This name is taken."


class InvalidInput(AdmitError):
    """One or more fields of the input are not acceptable.

    Args:
        fields: For each refused field, what is wrong with it.
    """

    code = "invalid_input"
    status = 422
    message = "Some fields are not valid."

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__()
        self.fields = dict(fields)


class Throttled(AdmitError):
    """There were too many failures.

    Args:
        retry_after: Seconds until the next try is worth making.
    """

    code = "throttled"
    status = 429
    message = "Too many tries. Please wait before the next one."

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class ConfigurationError(Exception):
    """The application is set up wrongly; the message says what is wrong and what to do.

    .. versionadded:: 0.1
    """


class StoreError(Exception):
    """The store could not be reached or did not answer; the driver's own error is the cause.

    .. versionadded:: 0.1
    """
