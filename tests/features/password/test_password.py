"""Passwords: logging in, proving it again, changing it; the same as a page and as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from admit import identifiers, tokens
from admit.errors import InvalidInput, Overloaded, StoreError
from admit.events import LoggedIn, LoginFailed
from admit.features.password import Password, PasswordChanged
from admit.features.password.hashing import Hasher
from admit.model import Credential
from tests.features.conftest import Codes, Site

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from admit.features.password.hashing import Verdict
    from admit.model import Account
    from tests.features.conftest import Client

OLD, NEW = "correct horse battery staple", "the moon is made of green cheese"
ADA = "Ada@example.org"


@pytest.fixture
def site() -> Site:
    """Return a site with ada's account and her password."""
    site = Site(Password(), Codes())
    add(site)
    return site


def add(site: Site, email: str = ADA, password: str = OLD, **changes: Any) -> Account:
    """Add an account with a password."""
    account = site.account(email, **changes)
    hashed = Password().hasher.hash(password)
    site.store.add_credential(Credential(tokens.new_id(), "password", account.id, account.id, hashed, site.clock()))
    return account


def log_in(client: Client, identifier: str = ADA, password: str = OLD, **fields: Any) -> TestResponse:
    """Log in by password."""
    return client.send("/sign-in", identifier=identifier, password=password, **fields)


def kept(site: Site) -> str:
    """Return the hash of ada's password."""
    [account] = [one for one in site.store.list_accounts() if one.email and one.email.value == ADA]
    credential = site.store.get_credential("password", account.id)
    assert credential
    return credential.secret


def down(*_: Any, **__: Any) -> int:
    """Answer as a store that is down."""
    message = "The store is down."
    raise StoreError(message)


def test_logging_in(site: Site, face: str) -> None:
    """The right password begins a session, and a browser goes on to the account's page."""
    client = site.client(face)
    answer = log_in(client)
    assert client.is_in
    if face == "page":
        assert answer.status_code == 303
        assert answer.location == "/account/"
    else:
        assert answer.json["status"] == "signed_in"
    [event] = site.of(LoggedIn)
    assert isinstance(event, LoggedIn)
    assert event.method == "password"


def test_back_to_where_one_was(site: Site) -> None:
    """After the login a browser is where it wanted to go, on this site."""
    client = site.client("page")
    answer = client.http.post("/account/sign-in", data={"identifier": ADA, "password": OLD, "next": "/inbox?page=2"})
    assert answer.location == "/inbox?page=2"


@pytest.mark.parametrize(
    "identifier", ["ada@example.org", "ADA@EXAMPLE.ORG", "  Ada@example.org ", "\uff21da@example.org"]
)
def test_however_the_name_is_spelled(site: Site, identifier: str) -> None:
    """Case, width and blanks around a name do not matter."""
    client = site.client()
    log_in(client, identifier)
    assert client.is_in


@pytest.mark.parametrize(
    ("identifier", "password"),
    [
        (ADA, "wrong"),
        (ADA, OLD.upper()),
        (ADA, OLD + " "),
        ("nobody@example.org", OLD),
        ("", OLD),
        ("\u200bada@example.org", OLD),
        ("x" * 5000, OLD),
    ],
)
def test_one_face_for_all_failures(site: Site, face: str, identifier: str, password: str) -> None:
    """Unknown accounts and wrong passwords get the same answer to the letter, and nobody is logged in."""
    answer, plain = (
        log_in(site.client(face), identifier, password),
        log_in(site.client(face), "somebody@example.org", "else"),
    )
    assert answer.status_code == plain.status_code == 401
    if face == "json":
        assert answer.data == plain.data
    assert dict(answer.headers) == dict(plain.headers) or face == "page"
    assert len(site.of(LoginFailed)) == 2


@pytest.mark.parametrize("kind", ["right", "wrong", "unknown", "without a password", "blank", "locked", "junk"])
def test_one_hash_on_every_path(site: Site, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Exactly one hash is computed whoever is meant, so that time tells nothing."""
    site.account("none@example.org")
    for name, secret in (("blank", ""), ("junk", "$argon2id$v=19$junk")):
        one = site.account(f"{name}@example.org")
        site.store.add_credential(Credential(tokens.new_id(), "password", one.id, one.id, secret, site.clock()))
    add(site, "locked@example.org", locked_at=site.clock())
    counted: list[str] = []
    matches = Hasher._matches

    def counting(self: Hasher, secret: bytes, encoded: str) -> bool:
        counted.append(encoded)
        return matches(self, secret, encoded)

    monkeypatch.setattr(Hasher, "_matches", counting)
    who = {"right": ADA, "wrong": ADA, "without a password": "none@example.org"}.get(kind, f"{kind}@example.org")
    answer = log_in(site.client(), who, "wrong" if kind == "wrong" else "" or OLD)
    assert answer.status_code == {"right": 200, "locked": 403}.get(kind, 401)
    assert len(counted) == 1


def test_a_locked_account(site: Site, face: str) -> None:
    """That an account is locked is told after the right password, and after no other."""
    add(site, "locked@example.org", locked_at=site.clock())
    client = site.client(face)
    told = log_in(client, "locked@example.org", "wrong and long enough")
    unknown = log_in(client, "nobody@example.org", "wrong and long enough")
    assert told.status_code == unknown.status_code == 401
    assert "locked" not in told.text.replace("locked@example.org", "")
    right = log_in(client, "locked@example.org", OLD)
    assert right.status_code == 403
    assert "This account is locked." in right.text
    assert not client.is_in


def test_a_blank_secret_matches_nothing(site: Site) -> None:
    """An account whose stored secret is blank can't be entered by a blank password, or any."""
    one = site.account("blank@example.org")
    site.store.add_credential(Credential(tokens.new_id(), "password", one.id, one.id, "", site.clock()))
    assert log_in(site.client(), "blank@example.org", "").status_code == 422
    assert log_in(site.client(), "blank@example.org", "x").status_code == 401


def test_remembering(site: Site, face: str) -> None:
    """A login that is to be remembered outlives the browser; another does not."""
    client = site.client(face)
    log_in(client, remember=True)
    cookie = client.http.get_cookie("admit")
    assert cookie
    assert cookie.expires
    other = site.client(face)
    log_in(other)
    assert other.http.get_cookie("admit").expires is None


def test_a_second_factor_is_asked_for(site: Site, face: str) -> None:
    """Whoever has a second factor is led to it, with the way back, and is nobody until then."""
    [account] = site.store.list_accounts()
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "123456", site.clock()))
    client = site.client(face)
    fields = {"next": "/inbox"} if face == "page" else {}
    answer = log_in(client, remember=True, **fields)
    assert not client.is_in
    if face == "page":
        assert answer.location == "/account/code?next=%2Finbox"
    else:
        assert answer.json == {"status": "pending", "account": None, "needs": ["codes"]}
    assert client.http.get_cookie("admit") is None
    assert client.http.get_cookie("admit-pending")
    done = client.send("/code", identifier="", phrase="123456", **fields)
    assert client.is_in
    assert client.http.get_cookie("admit").expires
    assert client.http.get_cookie("admit-pending") is None
    if face == "page":
        assert done.location == "/inbox"


def test_clients_without_cookies(site: Site) -> None:
    """A client that asks for a bearer token gets it in a header, half-done logins too, and no cookie at all."""
    [account] = site.store.list_accounts()
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "123456", site.clock()))
    http = site.app.test_client(use_cookies=False)
    asked = {"Admit-Carrier": "bearer"}
    begun = http.post("/api/account/sign-in", json={"identifier": ADA, "password": OLD}, headers=asked)
    assert "Set-Cookie" not in begun.headers
    done = http.post(
        "/api/account/code",
        json={"identifier": "", "phrase": "123456"},
        headers={**asked, "Admit-Pending": begun.headers["Admit-Pending"]},
    )
    assert "Set-Cookie" not in done.headers
    bearer = {"Authorization": f"Bearer {done.headers['Admit-Token']}"}
    assert http.get("/who", headers=bearer).text == ADA


def test_guessing_ends(site: Site, face: str) -> None:
    """After ten tries even the right password is refused, with the same answer as a wrong one."""
    client = site.client(face)
    for _ in range(10):
        assert log_in(client, password="wrong").status_code == 401
    wrong, right = log_in(client, password="wrong"), log_in(client)
    assert wrong.status_code == right.status_code == 429
    assert wrong.headers["Retry-After"] == right.headers["Retry-After"] == "60"
    assert wrong.data == right.data
    assert not client.is_in


def test_a_known_device_gets_in(site: Site, face: str) -> None:
    """While strangers have burnt the tries, the owner gets in from a device that was used before."""
    owner, stranger = site.client(face), site.client(face)
    log_in(owner)
    owner.http.delete_cookie("admit")
    for _ in range(12):
        log_in(stranger, password="wrong")
    assert log_in(stranger).status_code == 429
    log_in(owner)
    assert owner.is_in


def test_unknown_names_are_throttled_alike(site: Site) -> None:
    """Whoever guesses at a name that nobody has is refused after as many tries."""
    client = site.client()
    answers = [log_in(client, "nobody@example.org").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_a_full_queue(site: Site, face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many hash at once, one more is told to come back, and the try does not count as a failure."""
    client = site.client(face)

    def full(self: Hasher, password: str, stored: str | None) -> Verdict:
        raise Overloaded(1)

    with monkeypatch.context() as patched:
        patched.setattr(Hasher, "verify", full)
        for _ in range(20):
            answer = log_in(client)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
    log_in(client)
    assert client.is_in


def test_a_weaker_hash_is_made_anew(site: Site) -> None:
    """At the next login a hash with lower parameters is replaced by one with today's."""
    [account] = site.store.list_accounts()
    old = site.store.get_credential("password", account.id)
    assert old
    weak = Hasher(memory_kib=12288, time_cost=3).hash(OLD)
    site.store.replace_credential(old, replace(old, secret=weak))
    log_in(site.client())
    assert "m=19456,t=2,p=1" in kept(site)
    log_in(client := site.client())
    assert client.is_in


def test_changing_it(site: Site, face: str) -> None:
    """The new password counts, the other sessions end, this one goes on with a new token, and the owner is told."""
    client, other = site.client(face), site.client(face)
    log_in(client)
    log_in(other)
    before = client.http.get_cookie("admit").value
    answer = client.send("/password", old_password=OLD, password=NEW)
    assert answer.status_code == 200
    assert client.is_in
    assert not other.is_in
    assert client.http.get_cookie("admit").value != before
    assert log_in(site.client(), password=OLD).status_code == 401
    log_in(again := site.client(), password=NEW)
    assert again.is_in
    [event] = site.of(PasswordChanged)
    assert isinstance(event, PasswordChanged)
    assert event.ended == 1
    [mail] = site.mails
    assert mail.to == ADA
    if face == "json":
        assert answer.json == {"ended": 1}


def test_changing_it_voids_links_and_devices(site: Site) -> None:
    """Links that were sent out, half-done logins and known devices are worth nothing after a change."""
    client = site.client()
    log_in(client)
    [account] = site.store.list_accounts()
    from datetime import timedelta

    site.gate.challenge("anything", account.id, timedelta(days=1))
    client.send("/password", old_password=OLD, password=NEW)
    assert site.gate.challenges.void(account.id) == 0
    assert {one.kind for one in site.store.list_credentials(account.id)} == {
        "password",
        "phrases",
        "known_device",
    }
    known = [one for one in site.store.list_credentials(account.id) if one.kind == "known_device"]
    assert len(known) == 1


def test_changing_it_takes_the_old_one(site: Site, face: str) -> None:
    """The thief of a session does not get further: the old password is asked for, and guesses are counted."""
    client = site.client(face)
    log_in(client)
    hashed = kept(site)
    answers = [client.send("/password", old_password="wrong", password=NEW).status_code for _ in range(11)]
    assert answers == [403] * 10 + [429]
    assert kept(site) == hashed


@pytest.mark.parametrize("password", ["short", "passwordpassword", "ada@example.org 1", "nul\0" + NEW])
def test_changing_it_to_a_bad_one(site: Site, face: str, password: str) -> None:
    """A password that is not good enough is refused with the reason, and the old one still counts."""
    client = site.client(face)
    log_in(client)
    hashed = kept(site)
    answer = client.send("/password", old_password=OLD, password=password)
    assert answer.status_code == 422
    if face == "json":
        assert [*answer.json["fields"]] == ["password"]
    assert kept(site) == hashed


def test_strangers_change_nothing(site: Site, face: str) -> None:
    """Without a session nothing is changed, whoever knows the password."""
    hashed = kept(site)
    answer = site.client(face).send("/password", old_password=OLD, password=NEW)
    assert answer.status_code == (303 if face == "page" else 401)
    assert kept(site) == hashed


def test_a_shorter_one_with_a_second_factor(site: Site) -> None:
    """Whoever has a second factor may have a password of eight characters (NIST SP 800-63B-4, 3.1.1.2)."""
    client = site.client()
    log_in(client)
    short = "kX9#mQ2$"
    assert client.send("/password", old_password=OLD, password=short).status_code == 422
    [account] = site.store.list_accounts()
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "1", site.clock()))
    assert client.send("/password", old_password=OLD, password=short).status_code == 200


def test_proving_it_again(site: Site, face: str) -> None:
    """The right password makes the session fresh; a wrong one does not, and is counted."""
    client = site.client(face)
    log_in(client)
    site.pass_time(hours=1)
    assert client.send("/password/confirm", password="wrong").status_code == 403
    [session] = site.gate.sessions_of(site.store.list_accounts()[0].id)
    assert not site.gate.is_fresh(session)
    client.send("/password/confirm", password=OLD)
    [session] = site.gate.sessions_of(site.store.list_accounts()[0].id)
    assert site.gate.is_fresh(session)
    assert client.is_in


def test_strength(site: Site) -> None:
    """Anybody may ask how good a password would be."""
    weak = site.client().send("/password/strength", password="password").json
    strong = site.client().send("/password/strength", password="kX9#mQ2$vL7@pR4!").json
    assert weak["score"] == 0
    assert weak["warning"]
    assert strong == {"score": 4, "warning": None}


def test_where_password_managers_look(site: Site) -> None:
    """The well-known address leads to the page that changes the password."""
    answer = site.app.test_client().get("/.well-known/change-password")
    assert answer.status_code == 302
    assert answer.location == "/account/password"


def test_two_changes_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that loses to another of the account is made once more; one that always loses changes nothing."""
    client = site.client()
    log_in(client)
    lost = iter([False])
    swap = site.store.replace_account
    monkeypatch.setattr(site.store, "replace_account", lambda *change: next(lost, None) is None and swap(*change))
    assert client.send("/password", old_password=OLD, password=NEW).status_code == 200
    monkeypatch.setattr(site.store, "replace_account", lambda *_: False)
    assert client.send("/password", old_password=NEW, password=OLD).status_code == 503
    assert log_in(site.client(), password=NEW).status_code == 200


def test_sessions_that_cannot_be_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store of the sessions is down the old password stays: a new one beside a thief's session is worse."""
    client, thief, before = site.client(), site.client(), kept(site)
    log_in(client)
    log_in(thief)
    with monkeypatch.context() as patch:
        patch.setattr(site.store, "delete_sessions", down)
        assert client.send("/password", old_password=OLD, password=NEW).status_code == 503
    assert kept(site) == before
    assert not site.mails
    assert client.send("/password", old_password=OLD, password=NEW).json == {"ended": 1}
    assert client.is_in
    assert not thief.is_in


def test_a_first_password(site: Site) -> None:
    """An account that has none gets one, as a reset does it."""
    account = site.account("new@example.org")
    with site.app.test_request_context():
        ctx = site.manager.keeper.accounts.context()
        keeper = ctx.secret_keeper()
        with pytest.raises(InvalidInput):
            keeper.enroll(ctx, account, "short")
        keeper.replace(ctx, account, keeper.enroll(ctx, account, NEW))
    log_in(client := site.client(), "new@example.org", NEW)
    assert client.is_in


class Breaches:
    """Knows one password."""

    def count(self, password: str) -> int:
        """Return how often it was seen."""
        return 7 * (password == NEW)


def test_a_breached_one(face: str) -> None:
    """A password that is known from a breach is refused where somebody is asked who knows."""
    site = Site(Password(breach_check=Breaches()))
    add(site)
    client = site.client(face)
    log_in(client)
    assert client.send("/password", old_password=OLD, password=NEW).status_code == 422
    assert client.send("/password", old_password=OLD, password=NEW + " again").status_code == 200


def test_an_account_without_an_address(site: Site) -> None:
    """Who has only a user name changes the password, and no mail is made for it."""
    account = site.store.find_account(ADA.lower())
    assert account is not None
    site.store.replace_account(account, replace(account, identifiers=(identifiers.username("ada"),)))
    client = site.client()
    log_in(client, "ada")
    sent = len(site.mails)
    assert client.send("/password", old_password=OLD, password=NEW).status_code == 200
    assert len(site.mails) == sent
