"""What an action is given: who asks, what there is to work with, and what is to become of the client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import msgspec

from admit.action import Reply
from admit.errors import InvalidChallenge, InvalidCredentials, ReauthenticationRequired, SessionRequired
from admit.model import Account, Identifier, IdentifierKind, Pending
from admit.proofs import NotingAccounts, Proofs, noting_credentials
from admit.regaining import Regaining

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from admit.events import Event
    from admit.feature import Feature
    from admit.gate import Gate
    from admit.known_devices import KnownDevices
    from admit.model import Admitted, Client, Credential, Ending, Factor, Session
    from admit.store import AccountStore, CredentialStore, EventStore
    from admit.throttle import Throttle

__all__ = ["About", "Context", "Post", "SecretKeeper", "Signed"]


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a login: complete, or in need of one of these methods."""

    status: str
    account: str | None = None
    needs: list[str] = []


class About(NamedTuple):
    """The account that an email is for: what its owner is called in front of people, and its id."""

    name: str
    subject: str


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
        """Make ``credential`` count, and what rested on the one before worthless (:meth:`Context.end_logins`).

        Raises:
            InvalidCredentials: Somebody else has ended the logins of the account since this request has read it.
        """
        ...


class Post(Protocol):
    """Sends a mail that a template describes."""

    def __call__(self, to: str | None, mail: str, values: Mapping[str, object]) -> None:
        """Send ``mail`` to an address.

        Args:
            to: The address, as its owner has typed it; ``None`` to make the mail and send it to nobody.
            mail: The name of the templates below ``admit/``, without ``.txt`` and ``.html``.
            values: What the templates are given.
        """
        ...


@dataclass(kw_only=True)
class Context(Regaining):
    """What an action is given: who asks, what there is to work with, and what is to become of the client.

    .. versionadded:: 0.2
    """

    gate: Gate
    accounts: AccountStore
    credentials: CredentialStore
    events: EventStore | None
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

    #: What was noted of accounts as this request first read them.
    proofs: Proofs = field(init=False)
    #: The account whose link or code this request brings; others may be signed in here.
    about: About | None = field(default=None, init=False)
    # What is to become of the client; the web side carries it out.
    admitted: Admitted | None = field(default=None, init=False)
    pending: Pending | None = field(default=None, init=False)
    mark: str | None = field(default=None, init=False)
    leaves: bool = field(default=False, init=False)
    #: Whether the client can keep the mark of a known device. One that can't is known by where it is and what it says.
    keeps_marks: bool = field(default=True, init=False)
    #: What the browser is to keep, by name, for a day at most.
    keeps: dict[str, str] = field(default_factory=dict[str, str], init=False)

    def __post_init__(self) -> None:
        """Note from now on what is read of accounts, and with it what every proof of this request rests on."""
        self.proofs = Proofs(self.accounts, self.credentials)
        self.proofs.note(self.account)
        self.accounts = NotingAccounts(self.accounts, self.proofs)
        self.credentials = noting_credentials(self.credentials, self.proofs)
        self.gate = self.gate.noting(self.proofs)

    # -- logging in --------------------------------------------------------------------------------

    def admit(self, subject: str, method: str, factors: frozenset[Factor], *, remember: bool = False) -> Reply[Signed]:
        """End a login: the client gets a session, or is told what is still missing.

        Raises:
            AdmitError: The account is locked or closed, or its address is yet to be confirmed.
        """
        become = self.gate.admit(
            subject,
            method,
            factors,
            pending=self._continued(subject),
            replacing=self.session,
            client=self.client,
            remember=remember,
            of_account=True,
            waits=True,
        )
        if isinstance(become, Pending):
            self.pending = become
            return Reply(Signed(status="pending", needs=list(become.needs)), to=self._next_proof(become))
        self.admitted, self.pending_token = become, None
        for feature in self.features.values():
            feature.let_in(self, become)
        place = None if self.keeps_marks else self.client
        if not self.devices.knows(subject, self.marks, place):
            for feature in self.features.values():
                feature.meet(self, become.session)
            self.mark = self.devices.remember(subject, place)
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
        try:
            begun = self.gate.pending(self.pending_token) if self.pending_token is not None else None
        except InvalidChallenge:
            return None
        return self.pending_token if begun is not None and begun.subject == subject else None

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
            raise ReauthenticationRequired(within=self.gate.settings.fresh_within if within is None else within)
        return session

    def secret_keeper(self) -> SecretKeeper | None:
        """Return the feature that keeps passwords, if there is one."""
        return next((one for one in self.features.values() if isinstance(one, SecretKeeper)), None)

    # -- telling -----------------------------------------------------------------------------------

    def send(
        self, account: Account, mail: str, *, link: Callable[[Account], str] | None = None, **values: object
    ) -> None:
        """Send a mail that anybody can ask for, if the account has an address and was not sent too many lately.

        Neither the answer to the request nor its time tells whether it was sent: for who is :meth:`nobody` the mail is
        made all the same. What an owner has to hear is sent by ``post`` and never counted.

        Args:
            account: Whose address it is; ``account`` in the templates.
            mail: The name of the templates, below ``admit/``. Their folder says what the mail is for; each purpose is
                counted apart.
            link: Makes the link for an account, and the ones before it worthless; ``url`` in the templates.
            values: What else the templates are given.
        """
        if account.email is None:
            return
        purpose, key = mail.partition("/")[0], account.email.key
        device = self.devices.recognize(self.marks, account.id)
        if not self.throttle.allows_mail(key, purpose=purpose, client=self.client, device=device):
            # A mail that is not sent must not void the one before, or strangers could void them all.
            account = self.nobody(key)
        made = {} if link is None else {"url": link(account)}
        to = account.email.value if account.id and account.email else None
        self.post(to, mail, {"account": account, **made, **values})

    def nobody(self, name: str) -> Account:
        """Return an account that stands for one that is not there, so that as much is done for it as for any.

        Args:
            name: The canonical form of the name that somebody typed.
        """
        address = Identifier(IdentifierKind.EMAIL, "nobody@example.org", name)
        return Account(id="", identifiers=(address,), created_at=self.now)

    def publish(self, event: Event) -> None:
        """Tell those who have subscribed what happened."""
        self.gate.events.publish(event)
