"""The errors of Admit, in one tree.

::

    Exception
    ├── AdmitError                      the client's doing; code and message may be shown
    │   ├── InvalidCredentials      401 unknown identifier, wrong secret, closed account: one face
    │   │   └── InvalidProof        403 a wrong secret of somebody who is signed in
    │   ├── LockedAccount           403 the account is locked; told only after the right proof
    │   ├── InvalidChallenge        410 a link or a code that is unknown, used or too old
    │   ├── SessionRequired         401 nobody is logged in, or no longer
    │   ├── ReauthenticationRequired 403 the last authentication is too long ago
    │   ├── StepUpRequired          403 the session rests on too few factors
    │   ├── MalformedBody           400 what was sent can't be read
    │   ├── BodyTooLarge            413 more was sent than any action takes
    │   ├── UnsupportedBody         415 what was sent is of another type
    │   ├── NotFound                404 there is no such thing, or it is somebody else's
    │   ├── RoleRequired            403 the account lacks a role
    │   ├── VerificationRequired    403 the account's mail address is yet to be confirmed
    │   ├── CrossSiteRequest        403 another site made the browser send this
    │   ├── IdentifierTaken         409 an account has this identifier already
    │   ├── InvalidInput            422 one or more fields are not acceptable
    │   ├── Throttled               429 too many failures; try again later
    │   ├── Unavailable             503 what this rests on does not answer
    │   └── Overloaded              503 too many ask at once; try again in a moment
    ├── ConfigurationError              the developer's doing; says what is wrong and what to do
    ├── StoreError                      the machine's doing; the driver's error is its cause
    └── MailRefused                     the mail server's doing; trying again is of no use
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

__all__ = [
    "AdmitError",
    "BodyTooLarge",
    "ConfigurationError",
    "CrossSiteRequest",
    "IdentifierTaken",
    "InvalidChallenge",
    "InvalidCredentials",
    "InvalidInput",
    "InvalidProof",
    "LockedAccount",
    "MailRefused",
    "MalformedBody",
    "NotFound",
    "Overloaded",
    "ReauthenticationRequired",
    "RoleRequired",
    "SessionRequired",
    "StepUpRequired",
    "StoreError",
    "Text",
    "Throttled",
    "Unavailable",
    "UnsupportedBody",
    "VerificationRequired",
]


class Text(str):
    """A sentence for people, in English, that remembers how it was made so that it can be said in other languages.

    >>> Text("At least {count} characters.", count=15)
    'At least 15 characters.'

    Args:
        template: The sentence, with the names of values in braces: the key of its translations.
        values: What stands in their places.

    .. versionadded:: 0.2
    """

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        """Put the values in."""
        text = super().__new__(cls, template.format(**values) if values else template)
        text.template, text.values = template, values
        return text

    def translated(self, gettext: Callable[[str], str]) -> str:
        """Return the sentence in the language of ``gettext``."""
        found = gettext(self.template)
        return found.format(**self.values) if self.values else found


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
        self.reason: str = reason
        self.problem_code: str = code or self.code


class InvalidCredentials(AdmitError):
    """The identifier is unknown, the secret is wrong or the account is closed."""

    code: ClassVar[str] = "invalid_credentials"
    status: ClassVar[int] = 401
    message: ClassVar[str] = "These credentials are not valid."


class InvalidProof(InvalidCredentials):
    """Somebody who is signed in has given a wrong secret, such as a wrong current password.

    Signing in again would not help, so that it is no 401, which many clients answer by signing people out.

    .. versionadded:: 0.2
    """

    status: ClassVar[int] = 403


class InvalidChallenge(AdmitError):
    """The link or code is unknown, used or too old."""

    code: ClassVar[str] = "invalid_challenge"
    status: ClassVar[int] = 410
    message: ClassVar[str] = "This link or code is not valid any more."


class SessionRequired(AdmitError):
    """Nobody is logged in, or no longer."""

    code: ClassVar[str] = "session_required"
    status: ClassVar[int] = 401
    message: ClassVar[str] = "Please log in."


class ReauthenticationRequired(AdmitError):
    """The last authentication is too long ago for this action.

    Args:
        reason: What happened, for the record; never shown.
        within: How long ago it may be.
    """

    code: ClassVar[str] = "reauthentication_required"
    status: ClassVar[int] = 403
    message: ClassVar[str] = "Please log in again to go on."

    def __init__(self, reason: str = "", *, within: timedelta | None = None) -> None:
        super().__init__(reason)
        self.within: timedelta | None = within


class StepUpRequired(AdmitError):
    """The session rests on too few factors for this action."""

    code: ClassVar[str] = "step_up_required"
    status: ClassVar[int] = 403
    message: ClassVar[str] = "Please confirm with another factor to go on."


class CrossSiteRequest(AdmitError):
    """Another site made the browser send this request."""

    code: ClassVar[str] = "cross_site_request"
    status: ClassVar[int] = 403
    message: ClassVar[str] = "This request came from another site."


class MalformedBody(AdmitError):
    """What the client sent can't be read.

    Args:
        fields: What is wrong with which field, if it is about one.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "malformed_body"
    status: ClassVar[int] = 400
    message: ClassVar[str] = "What was sent can't be read."

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.fields: dict[str, str] = dict(fields or {})


class BodyTooLarge(AdmitError):
    """The client sent more than any action takes.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "body_too_large"
    status: ClassVar[int] = 413
    message: ClassVar[str] = "More was sent than this takes."


class UnsupportedBody(AdmitError):
    """What the client sent is of another type than this takes.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "unsupported_body"
    status: ClassVar[int] = 415
    message: ClassVar[str] = "Send JSON as application/json in UTF-8."


class NotFound(AdmitError):
    """There is no such thing, or it is somebody else's: one face for both.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "not_found"
    status: ClassVar[int] = 404
    message: ClassVar[str] = "There is no such thing."


class RoleRequired(AdmitError):
    """The account lacks a role that this action takes.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "role_required"
    status: ClassVar[int] = 403
    message: ClassVar[str] = "Your account may not do this."


class VerificationRequired(AdmitError):
    """The account's mail address is yet to be confirmed; told only to who knows its secret.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "verification_required"
    status: ClassVar[int] = 403
    message: ClassVar[str] = "Please confirm your mail address first, by the link that we have sent you."


class LockedAccount(AdmitError):
    """The account is locked by whoever runs the site; told only to who has proven that it is theirs.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "account_locked"
    status: ClassVar[int] = 403
    message: ClassVar[str] = "This account is locked. Please write to whoever runs this site."


class IdentifierTaken(AdmitError):
    """An account has this identifier already.

    Args:
        field: The field that it was given in.
    """

    code: ClassVar[str] = "identifier_taken"
    status: ClassVar[int] = 409
    message: ClassVar[str] = "This name is taken."

    def __init__(self, field: str = "") -> None:
        super().__init__()
        self.fields: dict[str, str] = {field: self.message} if field else {}


class InvalidInput(AdmitError):
    """One or more fields of the input are not acceptable.

    Args:
        fields: For each refused field, what is wrong with it.
    """

    code: ClassVar[str] = "invalid_input"
    status: ClassVar[int] = 422
    message: ClassVar[str] = "Some fields are not valid."

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__()
        self.fields: dict[str, str] = dict(fields)


class Throttled(AdmitError):
    """There were too many failures.

    Args:
        retry_after: Seconds until the next try is worth making.
    """

    code: ClassVar[str] = "throttled"
    status: ClassVar[int] = 429
    message: ClassVar[str] = "Too many tries. Please wait before the next one."

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after: int = retry_after


class Unavailable(AdmitError):
    """What this rests on does not answer just now, which says nothing about the client.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "unavailable"
    status: ClassVar[int] = 503
    message: ClassVar[str] = "This does not work just now. Please try again in a moment."
    retry_after: ClassVar[int] = 2


class Overloaded(AdmitError):
    """More people ask for something costly than this machine can serve at once.

    Args:
        retry_after: Seconds until the next try is worth making.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "overloaded"
    status: ClassVar[int] = 503
    message: ClassVar[str] = (
        "One moment, please. Too many people are signing in right now. Please try again in a moment."
    )

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after: int = retry_after


class ConfigurationError(Exception):
    """The application is set up wrongly; the message says what is wrong and what to do.

    .. versionadded:: 0.1
    """


class StoreError(Exception):
    """The store could not be reached or did not answer; the driver's own error is the cause.

    .. versionadded:: 0.1
    """


class MailRefused(Exception):
    """A mail server refused a message for good; what it answered is the cause.

    Args:
        code: Its answer (RFC 5321, 4.2), or ``None`` if it can't even be asked.

    .. versionadded:: 0.2
    """

    def __init__(self, code: int | None) -> None:
        super().__init__(f"The mail server refused the message for good ({code or 'it lacks SMTPUTF8'}).")
        self.code: int | None = code
