"""What an audit found of sign-ups: accounts deleted by them, mails used up, names in mails, and who has an account."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import ForeignKey, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker  # noqa: TC002 -- read by it

import admit
from admit.features.mail_verification import MailVerification
from admit.operations import create_account, new_account
from admit.stores.sql_model import ModelAccounts
from tests.attacks.conftest import ADA
from tests.attacks.site import OTHER_PASSWORD, PASSWORD, SESSION, WRONG_PASSWORD, all_features, make_site
from tests.attacks.test_names import Costs, told
from tests.steps import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from admit.model import Account
    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"
NEW = "new@people.example"
LINK_LIKE = "claim-now.www.evil.example"
BOTH = {"ADMIT_REGISTRATION_IDENTIFIERS": ("email", "username")}
BEARER = {"Admit-Carrier": "bearer"}
PENDING = "Admit-Pending"


class Base(DeclarativeBase):
    """The tables of an application."""


class User(Base):
    """Somebody whom an application knew before."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str | None]


class Order(Base):
    """What goes with its user."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))


class Bill(Base):
    """What its user can't be deleted for."""

    __tablename__ = "bills"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="RESTRICT"))


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> Costs:
    """Return what counts the costs of answers on a site on which Ada has an account."""
    found = Costs(monkeypatch)
    found.site.member(ADA)
    return found


def no_features(*names: str) -> list[Any]:
    """Return all features but these."""
    return [one for one in all_features() if one.name not in names]


def of_operator(site: Site, address: str, **changes: Any) -> Account:
    """Make an account as an operator does, whose address nobody has confirmed."""
    account = replace(new_account(at=site.clock(), email=address, roles=["admin"]), **changes)
    with site.app.test_request_context():
        ctx = site.accounts.context()
        credential = ctx.secret_keeper().enroll(ctx, account, PASSWORD)
    return create_account(site.login_manager.keeper.gate, site.accounts.store, account, credential)  # type: ignore[union-attr]


def code(browser: Browser, typed: str, **headers: str) -> TestResponse:
    """Type a code."""
    return browser.post("/verify/code", {"code": typed}, **headers)


# -- S2: signing up deletes accounts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["operator", "imported", "locked", "confirmed"])
def test_159_a_sign_up_changes_no_account(site: Site, thief: Browser, how: str) -> None:
    """Whoever signs up with the address of an account leaves it and its credentials as they are."""
    if how == "confirmed":
        account = site.member(BOB)
    elif how == "imported":
        account = site.unconfirmed(BOB)
    else:
        account = of_operator(site, BOB, locked_at=site.clock() if how == "locked" else None)
    kept = site.accounts.store.get_account(account.id), site.accounts.credentials.list_credentials(account.id)
    site.mails.clear()
    site.sign_up(BOB, thief, OTHER_PASSWORD)
    thief.post("/verify/request", {"email": BOB})
    for typed in ("0000 0000", "1234 5678"):
        assert code(thief, typed).json["code"] == "wrong_code"
    found = site.accounts.store
    assert (found.get_account(account.id), site.accounts.credentials.list_credentials(account.id)) == kept
    assert {mail.subject for mail in site.mails_to(BOB)} == {"You have an account at app.example already"}
    can_confirm = how in {"operator", "imported"}
    assert all(("/account/verify/" in mail.text) == can_confirm for mail in site.mails_to(BOB))
    if can_confirm:
        answer = site.browser().post("/verify", {"token": site.token(BOB)})
        # What the operator has set up is no stranger's; of what was imported nobody knows whose it is.
        assert answer.json["next"] == ("sign_in" if how == "operator" else "choose_secret")
        assert site.browser().sign_in(BOB).status_code == (200 if how == "operator" else 401)
        assert site.account(BOB).roles == account.roles


@pytest.mark.parametrize("verified", [False, True])
def test_159_the_users_of_an_application(tmp_path: Path, *, verified: bool) -> None:
    """A sign-up deletes no row of an application's own, nor what hangs on it, be it by a cascade or a restriction."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.db")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        people = [User(id=1, email=BOB, password="!"), User(id=2, email=ADA, password="!")]
        session.add_all(people)
        session.flush()
        session.add_all([Order(id=1, user_id=1), Bill(id=1, user_id=2)])
        session.commit()
    accounts = ModelAccounts(
        sessionmaker(engine), User, identifiers=["email"], password="password", verified=verified, beside=None
    )
    accounts.open()
    accounts.upgrade()
    site = make_site(accounts, no_features("closing"))
    for address in (BOB, ADA):
        site.sign_up(address)
        assert [mail.subject for mail in site.mails_to(address)] == ["You have an account at app.example already"]
    site.member(NEW)
    with Session(engine) as session:
        assert [one.email for one in session.scalars(select(User).order_by(User.id))] == [BOB, ADA, NEW]
        assert len(session.scalars(select(Order)).all()) == len(session.scalars(select(Bill)).all()) == 1
    assert site.browser().sign_in(NEW).status_code == 200
    site.close()


def test_159_a_confirmation_that_arrives_in_between(site: Site, thief: Browser) -> None:
    """Of two sign-ups with one address exactly one becomes an account, and the other gets nothing of it."""
    bob = site.sign_up(BOB, site.browser())
    own, own_code = site.token(BOB), site.code(BOB)
    site.sign_up(BOB, thief, OTHER_PASSWORD)
    theirs = site.code(BOB)
    assert code(bob, own_code).json["next"] == "sign_in"
    account = site.account(BOB)
    assert code(thief, theirs).json["code"] == "invalid_challenge"
    for browser, token in ((bob, own), (thief, site.token(BOB))):
        assert browser.post("/verify", {"token": token}).json["code"] == "invalid_challenge"
    assert site.account(BOB) == account
    assert thief.sign_in(BOB, OTHER_PASSWORD).status_code in {401, 403}
    assert thief.me().status_code == 401
    assert bob.sign_in(BOB).status_code == 200


def test_159_the_account_of_somebody_who_comes_first(site: Site) -> None:
    """An account that an operator makes while a sign-up waits is not touched when that is confirmed."""
    bob = site.sign_up(BOB, site.browser(), OTHER_PASSWORD)
    account = of_operator(site, BOB)
    assert bob.post("/verify", {"token": site.token(BOB)}).json["code"] == "invalid_challenge"
    assert site.account(BOB) == account


def test_159_a_sign_up_makes_one_account(site: Site) -> None:
    """What a browser keeps and the link of its mail make an account once, also when that account is gone again."""
    bob = site.sign_up(BOB, site.browser())
    kept, body = bob.cookie(f"{SESSION}-kept-sign_up") or "", {"token": site.token(BOB)}
    assert bob.post("/verify", body).json["next"] == "sign_in"
    assert site.accounts.store.delete_account(site.account(BOB).id)
    bob.plant(f"{SESSION}-kept-sign_up", kept)
    assert bob.post("/verify", body).json["code"] == "invalid_challenge"
    assert site.accounts.store.find_account(BOB) is None


def test_159_a_confirmation_that_was_interrupted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account that it has made is finished where it was set up, and is nothing to who opens the link elsewhere."""
    bob, body = site.sign_up(BOB, site.browser()), {"token": site.token(BOB)}
    with monkeypatch.context() as patched:
        patched.setattr(site.accounts.stores.challenges, "take_challenge", lambda _: fail())
        assert bob.post("/verify", body).status_code == 503
    assert site.browser().post("/verify", body).json["code"] == "invalid_challenge"
    assert bob.post("/verify", body).json["next"] == "sign_in"
    assert bob.sign_in(BOB).status_code == 200


def test_159_no_hash_and_no_secret_of_a_sign_up(site: Site, tmp_path: Path) -> None:
    """Neither what a browser keeps, nor link, code or password of a waiting sign-up is in the files of the database."""
    browser = site.sign_up(BOB)
    kept = browser.cookie(f"{SESSION}-kept-sign_up") or ""
    leaked = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (
        site.token(BOB).partition(".")[2],
        kept.partition(".")[2],
        site.code(BOB).replace(" ", ""),
        PASSWORD,
    ):
        assert secret
        assert secret.encode() not in leaked


# -- S8: what a mail that is not sent replaces -------------------------------------------------------------------------


def test_165_mails_that_are_used_up(site: Site) -> None:
    """However many strangers sign up with an address, whoever has its mail finishes with the password they chose."""
    bob = site.sign_up(BOB, site.browser())
    token, typed = site.token(BOB), site.code(BOB)
    for number in range(12):
        stranger = site.browser(f"198.51.{number}.7")
        site.sign_up(BOB, stranger, OTHER_PASSWORD)
        stranger.post("/verify/request", {"email": BOB})
    bob.post("/verify/request", {"email": BOB})
    assert site.browser().get(f"/account/verify/{token}").status_code == 303
    assert code(bob, typed).json == {"next": "sign_in", "url": None}
    assert bob.sign_in(BOB).status_code == 200


def test_165_a_link_to_an_account_whose_mail_is_not_sent(site: Site) -> None:
    """The link by which an account is confirmed outlives sign-ups whose mails are not sent."""
    of_operator(site, BOB)
    site.browser().post("/verify/request", {"email": BOB})
    stranger = site.browser("198.51.100.7")
    for _ in range(8):
        site.sign_up(BOB, stranger, OTHER_PASSWORD)
    assert len(site.mails_to(BOB)) < 8
    assert site.browser().post("/verify", {"token": site.token(BOB)}).json["next"] == "sign_in"


# -- S10: who has an account -------------------------------------------------------------------------------------------


def test_167_sign_up_then_sign_in(costs: Costs) -> None:
    """Whoever signs up and then signs in is told to confirm the address, with or without an account, at one cost."""
    site = costs.site
    site.unconfirmed("eve@people.example", OTHER_PASSWORD)
    here, elsewhere = {}, {}
    for state, name in (("free", NEW), ("taken", ADA), ("unconfirmed", "eve@people.example")):
        browser = site.sign_up(name, site.browser(), "the password of whoever asks")
        costs.store.calls.clear()
        right = told(browser.sign_in(name, "the password of whoever asks"))
        calls = list(costs.store.calls)
        wrong = told(browser.sign_in(name, WRONG_PASSWORD))
        here[state] = right, wrong, calls
        elsewhere[state] = told(site.browser().sign_in(name, "the password of whoever asks"))
    assert here == dict.fromkeys(here, here["free"])
    assert elsewhere == dict.fromkeys(elsewhere, elsewhere["free"])
    (status, body, *_), (wrong_status, *_), calls = here["free"]
    assert (status, wrong_status, elsewhere["free"][0]) == (403, 401, 401)
    assert b"verification_required" in body
    assert calls.count("hasher.verify") == 2


def test_167_the_password_of_an_account_still_counts(site: Site) -> None:
    """Whoever has an account and signs up once more signs in with the password of the account."""
    browser = site.sign_up(ADA, site.browser(), OTHER_PASSWORD)
    assert browser.sign_in(ADA, OTHER_PASSWORD).json["code"] == "verification_required"
    assert browser.sign_in(ADA).status_code == 200


def test_167_guessing_by_sign_ups(site: Site, thief: Browser) -> None:
    """A guess that is signed up with first counts as any guess does."""
    site.sign_up(ADA, thief, WRONG_PASSWORD)
    answers = [thief.sign_in(ADA, WRONG_PASSWORD).status_code for _ in range(12)]
    assert answers == [403] * 10 + [429] * 2


def test_167_a_client_without_cookies(site: Site) -> None:
    """With the token of its sign-up a client without cookies is told to confirm first, and finishes by the code."""
    for name, finishes in ((BOB, True), (ADA, False)):
        begun = site.browser().post("/sign-up", {"email": name, "password": OTHER_PASSWORD}, **BEARER)
        held = {**BEARER, PENDING: begun.headers[PENDING]}
        assert begun.status_code == 202
        assert not begun.headers.getlist("Set-Cookie")
        refused = site.browser().sign_in(name, OTHER_PASSWORD, **held)
        assert (refused.status_code, refused.json["code"]) == (403, "verification_required")
        assert site.browser().sign_in(name, OTHER_PASSWORD).status_code == 401
        if finishes:
            typed = site.code(name)
            assert code(site.browser(), typed).json["code"] == "invalid_challenge"
            assert code(site.browser(), typed, **held).json == {"next": "sign_in", "url": None}
            assert site.browser().sign_in(name, OTHER_PASSWORD).status_code == 200


def test_167_user_names_after_a_sign_up(new_site: Callable[..., Site]) -> None:
    """A user name is as free after a sign-up as before, whether or not the address has an account."""
    site = new_site(**BOTH)
    of_operator(site, ADA)
    answers = []
    for address, name in ((ADA, "grace"), (BOB, "hopper")):
        fields = {"email": address, "username": name, "password": PASSWORD}
        assert site.browser().post("/sign-up", fields).status_code == 202
        other = {"email": f"{name}@people.example", "username": name, "password": PASSWORD}
        answers.append(told(site.browser().post("/sign-up", other)))
        assert site.account(name) is None
    assert answers[0] == answers[1]
    assert answers[0][0] == 202


def test_167_hashes_of_those_who_wait_for_nothing(costs: Costs) -> None:
    """A browser that waits with another address costs one hash, as any other does."""
    browser = costs.site.sign_up(BOB, costs.site.browser())
    costs.store.calls.clear()
    assert browser.sign_in(ADA, WRONG_PASSWORD).status_code == 401
    assert costs.store.calls.count("hasher.verify") == 1


# -- S18: less confirmed than it has to be ----------------------------------------------------------------------------


@pytest.mark.parametrize("password", [PASSWORD, None], ids=["with a password", "without"])
def test_175_an_address_that_another_account_wants(new_site: Callable[..., Site], password: str | None) -> None:
    """A change takes no address from an account that an operator has made, so that none counts as confirmed for it."""
    site = new_site(**BOTH)
    made = new_account(at=site.clock(), email=BOB, username="bob")
    with site.app.test_request_context():
        ctx = site.accounts.context()
        kept = [ctx.secret_keeper().enroll(ctx, made, password)] if password else []
    account = create_account(site.login_manager.keeper.gate, site.accounts.store, made, *kept)  # type: ignore[union-attr]
    ada = site.browser()
    signed_up = {"email": ADA, "username": "lovelace", "password": OTHER_PASSWORD}
    assert ada.post("/sign-up", signed_up).status_code == 202
    assert code(ada, site.code(ADA)).status_code == 200
    assert ada.sign_in(ADA, OTHER_PASSWORD).status_code == 200
    assert ada.post("/mail-change", {"email": BOB}).status_code == 202
    assert "/mail-change/confirm/" not in site.mails_to(BOB)[-1].text
    assert site.account("bob") == account
    assert site.browser().sign_in("bob").status_code == (403 if password else 401)


def test_175_an_address_of_before_all_were_confirmed(site: Site) -> None:
    """Where addresses have to be confirmed, no account loses its own: with a user name it would count as confirmed."""
    account = site.unconfirmed(BOB)
    assert site.signed_in(ADA).post("/mail-change", {"email": BOB}).status_code == 202
    assert "/mail-change/confirm/" not in site.mails_to(BOB)[-1].text
    assert site.account(BOB) == account


@pytest.mark.parametrize("of_sign_up", [True, False])
def test_175_where_nothing_has_to_be_confirmed(new_site: Callable[..., Site], *, of_sign_up: bool) -> None:
    """There an address is taken from an account that a sign-up made, and never from one that somebody else has made."""
    site = new_site([*no_features("mail_verification"), MailVerification(required=False)])
    site.member(ADA)
    account = site.account(site.sign_up(BOB) and BOB) if of_sign_up else of_operator(site, BOB)
    ada = site.signed_in(ADA)
    assert ada.post("/mail-change", {"email": BOB}).status_code == 202
    tokens = re.findall(r"/account/mail-change/confirm/([\w.-]+)", site.mails_to(BOB)[-1].text)
    assert bool(tokens) == of_sign_up
    if tokens:
        assert ada.post("/mail-change/confirm", {"token": tokens[0]}).status_code == 200
    assert (site.account(BOB).id == account.id) == (not of_sign_up)


# -- S19: names in mails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [LINK_LIKE, "www.evil", "evil.com", "evil.com-prizes", "ftp2.evil.shop", "go.to.win"])
def test_176_a_name_is_no_link(new_site: Callable[..., Site], name: str) -> None:
    """A user name that could be a host is in no mail at all, whichever feature sends it."""
    site = new_site(**BOTH)
    browser = site.browser()
    body = {"email": BOB, "username": name, "password": PASSWORD}
    assert browser.post("/sign-up", body).status_code == 202
    assert code(browser, site.code(BOB)).status_code == 200
    assert browser.sign_in(BOB).status_code == 200
    site.browser().post("/sign-up", {**body, "username": "other"})
    site.reset_token(BOB)
    site.browser().post("/magic-link", {"identifier": BOB})
    assert site.browser("198.51.100.9").sign_in(BOB).status_code == 200
    assert browser.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    assert browser.post("/mail-change", {"email": NEW}).status_code == 202
    assert (
        browser.post("/mail-change/confirm", {"token": site.mailed_token(NEW, "mail-change/confirm")}).status_code
        == 200
    )
    assert len({mail.subject for mail in site.mails}) > 6
    for mail in site.mails:
        assert name not in mail.subject + mail.text + (mail.html or "")


def test_176_a_name_of_two_words_stays_one(new_site: Callable[..., Site]) -> None:
    """Before an address is confirmed its mails have no name, and then a name such as first.last is as it is."""
    site = new_site(**BOTH)
    browser = site.browser()
    browser.post("/sign-up", {"email": BOB, "username": "first.last", "password": PASSWORD})
    [mail] = site.mails_to(BOB)
    assert "first.last" not in mail.text + (mail.html or "")
    assert BOB not in mail.text + (mail.html or "")
    assert code(browser, site.code(BOB)).status_code == 200
    site.reset_token(BOB)
    mail = site.mails_to(BOB)[-1]
    assert "Hello first.last," in mail.text
    assert "first.last" in (mail.html or "")


def test_176_names_of_accounts_that_nobody_confirmed(new_site: Callable[..., Site]) -> None:
    """A mail to the unconfirmed address of an account has no name in it, whoever has chosen that."""
    site = new_site([*no_features("mail_verification"), MailVerification(required=False)], **BOTH)
    body = {"email": BOB, "username": "grace", "password": PASSWORD}
    browser = site.browser()
    assert browser.post("/sign-up", body).status_code == 202
    site.browser().post("/sign-up", {**body, "username": "hopper"})
    site.browser().post("/verify/request", {"email": BOB})
    site.browser().post("/magic-link", {"identifier": "grace"})
    assert len(site.mails_to(BOB)) == 4
    for mail in site.mails_to(BOB):
        assert "grace" not in mail.text + (mail.html or "")


def test_176_where_a_new_device_is(site: Site) -> None:
    """What a proxy takes for an address, and what a device calls itself, is no place to go to in a mail."""
    site.signed_in(ADA)
    far = site.browser(LINK_LIKE)
    assert far.sign_in(ADA, **{"User-Agent": LINK_LIKE}).status_code == 200
    mail = site.mails_to(ADA)[-1]
    assert "new device" in mail.subject
    assert "evil" not in mail.text + (mail.html or "")


def test_176_every_greeting_goes_one_way() -> None:
    """No template of a mail puts a name into it by itself."""
    folder = Path(admit.__file__).parent
    mails = {path.with_suffix("") for path in folder.rglob("templates/**/*.txt")}
    assert len(mails) > 10
    for mail in mails:
        for ending in (".txt", ".html"):
            text = mail.with_suffix(ending).read_text()
            assert not re.search(r"\.label|\.username|identifiers|\.email", text), mail
