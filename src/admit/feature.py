"""What a feature is: settings, and actions that are served as a page and as JSON from one declaration.

A feature touches nothing else. It is a frozen dataclass whose fields are its settings, and its actions are methods
marked by :func:`action`. To end a login it calls :meth:`Context.admit`; to send something out that may come back
once, ``challenge()`` of ``Context.gate``; to be a second factor it keeps a credential of its own kind and says
``second_factor = True``.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from admit.action import Action, Demand, Face, Reply, Secret, Shown, Token, action
from admit.adopting import known_time
from admit.context import About, Context, Post, SecretKeeper, Signed
from admit.settings import Settings, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta

    from admit.events import Events
    from admit.findings import Finding
    from admit.model import Account, Admitted, Client, Session
    from admit.sign_ups import SignUp
    from admit.store import Stores

__all__ = [
    "About",
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
    "can_regain",
    "way_in",
]


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
    #: Whether it sends nothing to an address that nobody has confirmed.
    mails_confirmed_only: ClassVar[bool] = False
    #: Whether it works only for accounts with an email address. Where accounts have none, it is not offered.
    needs_email: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the subclass a frozen dataclass."""
        super().__init_subclass__(**options)
        setattr(cls, "section", cls.name)  # noqa: B010 -- an assignment would declare it anew, without its type
        dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def actions(cls) -> list[Action]:
        """Return its actions, in the order of declaration, those of its bases first."""
        return list(cls._actions())

    @classmethod
    @cache
    def _actions(cls) -> tuple[Action, ...]:
        # An application asks often at its start.
        found: dict[str, Action] = {}
        for base in reversed(cls.__mro__):
            found.update((name, part.__action__) for name, part in vars(base).items() if hasattr(part, "__action__"))
        return tuple(found.values())

    def configured(self, mapping: Mapping[str, Any]) -> Self:
        """Return the feature with the settings that a mapping such as ``app.config`` holds."""
        given = {name: mapping[self.key(name)] for name in self._kinds() if self.key(name) in mapping}
        # A copy in any case: a feature that two applications share must keep nothing of the one for the other.
        return replace(self, **given) if given else copy(self)

    @property
    def demands_verified(self) -> bool:
        """Whether accounts can be used only once their mail address is confirmed."""
        return False

    @property
    def account_names(self) -> tuple[str, ...]:
        """What the accounts that this feature makes are named by: ``"email"``, ``"username"``, or both."""
        return ()

    @property
    def reopens_within(self) -> timedelta | None:
        """How long a login opens a closed account again, if this feature lets people close theirs."""
        return None

    def missing(self, features: Mapping[str, Feature]) -> str | None:
        """Return what this feature lacks among the others to work, as a sentence that says what to add."""
        del features
        return None

    def watch(self, events: Events, stores: Stores, present: Callable[[], Client | None]) -> None:
        """Subscribe to what this feature wants to hear of; called once, before the first request.

        Args:
            events: Where to subscribe.
            stores: What keeps what.
            present: Returns what is known of the client whose request is answered just then, if there is one.

        Raises:
            ConfigurationError: The stores don't keep what this feature needs.
        """
        del events, stores, present

    def purge(self, stores: Stores, *, now: datetime, batch: int) -> int:
        """Remove at most ``batch`` things that this feature keeps no longer; return how many were removed."""
        del stores, now, batch
        return 0

    def examine(self, features: Mapping[str, Feature]) -> Iterable[Finding]:
        """Tell of settings that are weak or don't go together; asked by ``admit doctor`` only, so it may take a second.

        Args:
            features: All features of the application, by name.
        """
        del features
        return ()

    def welcome(self, ctx: Context, account: Account) -> bool:
        """Do what a new account needs of this feature; return whether its owner was sent a mail for it."""
        del ctx, account
        return False

    def pretend(self, ctx: Context) -> None:
        """Give the client what :meth:`welcome` gives, for a sign-up with an address that has an account already.

        Otherwise a cookie would tell what the answer does not.
        """
        del ctx

    def hold(self, ctx: Context, sign_up: SignUp) -> bool:
        """Keep a sign-up with a mail address until that is confirmed; ``False`` if this feature does not do that.

        Args:
            ctx: The request.
            sign_up: What somebody has signed up with; there is no account yet.
        """
        del ctx, sign_up
        return False

    def turn_away(self, ctx: Context, owner: Account, *, is_mailed: bool) -> bool:
        """Tell the owner of an address that somebody has signed up with it; ``False`` if this feature does not do that.

        Args:
            ctx: The request, which must not tell that there is an account.
            owner: The account.
            is_mailed: Whether a mail may be sent; otherwise it is made and sent to nobody.
        """
        del ctx, owner, is_mailed
        return False

    def confirmation(self, ctx: Context, account: Account) -> str | None:
        """Return a link by which the owner of an account's mail address can confirm it, if this feature offers one.

        Args:
            ctx: The request, of whoever asked for the mail.
            account: The account, or :meth:`Context.nobody`, for whom as much is done.
        """
        del ctx, account
        return None

    def recover(self, ctx: Context, account: Account) -> str | None:
        """Return a link that lets the owner of an address regain the account, if this feature offers one.

        Args:
            ctx: The request, in which the person has just proven that the address is theirs.
            account: The account.
        """
        del ctx, account
        return None

    def let_in(self, ctx: Context, admitted: Admitted) -> None:
        """Do what a login needs of this feature once its session has begun.

        Args:
            ctx: The request.
            admitted: The login, and whether it has opened a closed account again.
        """
        del ctx, admitted

    def export(self, ctx: Context, account: Account) -> Any:
        """Return what this feature holds of an account, for its owner to take away, or ``None`` for nothing.

        Never a secret nor a hash: the file lies in a folder of downloads. As it is here, when each credential of this
        kind was made and last used.

        Args:
            ctx: The request.
            account: Whose it is.
        """
        mine = [one for one in ctx.credentials.list_credentials(account.id) if one.kind == self.name]
        return [{"created_at": known_time(one.created_at), "used_at": one.used_at} for one in mine] or None

    def erase(self, stores: Stores, account: Account) -> None:
        """Erase what this feature keeps of an account; its sessions, credentials and challenges are gone already.

        It may be called again, if it was interrupted.

        Args:
            stores: What keeps what.
            account: Which account is erased, as it was.
        """
        del stores, account

    def meet(self, ctx: Context, session: Session) -> None:
        """Do what a login on a device that is not known to be its owner's needs of this feature.

        It is known from now on, and not yet among the known ones.

        Args:
            ctx: The request.
            session: The session that has begun there.
        """
        del ctx, session


def way_in(features: Mapping[str, Feature]) -> str | None:
    """Return the full name of the action by which people log in, or ``None`` if none is offered.

    Where a feature keeps secrets that people choose it is that one's, because most will look for that; otherwise it is
    the first.

    Args:
        features: The features by name.

    .. versionadded:: 0.2
    """
    offered = [one for one in features.values() if one.logs_in]
    offered.sort(key=lambda one: not isinstance(one, SecretKeeper))
    return f"{offered[0].name}.{offered[0].logs_in}" if offered else None


def can_regain(features: Mapping[str, Feature]) -> bool:
    """Tell whether whoever has lost a password can choose another: by a feature, or because there are none.

    Args:
        features: The features by name.

    .. versionadded:: 0.2
    """
    keeps = any(isinstance(one, SecretKeeper) for one in features.values())
    return not keeps or any(type(one).recover is not Feature.recover for one in features.values())
