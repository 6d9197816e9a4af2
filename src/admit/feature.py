"""What a feature is: settings, and actions that are served as a page and as JSON from one declaration.

A feature touches nothing else. It is a frozen dataclass whose fields are its settings, and its actions are methods
marked by :func:`action`. To end a login it calls :meth:`Context.admit`; to send something out that may come back
once, :meth:`Context.link` with a challenge; to be a second factor it keeps a credential of its own kind and says
``second_factor = True``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    Protocol,
    Self,
    TypeVar,
    dataclass_transform,
    get_args,
    get_type_hints,
    runtime_checkable,
)

import msgspec

from admit.errors import InvalidChallenge, InvalidCredentials, ReauthenticationRequired, SessionRequired, Text
from admit.model import Pending
from admit.settings import Settings, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta

    from admit.errors import AdmitError
    from admit.events import Event
    from admit.gate import Gate
    from admit.known_devices import KnownDevices
    from admit.model import Account, Admitted, Client, Credential, Ending, Factor, Session
    from admit.store import AccountStore, CredentialStore
    from admit.throttle import Throttle

__all__ = [
    "Action",
    "Context",
    "Demand",
    "Face",
    "Feature",
    "Post",
    "Reply",
    "Secret",
    "SecretKeeper",
    "Shown",
    "Signed",
    "Token",
    "action",
]

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")

T = TypeVar("T")
_Function = TypeVar("_Function", bound="Callable[..., Reply[Any]]")

#: A field whose value nobody is shown again: a password, a code.
Secret = Annotated[str, msgspec.Meta(max_length=4096, extra_json_schema={"format": "password", "writeOnly": True})]

#: A field that holds the token of a link. A page finds it in a cookie, so that it stays out of addresses.
Token = Annotated[str, msgspec.Meta(max_length=200, extra_json_schema={"format": "password", "writeOnly": True})]


class Demand(StrEnum):
    """What an action demands of whoever asks for it."""

    NOTHING = "nothing"
    SESSION = "session"
    FRESH = "fresh"


class Face(StrEnum):
    """How an action is served."""

    PAGE = "page"
    JSON = "json"


class Shown(StrEnum):
    """Who sees an action in the menu of the pages."""

    NOBODY = "nobody"
    GUESTS = "guests"
    MEMBERS = "members"


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a login: complete, or in need of one of these methods."""

    status: str
    account: str | None = None
    needs: list[str] = []


@dataclass(frozen=True)
class Reply(Generic[T]):
    """What happened, as data for JSON and as a page for people.

    Args:
        data: A typed value: the body of the JSON answer, and ``reply`` in the template. ``None`` for no body.
        page: The template that shows it, without ``.html``; the action's own when it is missing.
        to: Where a browser goes instead: the full name of an action (``"devices.show"``) or a path.

    .. versionadded:: 0.2
    """

    data: T
    page: str | None = None
    to: str | None = None


@dataclass(frozen=True)
class Action:
    """One thing that a client can do, as declared by :func:`action`."""

    name: str
    method: str
    path: str
    function: Callable[..., Reply[Any]]
    page: str | None
    title: Text
    shown: Shown
    demands: Demand
    faces: frozenset[Face]
    status: int
    errors: tuple[type[AdmitError], ...]
    link: str | None
    link_field: str

    @property
    def summary(self) -> str:
        """What it does, in the first sentence of its docstring."""
        return (inspect.getdoc(self.function) or self.name).splitlines()[0]

    @property
    def input(self) -> type[msgspec.Struct] | None:
        """The type of its input, if it takes any."""
        found: type[msgspec.Struct] | None = get_type_hints(self.function, include_extras=True).get("form")
        return found

    @property
    def output(self) -> Any:
        """The type of the data of its reply."""
        return get_args(get_type_hints(self.function, include_extras=True)["return"])[0]

    @property
    def arguments(self) -> list[str]:
        """The names of the parts of its path that vary."""
        return _ARGUMENT.findall(self.path)


def action(  # noqa: PLR0913 -- what an action is made of
    method: str,
    path: str,
    *,
    title: str,
    page: str | None = None,
    shown: Shown = Shown.NOBODY,
    demands: Demand = Demand.NOTHING,
    faces: Iterable[Face] = (Face.PAGE, Face.JSON),
    status: int = 200,
    errors: Iterable[type[AdmitError]] = (),
    link: str | None = None,
    link_field: str = "token",
) -> Callable[[_Function], _Function]:
    """Declare a method of a feature to be an action.

    It is called with a :class:`Context`, with ``form`` (its typed input, a ``msgspec.Struct``, when it is annotated
    to take one) and with the parts of its path, and returns a :class:`Reply`.

    Args:
        method: The HTTP method. Pages send ``POST`` for whatever is not ``GET``.
        path: The path below the prefix, as Flask writes it: ``"/devices/<session_id>"``.
        title: What it is called, in menus and titles.
        page: The template that shows it, without ``.html``. For an action with input it is its form: it is shown
            for ``GET`` at the same path, and again with what was wrong.
        shown: Who sees it in the menu.
        demands: What it demands of whoever asks for it.
        faces: Whether it is served as a page, as JSON, or both.
        status: The status of the JSON answer when all went well.
        errors: What it raises besides what its demands and its input bring, for the description of the API.
        link: The path of the link, with ``<token>`` in it, that leads to the page of this action from a mail. The
            token waits in a cookie, so that the address of the page does not hold it.
        link_field: The field of the input that takes the token.

    .. versionadded:: 0.2
    """

    def declare(function: _Function) -> _Function:
        declared = Action(
            name=function.__name__,
            method=method,
            path=path,
            function=function,
            page=page,
            title=Text(title),
            shown=shown,
            demands=demands,
            faces=frozenset(faces),
            status=status,
            errors=tuple(errors),
            link=link,
            link_field=link_field,
        )
        function.__action__ = declared  # type: ignore[attr-defined]
        return function

    return declare


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(setting,))
class Feature(Settings):
    """A unit of behaviour. A subclass is made a frozen dataclass of its settings; see the module for the rest.

    .. versionadded:: 0.2
    """

    #: Its name: of its routes, of its credentials, of its keys in ``app.config``.
    name: ClassVar[str] = ""
    #: Whether whoever has a credential of this kind needs it to log in.
    second_factor: ClassVar[bool] = False
    #: The name of the action by which somebody proves once more who they are, if it offers that.
    proves: ClassVar[str | None] = None
    #: The name of the action by which somebody logs in, if it offers that.
    logs_in: ClassVar[str | None] = None
    #: Its actions that have a place below ``/.well-known/``, by that place.
    well_known: ClassVar[Mapping[str, str]] = {}
    #: Whether it sends mails, which takes a sender and an address of one's own to link to.
    sends_mail: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the subclass a frozen dataclass."""
        super().__init_subclass__(**options)
        cls.section = cls.name
        dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def actions(cls) -> list[Action]:
        """Return its actions, in the order of declaration, those of its bases first."""
        found: dict[str, Action] = {}
        for base in reversed(cls.__mro__):
            found.update((name, part.__action__) for name, part in vars(base).items() if hasattr(part, "__action__"))
        return list(found.values())

    def configured(self, mapping: Mapping[str, Any]) -> Self:
        """Return the feature with the settings that a mapping such as ``app.config`` holds."""
        given = {name: mapping[self.key(name)] for name in self._kinds() if self.key(name) in mapping}
        return replace(self, **given) if given else self

    @property
    def demands_verified(self) -> bool:
        """Whether accounts can be used only once their mail address is confirmed."""
        return False

    def missing(self, features: Mapping[str, Feature]) -> str | None:
        """Return what this feature lacks among the others to work, as a sentence that says what to add."""
        del features
        return None

    def welcome(self, ctx: Context, account: Account) -> bool:
        """Do what a new account needs of this feature; return whether its owner was sent a mail for it."""
        del ctx, account
        return False

    def pretend(self, ctx: Context) -> None:
        """Give the client what :meth:`welcome` gives, for a sign-up with an address that has an account already.

        Otherwise a cookie would tell what the answer does not.
        """
        del ctx

    def recover(self, ctx: Context, account: Account) -> str | None:
        """Return a link that lets the owner of an address regain the account, if this feature offers one.

        Args:
            ctx: The request, in which the person has just proven that the address is theirs.
            account: The account.
        """
        del ctx, account
        return None


@runtime_checkable
class SecretKeeper(Protocol):
    """A feature that keeps a secret that people choose: a password. Others ask for it, and never for its class."""

    def enroll(self, ctx: Context, account: Account, secret: str) -> Credential:
        """Return the credential that would keep a secret for an account; nothing is written.

        Args:
            ctx: The request.
            account: Whose secret it is to be.
            secret: What its owner has chosen.

        Raises:
            InvalidInput: It is not good enough; the message says why.
            Overloaded: Too many ask for that at once.
        """
        ...

    def replace(self, ctx: Context, account: Account, credential: Credential) -> None:
        """Make ``credential`` the one that counts, and whatever rested on the one before worthless."""
        ...


class Post(Protocol):
    """Sends a mail that a template describes."""

    def __call__(self, to: str, mail: str, values: Mapping[str, object]) -> None:
        """Send ``mail`` to an address.

        Args:
            to: The address, as its owner has typed it.
            mail: The name of the templates, without ``.txt`` and ``.html``.
            values: What the templates are given.
        """
        ...


@dataclass(kw_only=True)
class Context:
    """What an action is given: who asks, what there is to work with, and what is to become of the client.

    .. versionadded:: 0.2
    """

    gate: Gate
    accounts: AccountStore
    credentials: CredentialStore
    throttle: Throttle
    devices: KnownDevices
    features: Mapping[str, Feature]
    #: When the request came in.
    now: datetime
    client: Client
    #: The living session that the client holds, and the open account that it is about.
    session: Session | None
    account: Account | None
    #: Why the session that the client shows has ended, if that is known.
    ending: Ending | None = None
    #: What the device has shown to be known by.
    marks: tuple[str, ...] = ()
    #: The token of the half-done login that the client holds.
    pending_token: str | None = None
    #: What this browser was given to keep by ``keeps`` in an earlier answer, by name.
    kept: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The language of the answer.
    language: str = "en"
    #: What the site is called.
    site_name: str = ""
    post: Post
    #: Makes a full address of an action's name and the parts of its path.
    url: Callable[..., str]

    # What is to become of the client; the web side carries it out.
    admitted: Admitted | None = field(default=None, init=False)
    pending: Pending | None = field(default=None, init=False)
    mark: str | None = field(default=None, init=False)
    leaves: bool = field(default=False, init=False)
    #: What the browser is to keep, by name, for a day at most.
    keeps: dict[str, str] = field(default_factory=dict[str, str], init=False)

    # -- logging in --------------------------------------------------------------------------------

    def admit(self, subject: str, method: str, factors: frozenset[Factor], *, remember: bool = False) -> Reply[Signed]:
        """End a login: the client gets a session, or is told what is still missing.

        Raises:
            InvalidCredentials: The account is locked or closed.
        """
        become = self.gate.admit(
            subject,
            method,
            factors,
            pending=self._continued(subject),
            replacing=self.session,
            client=self.client,
            remember=remember,
        )
        if isinstance(become, Pending):
            self.pending = become
            return Reply(Signed(status="pending", needs=list(become.needs)), to=self._next_proof(become))
        self.admitted, self.pending_token = become, None
        if self.devices.recognize(self.marks, subject) is None:
            self.mark = self.devices.mark(subject)
        return Reply(Signed(status="signed_in", account=subject), to="next")

    def confirm(self, subject: str, method: str, factors: frozenset[Factor]) -> Reply[Signed]:
        """Make the session fresh: its owner has proven once more who they are.

        Raises:
            InvalidCredentials: The proof is somebody else's.
            SessionRequired: The session has ended meanwhile.
        """
        session = self.demand_session()
        if session.subject != subject:
            raise InvalidCredentials(reason="a proof of somebody else")
        become = self.gate.reauthenticate(session, method, factors, client=self.client)
        if become is None:
            raise SessionRequired(reason="ended meanwhile")
        self.admitted = become
        return Reply(Signed(status="signed_in", account=subject), to="next")

    def _continued(self, subject: str) -> str | None:
        """Return the half-done login if it is this person's; another's is left behind."""
        if self.pending_token is None:
            return None
        try:
            begun = self.gate.pending(self.pending_token)
        except InvalidChallenge:
            return None
        return self.pending_token if begun.subject == subject else None

    def _next_proof(self, pending: Pending) -> str | None:
        feature = self.features.get(pending.needs[0])
        return f"{feature.name}.{feature.proves}" if feature and feature.proves else None

    # -- demanding ---------------------------------------------------------------------------------

    def demand_session(self) -> Session:
        """Return the session of the client.

        Raises:
            SessionRequired: It has none.
        """
        if self.session is None or self.account is None:
            raise self._session_required()
        return self.session

    def _session_required(self) -> SessionRequired:
        return SessionRequired(code=f"session_{self.ending.reason}" if self.ending else None)

    def demand_account(self) -> Account:
        """Return the account of the client.

        Raises:
            SessionRequired: It has none.
        """
        if self.session is None or self.account is None:
            raise self._session_required()
        return self.account

    def demand_fresh(self, within: timedelta | None = None) -> Session:
        """Return the session of the client if its last authentication was a short time ago.

        Raises:
            SessionRequired: It has none.
            ReauthenticationRequired: It is not fresh.
        """
        session = self.demand_session()
        if not self.gate.is_fresh(session, within):
            raise ReauthenticationRequired
        return session

    def secret_keeper(self) -> SecretKeeper | None:
        """Return the feature that keeps passwords, if there is one."""
        return next((one for one in self.features.values() if isinstance(one, SecretKeeper)), None)

    # -- telling -----------------------------------------------------------------------------------

    def send(self, account: Account, mail: str, **values: object) -> None:
        """Send a mail to an account's address, if it has one and was not sent too many lately.

        The answer to the request must not tell whether it was sent.

        Args:
            account: Whose address it is; ``account`` in the templates.
            mail: The name of the templates, without ``.txt`` and ``.html``.
            values: What else the templates are given.
        """
        if account.email is not None and self.throttle.allows_mail(account.email.key):
            self.post(account.email.value, mail, {"account": account, **values})

    def publish(self, event: Event) -> None:
        """Tell those who have subscribed what happened."""
        self.gate.events.publish(event)
