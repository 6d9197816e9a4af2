"""Accounts in an application: its features, and what each request gives to their actions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from admit.adopting import Adopting
from admit.errors import ConfigurationError
from admit.feature import Context, way_in
from admit.flask.clients import client
from admit.flask.context import request_globals, the_request
from admit.flask.cookies import DEVICES, PENDING, KeptCookie
from admit.flask.headers import header
from admit.flask.languages import best_language
from admit.flask.outages import store_trouble
from admit.flask.standing import is_active_user
from admit.known_devices import KnownDevices
from admit.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from admit.errors import AdmitError
    from admit.feature import Action, Feature
    from admit.flask.mailing import Mailing
    from admit.flask.settings import AccountSettings
    from admit.flask.stored_login import StoredLogin
    from admit.model import Account
    from admit.store import AccountStore, CounterStore, CredentialStore, Stores
    from admit.throttle import ThrottleSettings

__all__ = ["PENDING_HEADER", "Accounts", "Bound", "by_name", "kept_cookie", "remember_device"]

#: The header in which a client without cookies gets the token of a half-done login, and sends it.
PENDING_HEADER = "Admit-Pending"

#: What stands in front of the marks of several accounts in one cookie.
_PARTED = "~"
_MOST_MARKS = 4


class Bound(NamedTuple):
    """An action of one feature of this application."""

    feature: Feature
    action: Action

    @property
    def name(self) -> str:
        """Its full name, such as ``devices.show``."""
        return f"{self.feature.name}.{self.action.name}"


class Accounts:
    """What :class:`admit.flask.LoginManager` has besides, where there are features.

    Args:
        keeper: Who keeps the logins.
        stores: What keeps what.
        features: The features, by name, with their settings.
        settings: Where their pages are.
        mailing: Who sends the mails.
        throttle: How many tries are looked at.
        clock: Returns the present time, aware and UTC.
    """

    def __init__(  # noqa: PLR0913 -- what accounts are made of
        self,
        keeper: StoredLogin,
        stores: Stores,
        features: Mapping[str, Feature],
        settings: AccountSettings,
        mailing: Mailing,
        *,
        throttle: ThrottleSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self.keeper = keeper
        self.stores = stores
        accounts, credentials, counters = _whole(stores)
        self.store: AccountStore = accounts
        self.credentials: CredentialStore = credentials
        # Asked once: at each request this would cost more than reading the session does.
        self.adopting: Adopting | None = accounts if isinstance(accounts, Adopting) else None
        self.features = features
        #: What accounts are named by here: "email", "username" or both.
        self.names: tuple[str, ...] = _names(accounts, features)
        self._without_email = {name: one for name, one in features.items() if not one.needs_email}
        self.settings = settings
        self.mailing = mailing
        self.throttle: Throttle = Throttle(counters, throttle, clock=clock, events=keeper.gate.events)
        self.devices: KnownDevices = KnownDevices(self.credentials, clock)
        self.now: Callable[[], datetime] = clock
        #: Who is told of each refusal: spans, if there are any.
        self.tell_refusal: Callable[[AdmitError], object] = _nothing

    def actions(self) -> list[Bound]:
        """Return every action of every feature."""
        return _bound(self.features)

    def offered(self, account: Account | None = None) -> Mapping[str, Feature]:
        """Return the features that can work: without an email address, no email reaches anybody.

        Args:
            account: For whom; without it, for accounts as people make them here.
        """
        has_email = "email" in self.names or (account is not None and account.email is not None)
        return self.features if has_email else self._without_email

    def offered_actions(self, account: Account | None = None) -> list[Bound]:
        """Return the actions of the features that can work for an account, or for accounts as people make them here."""
        return _bound(self.offered(account))

    def way_in(self) -> str | None:
        """Return the full name of the action by which people sign in, if one is offered."""
        return way_in(self.offered()) or way_in(self.features)

    def account(self) -> Account | None:
        """Return the open account that the session of this request is about, asking the store once."""
        held, request = request_globals(), the_request()
        noted: tuple[Any, Account | None] | None = held.get("_admit_account")
        if noted is None or noted[0] is not request:
            session = self.keeper.stay().session
            with store_trouble():
                found = None if session is None else self.store.get_account(session.subject)
            noted = held["_admit_account"] = request, found if found is not None and found.is_open else None
        return noted[1]

    def context(self) -> Context:
        """Return what an action is given in this request."""
        account = self.account()
        with store_trouble():
            account = account if account is None or is_active_user(self.keeper, account.id) else None
        request, stay = the_request(), self.keeper.stay()
        language = best_language(request)
        # Without cookies nothing of what a browser keeps counts: a script may ask for a token, but can't read cookies.
        cookie = self.keeper.cookie if stay.carrier == "cookie" else None
        found = Context(
            gate=self.keeper.gate,
            accounts=self.store,
            credentials=self.credentials,
            events=self.stores.events,
            throttle=self.throttle,
            devices=self.devices,
            features=self.features,
            now=self.now(),
            client=client(),
            session=stay.session if account else None,
            account=account,
            ending=self.keeper.ending(),
            marks=() if cookie is None else _marks(DEVICES.read(cookie) or ""),
            pending_token=header(request, PENDING_HEADER) or (None if cookie is None else PENDING.read(cookie)),
            kept={} if cookie is None else _Kept(partial(_read_kept, cookie)),
            language=language,
            site_name=self.mailing.site_name,
            post=partial(self.mailing.post, language),
            url=self.mailing.url,
        )
        found.keeps_marks = cookie is not None
        return found


def remember_device(marks: Iterable[str], mark: str) -> str:
    """Return the value of the cookie with the marks of a device, with one mark more."""
    return _PARTED.join([mark, *filter(None, marks)][:_MOST_MARKS])


def by_name(features: Iterable[Feature], config: Mapping[str, Any]) -> dict[str, Feature]:
    """Return the features by name, with the settings that the configuration has for them.

    Raises:
        ConfigurationError: Two have one name, or one has none.
    """
    found: dict[str, Feature] = {}
    for feature in features:
        name = feature.name
        if not name.isidentifier() or name in found:
            message = f"{type(feature).__name__} has the name {name!r}. Give each feature an identifier of its own."
            raise ConfigurationError(message)
        found[name] = feature.configured(config)
    return found


def kept_cookie(name: str) -> KeptCookie:
    """Return the cookie in which a browser keeps what a feature gave it under this name."""
    return KeptCookie(f"kept-{name}")


class _Kept(dict[str, str]):
    """What the browser keeps, read when it is asked for."""

    def __init__(self, read: Callable[[str], str | None]) -> None:
        super().__init__()
        self._read = read

    def get(self, name: str, default: Any = None) -> Any:
        """Return what is kept under this name."""
        found = self._read(name)
        return default if found is None else found


def _marks(kept: str) -> tuple[str, ...]:
    return tuple(kept.split(_PARTED, _MOST_MARKS)[:_MOST_MARKS])


def _nothing(_problem: AdmitError) -> None:
    pass


def _read_kept(settings: Any, name: str) -> str | None:
    return kept_cookie(name).read(settings)


def _bound(features: Mapping[str, Feature]) -> list[Bound]:
    return [Bound(feature, action) for feature in features.values() for action in feature.actions()]


def _names(store: AccountStore, features: Mapping[str, Feature]) -> tuple[str, ...]:
    """Return what accounts are named by: what an application's own table has, or else what people sign up with."""
    of_table: tuple[str, ...] = getattr(store, "account_names", ())
    of_features = tuple(name for feature in features.values() for name in feature.account_names)
    return of_table or of_features or ("email", "username")


def _whole(stores: Stores) -> tuple[AccountStore, CredentialStore, CounterStore]:
    if stores.accounts is None or stores.credentials is None or stores.counters is None or stores.challenges is None:
        message = (
            "This store keeps no accounts. Give one that does, such as sqlite:///app.db, or two: "
            'store=("postgresql+psycopg://…", "redis://…").'
        )
        raise ConfigurationError(message)
    return stores.accounts, stores.credentials, stores.counters
