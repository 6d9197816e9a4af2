"""The gate: sessions begin, go on, are replaced and end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit import tokens
from admit.events import Event, Events, LoggedIn, Reauthenticated, SecretRotated, SessionEnded, SessionStolen
from admit.gate import Gate
from admit.model import Client, Ending, EndReason, Factor, Session
from admit.settings import SessionSettings
from admit.stores.memory import MemoryStore
from admit.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)


class Watched(MemoryStore):
    """A store in memory that counts how often it is asked, and can be told to let others be first."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.before_swap: list[Callable[[], Any]] = []

    def get_session(self, session_id: str) -> Session | None:
        """Count, and answer."""
        self.asked += 1
        return super().get_session(session_id)

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Let somebody else act first, then do what was asked."""
        if self.before_swap:
            self.before_swap.pop(0)()
        return super().replace_secret(old, new)


class Site:
    """A gate with a clock that stands still and a record of what it published."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.store = Watched()
        self.heard: list[Event] = []
        events = Events()
        events.subscribe(Event, self.heard.append)
        self.gate = Gate(self.store, SessionSettings(**settings), clock=self.clock, events=events)

    def login(self, subject: str = "ada", **options: Any) -> str:
        """Begin a session and return its token."""
        return self.gate.admit(subject, "password", frozenset({Factor.KNOW}), **options).token

    def session(self, token: str) -> Session | None:
        """Return the session that a token opens."""
        return self.gate.resume(token).session

    def ended(self, token: str) -> EndReason | None:
        """Return why a token opens nothing."""
        ending = self.gate.resume(token).ending
        return ending.reason if ending else None

    def rotated(self, token: str) -> str:
        """Let an hour pass and return the successor that the client is sent."""
        self.clock.advance(HOUR)
        successor = self.gate.resume(token).token
        assert successor is not None
        return successor


@pytest.fixture
def site() -> Site:
    """Return a site with the default settings."""
    return Site()


def test_a_login_opens_a_session(site: Site) -> None:
    """A new session is the subject's, fresh, and opened by its token; the store holds no secret."""
    client = Client("127.0.0.1", "a browser")
    admitted = site.gate.admit("ada", "password", frozenset({Factor.KNOW}), client=client)
    session = site.session(admitted.token)
    assert session == admitted.session
    assert (session.subject, session.client, session.remembered) == ("ada", client, False)
    assert site.gate.is_fresh(session)
    secret = admitted.token.split(".")[1]
    assert secret not in repr(site.store._sessions)
    assert secret not in repr(admitted)
    assert secret not in repr(site.heard)
    [event] = site.heard
    assert event == LoggedIn(at=site.clock(), subject="ada", session_id=session.id, method="password", client=client)


def test_garbage_never_reaches_the_store(site: Site) -> None:
    """What can't be a token is refused without asking the store (attack 18)."""
    for junk in ("", ".", "x" * 79, "a.b", "é" * 79, "\x00", "1|" + "0" * 128, "A" * 22 + "." + "A" * 55):
        assert site.gate.resume(junk).session is None
    assert site.store.asked == 0


def test_a_guess_ends_nothing(site: Site) -> None:
    """A secret that was never issued is refused, and the session of that id lives on."""
    token = site.login()
    guess = f"{token.split('.', maxsplit=1)[0]}.{'A' * 56}"
    assert site.gate.resume(guess) == site.gate.resume(f"{tokens.new_id()}.{'A' * 56}")
    assert site.session(token) is not None


@pytest.mark.parametrize(
    ("options", "idle", "absolute"),
    [
        ({}, timedelta(days=1), timedelta(days=7)),
        ({"remember": True}, timedelta(days=30), timedelta(days=180)),
        ({"remember": True, "duration": timedelta(days=365)}, timedelta(days=365), timedelta(days=365)),
        ({"duration": timedelta(days=365)}, timedelta(days=1), timedelta(days=7)),
    ],
)
def test_both_times_are_enforced(options: dict[str, Any], idle: timedelta, absolute: timedelta) -> None:
    """A session ends when it was not used for a while, and at its fixed time however much it is used."""
    site = Site(rotate_every=None)
    unused, used = site.login(**options), site.login(**options)
    site.clock.advance(idle - timedelta(seconds=1))
    session = site.session(used)
    assert session is not None
    site.gate.touch(session)
    site.clock.advance(timedelta(seconds=1))
    assert site.ended(unused) in {EndReason.IDLE, EndReason.ABSOLUTE}
    while site.clock() < session.created_at + absolute:
        session = site.session(used)
        assert session is not None
        site.gate.touch(session)
        site.clock.advance(min(idle, timedelta(days=20)) / 2)
    assert site.ended(used) is EndReason.ABSOLUTE
    assert site.gate.why(session.id) == Ending(EndReason.ABSOLUTE, session.ends_at)


def test_no_limit_is_a_long_time() -> None:
    """A time that is off never ends a session; the other one does."""
    site = Site(idle=None, remembered_absolute=None, rotate_every=None)
    browser, remembered = site.login(), site.login(remember=True)
    site.clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert site.session(browser) is not None
    site.clock.advance(timedelta(days=29))
    assert site.ended(browser) is EndReason.ABSOLUTE
    assert site.ended(remembered) is EndReason.IDLE


def test_touched_at_most_once_a_minute(site: Site) -> None:
    """The use of a session is noted, but not at each request."""
    token = site.login()
    session = site.session(token)
    assert session is not None
    site.clock.advance(timedelta(seconds=59))
    assert not site.gate.needs_touch(session)
    site.clock.advance(timedelta(seconds=1))
    assert site.gate.needs_touch(session)
    site.gate.touch(session)
    touched = site.session(token)
    assert touched is not None
    assert touched.seen_at == site.clock()


def test_a_login_replaces_the_session_that_was_held(site: Site) -> None:
    """The session that the client held ends, whoever it was about: no fixation (attacks 1 to 4)."""
    planted = site.login("mallory")
    token = site.login("ada", replacing=site.session(planted))
    assert site.ended(planted) is EndReason.REPLACED
    session = site.session(token)
    assert session is not None
    assert session.subject == "ada"
    assert [type(event) for event in site.heard] == [LoggedIn, SessionEnded, LoggedIn]


def test_a_login_beside_a_revocation_begins_all_the_same(site: Site) -> None:
    """Right credentials open a session even if the old one has ended in between."""
    held = site.session(site.login())
    assert held is not None
    site.gate.revoke(held.id)
    assert site.session(site.login(replacing=held)) is not None


def test_reauthentication_replaces(site: Site) -> None:
    """Proving once more gives a fresh session with one proof more; both of its times begin anew."""
    token = site.login()
    site.clock.advance(timedelta(minutes=21))
    stale = site.session(token)
    assert stale is not None
    assert not site.gate.is_fresh(stale)
    assert site.gate.is_fresh(stale, HOUR)
    admitted = site.gate.reauthenticate(stale, "totp", frozenset({Factor.HAVE}))
    assert admitted is not None
    fresh = site.session(admitted.token)
    assert fresh == replace(admitted.session, confirmed_at=site.clock())
    assert site.gate.is_fresh(fresh)
    assert [proof.method for proof in fresh.authentications] == ["password", "totp"]
    assert fresh.ends_at == site.clock() + timedelta(days=7)
    assert (fresh.created_at, fresh.client) == (site.clock(), stale.client)
    assert site.ended(token) is EndReason.REPLACED
    assert site.heard[-1] == Reauthenticated(
        at=site.clock(), subject="ada", session_id=fresh.id, method="totp", replaced_id=stale.id
    )


def test_reauthentication_brings_nothing_back(site: Site) -> None:
    """A session that was ended in between can't be proven back to life."""
    session = site.session(site.login())
    assert session is not None
    site.gate.revoke(session.id, by="admin")
    assert site.gate.reauthenticate(session, "password") is None
    assert site.gate.sessions_of("ada") == []


def test_not_fresh(site: Site) -> None:
    """A login that rests on no proof of now is not fresh (attack 35)."""
    session = site.session(site.login(fresh=False))
    assert session is not None
    assert not site.gate.is_fresh(session)


def test_the_cap_ends_the_oldest() -> None:
    """With one session more than a user may have, the oldest ends, never the new one."""
    site = Site(max_per_user=2)
    tokens_ = []
    for _ in range(4):
        tokens_.append(site.login())
        site.clock.advance(timedelta(minutes=1))
    other = site.login("grace")
    assert [site.ended(token) for token in tokens_] == [EndReason.CAP, EndReason.CAP, None, None]
    assert site.session(other) is not None


def test_revoking(site: Site) -> None:
    """A revoked session is out at once, says who ended it, and can't be ended twice."""
    token = site.login()
    session = site.session(token)
    assert session is not None
    assert site.gate.why(session.id) is None
    assert site.gate.revoke(session.id, by="admin:7")
    assert not site.gate.revoke(session.id)
    resumed = site.gate.resume(token)
    assert resumed.session is None
    assert resumed.ending == Ending(EndReason.REVOKED, site.clock(), "admin:7") == site.gate.why(session.id)
    assert site.gate.why("unknown") is None


def test_revoking_all_but_one(site: Site) -> None:
    """All sessions of a subject end but the one to keep; each end is published."""
    kept, *ended = (site.login() for _ in range(3))
    site.login("grace")
    keep = site.session(kept)
    assert keep is not None
    site.heard.clear()
    assert site.gate.revoke_all("ada", keep=keep.id, by="ada") == 2
    assert [site.ended(token) for token in ended] == [EndReason.REVOKED] * 2
    assert site.session(kept) == keep
    assert len(site.gate.sessions_of("grace")) == 1
    assert [type(event) for event in site.heard] == [SessionEnded] * 2


def test_only_living_sessions_are_listed(site: Site) -> None:
    """A session whose time is over is not listed, nor does anybody hear that it lives."""
    site.login()
    site.clock.advance(timedelta(days=2))
    token = site.login()
    assert [session.id for session in site.gate.sessions_of("ada")] == [token.split(".")[0]]


def test_purging(site: Site) -> None:
    """What is over goes, in batches; what lives stays."""
    for _ in range(3):
        site.login()
    site.clock.advance(timedelta(days=2))
    token = site.login()
    assert [site.gate.purge(batch=2) for _ in range(3)] == [2, 1, 0]
    assert site.session(token) is not None


# -- rotation -------------------------------------------------------------------------------------


def test_a_session_in_use_gets_a_new_secret(site: Site) -> None:
    """After an hour of use the client is sent a new token for the same session."""
    token = site.login()
    successor = site.rotated(token)
    assert successor.split(".")[0] == token.split(".")[0]
    assert successor != token
    assert isinstance(site.heard[-1], SecretRotated)
    resumed = site.gate.resume(successor)
    assert resumed.session is not None
    assert resumed.token is None


def test_a_lost_response_logs_nobody_out(site: Site) -> None:
    """A client that never got the new token goes on with the old one, and is sent the same again."""
    token = site.login()
    successor = site.rotated(token)
    for _ in range(5):
        site.clock.advance(timedelta(hours=3))
        assert site.gate.resume(token).token == successor
    assert site.gate.resume(successor).session is not None


def test_requests_on_their_way_have_a_moment(site: Site) -> None:
    """After the new token was used the old one is accepted for a grace, and gets the new one again."""
    token = site.login()
    successor = site.rotated(token)
    assert site.session(successor) is not None
    site.clock.advance(timedelta(seconds=30))
    assert site.gate.resume(token).token == successor


def test_a_predecessor_is_served_for_two_minutes(site: Site) -> None:
    """Two minutes after a rotation the old secret still gets the new one; after that it opens nothing, alone."""
    token = site.login()
    successor = site.rotated(token)
    assert site.session(successor) is not None
    site.clock.advance(timedelta(minutes=2))
    assert site.gate.resume(token).token == successor
    site.clock.advance(timedelta(microseconds=1))
    for _ in range(3):
        refused = site.gate.resume(token)
        assert (refused.session, refused.token, refused.ending) == (None, None, None)
        assert refused.outdated == site.session(successor)
    assert not [event for event in site.heard if isinstance(event, SessionStolen)]


@pytest.mark.parametrize("seconds", [35, 38, 60, 119], ids=str)
def test_a_request_that_is_long_under_way_is_nobodys_theft(site: Site, seconds: int) -> None:
    """A slow upload, a proxy's second try and a process that was stopped are served, and the session lives on."""
    token = site.login()
    successor = site.rotated(token)
    assert site.session(successor) is not None
    site.clock.advance(timedelta(seconds=seconds))
    assert site.gate.resume(token).token == successor
    assert site.session(successor) is not None


@pytest.mark.parametrize("late", [timedelta(minutes=3), timedelta(hours=9)], ids=str)
def test_a_request_that_began_before_the_rotation_is_served(site: Site, late: timedelta) -> None:
    """However long a request takes, its secret is judged as of when it began; it gets the present secret."""
    token, began = site.login(), site.clock()
    successor = site.rotated(token)
    assert site.session(successor) is not None
    site.clock.advance(late)
    assert site.gate.resume(token, began=began).token == successor


def test_a_request_that_was_overtaken_by_two_rotations_accuses_nobody(site: Site) -> None:
    """A request that began before the last rotation may bring the secret before the last: it opens nothing, alone."""
    token = site.login()
    second = site.rotated(token)
    assert site.session(second) is not None
    began = site.clock()
    third = site.rotated(second)
    assert site.session(third) is not None
    refused = site.gate.resume(token, began=began)
    assert (refused.session, refused.ending) == (None, None)
    assert site.session(third) is not None


def test_a_secret_before_the_last_is_theft(site: Site) -> None:
    """Whoever presents a secret that was superseded by two ends the session for all (attack 31)."""
    token = site.login()
    second = site.rotated(token)
    assert site.session(second) is not None
    third = site.rotated(second)
    assert site.session(third) is not None
    site.clock.advance(timedelta(seconds=1))
    assert site.ended(token) is EndReason.STOLEN
    assert site.ended(third) is EndReason.STOLEN
    assert isinstance(site.heard[-1], SessionStolen)


def test_a_thief_who_rotates_first_is_caught_by_the_owner(site: Site) -> None:
    """When a thief has used the successor, the owner's secret opens nothing; after one more rotation it is an alarm."""
    owners = site.login()
    thiefs = site.rotated(owners)
    assert site.session(thiefs) is not None
    site.clock.advance(timedelta(minutes=5))
    assert site.gate.resume(owners).session is None
    thiefs = site.rotated(thiefs)
    assert site.session(thiefs) is not None
    site.clock.advance(timedelta(seconds=1))
    assert site.ended(owners) is EndReason.STOLEN
    assert site.session(thiefs) is None


@pytest.mark.parametrize("generations", [2, 3, 10])
def test_any_old_secret_is_recognized(site: Site, generations: int) -> None:
    """A secret stolen many rotations ago is caught as surely as the last one."""
    first = token = site.login()
    for _ in range(generations):
        token = site.rotated(token)
        assert site.session(token) is not None
    assert site.ended(first) is EndReason.STOLEN
    assert site.session(token) is None


def test_parallel_requests_get_one_successor(site: Site) -> None:
    """Of two requests that would rotate at once one does, and both clients hear the same token."""
    token = site.login()
    site.clock.advance(HOUR)
    theirs: list[str | None] = []
    site.store.before_swap = [lambda: theirs.append(site.gate.resume(token).token)]
    assert site.gate.resume(token).token == theirs[0] is not None


def test_parallel_first_uses(site: Site) -> None:
    """Of two requests that first use a new secret at once, both go on."""
    successor = site.rotated(site.login())
    site.store.before_swap = [lambda: site.gate.resume(successor)]
    assert site.gate.resume(successor).session is not None


def test_others_may_always_be_first(site: Site) -> None:
    """However often others change a session in between, a right secret is accepted in the end."""
    token = site.login()
    session = site.session(token)
    assert session is not None
    site.clock.advance(HOUR)

    def interfere() -> None:
        current = site.store._sessions[session.id]
        confirmed_at = (current.confirmed_at or session.created_at) + timedelta(microseconds=1)
        site.store._sessions[session.id] = Session(
            **{name: getattr(current, name) for name in current.__slots__ if name != "confirmed_at"},
            confirmed_at=confirmed_at,
        )

    site.store.before_swap = [interfere] * 30
    assert site.gate.resume(token).session is not None


def test_a_cache_is_never_the_reason_to_refuse() -> None:
    """A token that a cache does not know, or thinks is over, is looked up in the store itself."""

    class Cached(MemoryStore):
        stale: Session | None = None
        forgotten = 0

        def get_session(self, session_id: str) -> Session | None:
            return self.stale or super().get_session(session_id)

        def forget(self, session_id: str) -> None:
            assert session_id
            self.stale, self.forgotten = None, self.forgotten + 1

    clock, store = Clock(), Cached()
    gate = Gate(store, clock=clock)
    admitted = gate.admit("ada", "password")
    clock.advance(HOUR)
    successor = gate.resume(admitted.token).token
    assert successor is not None
    store.stale = admitted.session
    assert gate.resume(successor).session is not None
    assert store.forgotten > 0
    assert gate.resume(successor).token is None


def test_who_was_second_published_nothing(site: Site) -> None:
    """A session that another ends in between was not ended by this call, which then publishes nothing."""
    session = site.session(site.login())
    assert session is not None

    def get_session(_: str) -> Session:
        site.store.delete_session(session.id, ending=Ending(EndReason.LOGOUT, site.clock()))
        return session

    site.store.get_session = get_session  # type: ignore[method-assign]
    site.heard.clear()
    assert not site.gate.revoke(session.id)
    assert site.heard == []


def test_purge_does_not_touch_reasons_too_early(site: Site) -> None:
    """The reason of an ended session is there for as long as the session would have lived."""
    token = site.login()
    session_id = token.split(".")[0]
    site.gate.revoke(session_id)
    site.clock.advance(timedelta(hours=23))
    site.gate.purge()
    assert site.gate.why(session_id) is not None
    site.clock.advance(timedelta(hours=2))
    site.gate.purge()
    assert site.gate.why(session_id) is None
