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
    │   ├── Throttled               429 too many failures; try again later
    │   └── Overloaded              503 too many ask at once; try again in a moment
    ├── ConfigurationError              the developer's doing; says what is wrong and what to do
    ├── StoreError                      the machine's doing; the driver's error is its cause
    └── MailRefused                     the mail server's doing; trying again is of no use
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "AdmitError",
    "ConfigurationError",
    "CrossSiteRequest",
    "IdentifierTaken",
    "InvalidChallenge",
    "InvalidCredentials",
    "InvalidInput",
    "MailRefused",
    "Overloaded",
    "ReauthenticationRequired",
    "SessionRequired",
    "StepUpRequired",
    "StoreError",
    "Text",
    "Throttled",
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


class InvalidChallenge(AdmitError):
    """The link or code is unknown, used or too old."""

    code: ClassVar[str] = "invalid_challenge"
    status: ClassVar[int] = 401
    message: ClassVar[str] = "This link or code is not valid any more."


class SessionRequired(AdmitError):
    """Nobody is logged in, or no longer."""

    code: ClassVar[str] = "session_required"
    status: ClassVar[int] = 401
    message: ClassVar[str] = "Please log in."


class ReauthenticationRequired(AdmitError):
    """The last authentication is too long ago for this action."""

    code: ClassVar[str] = "reauthentication_required"
    status: ClassVar[int] = 403
    message: ClassVar[str] = "Please log in again to go on."


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


class IdentifierTaken(AdmitError):
    """An account has this identifier already."""

    code: ClassVar[str] = "identifier_taken"
    status: ClassVar[int] = 409
    message: ClassVar[str] = "This name is taken."


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


class Overloaded(AdmitError):
    """More people ask for something costly than this machine can serve at once.

    Args:
        retry_after: Seconds until the next try is worth making.

    .. versionadded:: 0.2
    """

    code: ClassVar[str] = "overloaded"
    status: ClassVar[int] = 503
    message: ClassVar[str] = "Too many people are logging in right now. Please try again in a moment."

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
