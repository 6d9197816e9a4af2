"""What the audit found in adopted tables, names and records: lines S12, S13, S14, S17, S21 and S22, as 157 and more."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import Boolean, Integer, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, mapped_column, sessionmaker
from werkzeug.security import generate_password_hash

from admit.chain import Flaw, verify
from admit.features.mail_change import MailChange
from admit.features.password import Password
from admit.features.password_reset import PasswordReset
from admit.features.registration import Registration
from admit.flask import LoginManager, ModelAccounts, UserMixin
from tests.attacks.conftest import ADA
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, OWN_PAGE, PASSWORD, Browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

    from admit.mail import Message
    from tests.attacks.site import Site

BOB = "bob@people.example"
#: An application's own hash, and one that would keep the machine for minutes.
CHEAP = "pbkdf2:sha256:1"
COSTLY = "$argon2id$v=19$m=1048576,t=99,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43


class Shop:
    """An application with users of its own, adopted, and the code of its own that goes on writing to them."""

    def __init__(self, folder: Path) -> None:
        base = type("Base", (DeclarativeBase,), {})
        named = {
            "__tablename__": "users",
            "id": mapped_column(Integer, primary_key=True),
            "username": mapped_column(String(80), unique=True),
            "email": mapped_column(String(80), unique=True),
            "password": mapped_column(String(300)),
            "is_active": mapped_column(Boolean, default=True),
        }
        self.user: Any = type("User", (UserMixin, base), named)
        self.engine = create_engine(f"sqlite:///{folder}/shop.db")
        base.metadata.create_all(self.engine)  # type: ignore[attr-defined]
        self.session = sessionmaker(self.engine)
        self.people = ModelAccounts(
            self.session, self.user, identifiers=["username", "email"], password="password", verified=True
        )
        self.app = Flask("shop")
        self.app.config.update(TESTING=True, SECRET_KEY="x" * 40, ADMIT_PUBLIC_URL=ORIGIN)
        self.mails: list[Message] = []
        registration = Registration(identifiers=("username", "email"))
        features = [Password(memory_kib=7168, time_cost=5), PasswordReset(), MailChange(), registration]
        LoginManager(self.app, store=self.people, features=features, mail=self.mails.append)

    def add(self, name: str, address: str, hashed: str | None = None) -> int:
        """Sign somebody up by the application's own code."""
        with self.session() as session:
            hashed = hashed or generate_password_hash(PASSWORD, CHEAP)
            session.add(user := self.user(username=name, email=address, password=hashed))
            session.commit()
            return int(user.id)

    def row(self, number: int) -> Any:
        """Return a user as the application sees them."""
        with self.session() as session:
            return session.get(self.user, number)

    def close(self) -> None:
        """Close the databases."""
        self.people.close()
        self.engine.dispose()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Return the application."""
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def sign_in(shop: Shop, name: str, password: str = PASSWORD) -> TestResponse:
    """Sign in from a browser of one's own."""
    return Browser(shop.app).sign_in(name, password)


@pytest.mark.parametrize(
    "statement",
    [
        "salt = x'', subject = '{bob}', session = NULL, personal = '[\"{bob}\",\"6.6.6.6\",\"curl\",{{}}]'",
        "salt = x'', subject = '{bob}', session = NULL, personal = NULL",
        "salt = x'', session = 'x', subject = NULL, personal = NULL",
        "salt = x'', subject = NULL, session = NULL, personal = '[null,\"6.6.6.6\",null,{{}}]'",
        "salt = x'', subject = NULL, session = NULL",
        "subject = NULL, session = NULL, personal = NULL",
        "salt = x'00', subject = '{bob}'",
    ],
)
def test_169_forged_personal_data_behind_an_erasure(site: Site, tmp_path: Path, statement: str) -> None:
    """Whoever empties the salt of a record and puts another person into it, or a half of one, is found out."""
    site.member(BOB)
    bob = site.accounts.store.find_account(BOB)
    assert bob
    site.signed_in(ADA)
    events = site.accounts.stores.events
    head = events.get_ends().head_hash
    assert verify(events, heads=[head]).holds
    with sqlite3.connect(tmp_path / "site.db") as connection:
        changes = statement.format(bob=bob.id)
        connection.execute(f"UPDATE admit_events SET {changes} WHERE name = 'logged_in'")  # noqa: S608 -- our own
    connection.close()
    verdict = verify(events, heads=[head])
    assert verdict.flaw is Flaw.EDITED
    assert not verdict.holds


def test_170_switched_off_in_between(shop: Shop) -> None:
    """Whom the application switches off while their request is under way is off after it, and nothing else changes."""
    number = shop.add("fired", "fired@people.example")
    browser = Browser(shop.app)
    assert browser.sign_in("fired", PASSWORD).status_code == 200
    assert browser.post("/mail-change", {"email": "mine@people.example"}).status_code == 202
    token = shop.mails[-1].text.partition("/confirm/")[2].split()[0]

    was_off: list[bool] = []

    def switch_off(_connection: Any, _cursor: Any, statement: str, *_given: Any) -> None:
        if statement.startswith("UPDATE users") and not was_off:
            was_off.append(True)
            with sqlite3.connect(shop.engine.url.database or "") as by_hand:
                by_hand.execute("UPDATE users SET is_active = 0")
            by_hand.close()

    event.listen(shop.engine, "before_cursor_execute", switch_off)
    answer = browser.post("/mail-change/confirm", {"token": token})
    assert was_off
    assert answer.status_code in {401, 410}
    row = shop.row(number)
    assert (row.is_active, row.email) == (False, "fired@people.example")
    assert browser.post("/mail-change", {"email": "again@people.example"}).status_code == 401
    assert sign_in(shop, "fired").status_code != 200


def test_171_anothers_address_as_a_user_name(shop: Shop) -> None:
    """Whoever calls themselves by somebody's address shuts nobody out: not from signing in, a reset, or signing up."""
    shop.add("ada", ADA)
    shop.add(ADA, "mallory@people.example", generate_password_hash(OTHER_PASSWORD, CHEAP))
    assert sign_in(shop, ADA).status_code == 200
    assert sign_in(shop, ADA.upper()).status_code == 200
    assert sign_in(shop, ADA, OTHER_PASSWORD).status_code == 401
    assert sign_in(shop, "mallory@people.example", OTHER_PASSWORD).status_code == 200
    Browser(shop.app).post("/password-reset", {"identifier": ADA})
    assert [mail.to for mail in shop.mails] == [ADA]
    assert len(list(shop.people.findings())) == 1
    shop.add(BOB, "eve@people.example")
    body = {"username": "bob", "email": BOB, "password": OTHER_PASSWORD}
    answer = Browser(shop.app).post("/sign-up", body)
    assert answer.status_code == 202
    assert sign_in(shop, BOB, OTHER_PASSWORD).status_code == 200
    squatting = {"username": "carol@people.example", "email": "m@people.example", "password": OTHER_PASSWORD}
    assert Browser(shop.app).post("/sign-up", squatting).status_code == 422


def test_174_a_hash_that_computes_for_minutes(shop: Shop) -> None:
    """A row that asks for a gigabyte and 99 passes costs what a wrong password does, and is told of."""
    shop.add("ada", ADA, COSTLY)
    shop.add("bob", BOB)
    answer, wrong = sign_in(shop, ADA), sign_in(shop, BOB, OTHER_PASSWORD)
    assert answer.status_code == wrong.status_code == 401
    assert answer.json["code"] == wrong.json["code"]
    assert [one.partition(":")[0] for one in shop.people.findings()] == ["password of 1"]


@pytest.mark.parametrize("address", ["Ada <ada@people.example>", " grace@people.example", "a@b.example, c@d.example"])
def test_178_an_address_that_no_mail_can_go_to(shop: Shop, address: str) -> None:
    """Nobody is told apart by such an address, and its owner changes it like anybody."""
    number = shop.add("ada", address)
    stranger = Browser(shop.app)
    for identifier in ("ada", address, "nobody"):
        assert stranger.post("/password-reset", {"identifier": identifier}).status_code == 202
    assert shop.mails == []
    browser = Browser(shop.app)
    assert browser.sign_in("ada", PASSWORD).status_code == 200
    assert browser.post("/mail-change", {"email": ADA}).status_code == 202
    token = shop.mails[-1].text.partition("/confirm/")[2].split()[0]
    assert browser.post("/mail-change/confirm", {"token": token}).status_code == 200
    assert shop.row(number).email == ADA
    assert list(shop.people.findings()) == []


def test_179_a_name_that_looks_like_anothers(shop: Shop) -> None:
    """Of "capa" in Latin and in Cyrillic one is refused, whichever comes first; so are Greek and other twins."""
    for name in (
        "\u0441\u0430\u0440\u0430",
        "\u0421\u0410\u0420\u0410",
        "\u03bd\u03bf\u03bf",
        "\u0440\u0430\u0443\u0440\u0430\u04cf",
    ):
        body = {"username": name, "email": f"{len(name)}@people.example", "password": OTHER_PASSWORD}
        answer = Browser(shop.app).send("POST", f"{API}/sign-up", json=body, headers=OWN_PAGE)
        assert answer.status_code == 422, name
        assert list(answer.json["fields"]) == ["username"]
    for name in ("capa", "\u043c\u0430\u0440\u0438\u044f", "\u039d\u03af\u03ba\u03bf\u03c2"):
        body = {"username": name, "email": f"{name.encode().hex()}@people.example", "password": OTHER_PASSWORD}
        assert Browser(shop.app).post("/sign-up", body).status_code == 202
