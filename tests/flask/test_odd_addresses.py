"""Users of an adopted table whose address no mail can go to: no answer tells them apart, and none fails."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column, sessionmaker
from werkzeug.security import generate_password_hash

from admit.features import everything
from admit.features.closing import Closing
from admit.features.password import Password
from admit.flask import LoginManager, ModelAccounts, UserMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

    from admit.mail import Message

OLD, NEW = "a password of long ago", "the moon is made of green cheese"
BASE = "https://app.example"
#: What tables hold in a column of addresses.
ODD = [
    "Ada <ada@example.org>",
    " ada@example.org ",
    "ada@example.org.",
    "ada@example..org",
    "ada@example.org, eve@example.org",
    "ada@example.org;eve@example.org",
    "\uff41da@\uff45xample.org",
    "ada@example.org\nBcc: eve@example.org",
    "ada",
    "@",
    "a" * 300 + "@example.org",
    "",
    None,
]
#: What is odd, and yet an address that mail can go to.
EVEN = ["ada@example.org", "j\u00fcrgen@b\u00fccher.example", "root@localhost", "zoe\u0301@example.org"]


class Shop:
    """An application whose users have a name, an address and a password."""

    def __init__(self, folder: Path, *, verified: bool) -> None:
        base = type("Base", (DeclarativeBase,), {})
        named = {
            "__tablename__": "users",
            "id": mapped_column(String(20), primary_key=True),
            "username": mapped_column(String(400)),
            "email": mapped_column(String(400)),
            "password": mapped_column(String(300)),
        }
        self.user: Any = type("User", (UserMixin, base), named)
        self.engine = create_engine(f"sqlite:///{folder}/shop.db")
        base.metadata.create_all(self.engine)  # type: ignore[attr-defined]
        self.session = sessionmaker(self.engine)
        self.people = ModelAccounts(
            self.session, self.user, identifiers=["username", "email"], password="password", verified=verified
        )
        self.app = Flask("shop")
        self.app.config.update(SECRET_KEY="a5f3Q9zLk2mVx7Rb1nTcY8wUe4GhJdPs0oAi", ADMIT_PUBLIC_URL=BASE)
        self.mails: list[Message] = []
        self.browsers = 0
        features = [one for one in everything() if not isinstance(one, Closing | Password)]
        cheap = Password(memory_kib=7168, time_cost=5)
        LoginManager(
            self.app, store=self.people, features=[cheap, Closing(erases_users=True), *features], mail=self.mails.append
        )

    def add(self, name: str, address: str | None) -> None:
        """Add a user as the application does."""
        hashed = generate_password_hash(OLD, "pbkdf2:sha256:1")
        with self.session() as session:
            session.add(self.user(id=name, username=name, email=address, password=hashed))
            session.commit()

    def browser(self) -> FlaskClient:
        """Return a new browser."""
        client = self.app.test_client()
        # From a network of its own each time: these are more questions than one may ask.
        self.browsers += 1
        client.environ_base["REMOTE_ADDR"] = f"198.18.{self.browsers // 250}.{self.browsers % 250}"
        return client


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Return what makes the application, given whether its addresses count as confirmed."""
    with ExitStack() as closing:

        def make(*, verified: bool) -> Shop:
            shop = Shop(tmp_path, verified=verified)
            closing.callback(shop.engine.dispose)
            closing.callback(shop.people.close)
            return shop

        yield make


@pytest.fixture
def shop(make: Callable[..., Shop]) -> Shop:
    """Return the application, in which all addresses count as confirmed."""
    return make(verified=True)


def token_in(mail: Message) -> str:
    """Return the token of the link in a mail."""
    found = re.search(r"/([A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})", mail.text)
    assert found
    return found[1]


def as_a_stranger(shop: Shop, identifier: str, face: str) -> list[int]:
    """Ask for all that a stranger can ask for about a name; return the answers."""
    client, found = shop.browser(), []
    for path, body in (
        ("/sign-in", {"identifier": identifier, "password": "not the password of anybody"}),
        ("/password-reset", {"identifier": identifier}),
        ("/magic-link", {"identifier": identifier}),
        ("/verify/request", {"email": identifier}),
    ):
        if face == "json":
            answer = client.post(f"/api/account{path}", json=body, base_url=BASE)
        else:
            answer = client.post(f"/account{path}", data=body, base_url=BASE, headers={"Sec-Fetch-Site": "same-origin"})
        found.append(answer.status_code)
    return found


@pytest.mark.parametrize("face", ["json", "page"])
def test_strangers_learn_nothing(shop: Shop, face: str) -> None:
    """Whatever a stranger asks for about a user with such an address is answered as for a good one, and for nobody."""
    expected = as_a_stranger(shop, "nobody", face)
    assert all(status < 500 for status in expected)
    for number, address in enumerate([EVEN[0], *ODD] if face == "json" else ODD[:2]):
        name = f"user{number}"
        shop.add(name, address)
        assert as_a_stranger(shop, name, face) == expected, address
        typed = (address or "").replace("\n", " ")
        assert as_a_stranger(shop, typed, face) == as_a_stranger(shop, f"x{typed}", face), address


def walk(shop: Shop, name: str) -> list[tuple[str, int]]:
    """Do all that a member can do, the last thing last; return the answers."""
    found: list[tuple[str, int]] = []
    client = shop.browser()

    def send(path: str, **body: Any) -> int:
        answer = client.post(f"/api/account{path}", json=body, base_url=BASE)
        found.append((path, answer.status_code))
        return answer.status_code

    def get(path: str) -> None:
        faces = [base + path for base in ("/api/account", "/account")]
        found.extend((face, client.get(face, base_url=BASE).status_code) for face in faces)

    if send("/sign-in", identifier=name, password=OLD) != 200:
        return found
    client = shop.browser()
    send("/sign-in", identifier=name, password=OLD)  # on a device that is not known
    for path in ("", "/activity", "/devices", "/export", "/password", "/mail-change", "/close"):
        get(path)
    send("/password", old_password=OLD, password=NEW)
    send("/mail-change", email=f"{name}.new@example.org")
    send("/mail-change/confirm", token=token_in(shop.mails[-1]))
    get("")
    send("/mail-change", email=f"{name}.newer@example.org")
    send("/mail-change/confirm", token=token_in(shop.mails[-1]))
    send("/password/confirm", password=NEW)
    send("/close")
    send("/sign-in", identifier=name, password=NEW)
    get("")
    return found


def test_a_member_can_do_all_that_others_can(shop: Shop) -> None:
    """Signing in by the user name, changing password and address, export, closing: the answers are those of others."""
    shop.add("even", "even@example.org")
    shop.add("without", None)
    # Whoever has no address at all has none to confirm, and can sign in.
    expected = {True: walk(shop, "even"), False: walk(shop, "without")}
    for known in expected.values():
        assert all(status < 500 for _, status in known)
    for number, address in enumerate([*ODD[:3], *ODD[-3:]]):
        shop.add(f"odd{number}", address)
        assert walk(shop, f"odd{number}") == expected[bool(address)], address
        with shop.session() as session:
            row = session.get(shop.user, f"odd{number}")
            if len(expected[bool(address)]) > 1:
                assert row.email == f"odd{number}.newer@example.org"


def test_nobody_signs_up_with_one(shop: Shop) -> None:
    """What can't be mailed is refused at sign-up alike, whether a user of the table has it or not."""
    for number, address in enumerate(ODD):
        body = {"email": address, "password": NEW}
        before = shop.browser().post("/api/account/sign-up", json=body, base_url=BASE)
        shop.add(f"ada{number}", address)
        after = shop.browser().post("/api/account/sign-up", json=body, base_url=BASE)
        assert before.status_code == after.status_code < 500, address
        assert before.json == after.json


def test_those_that_nobody_has_confirmed_are_alike_too(make: Callable[..., Shop]) -> None:
    """Where addresses are yet to be confirmed, the one that no mail can go to is asked for like any other."""
    shop = make(verified=False)
    shop.add("even", EVEN[0])
    for number, address in enumerate(ODD[:3]):
        shop.add(f"odd{number}", address)
        assert walk(shop, f"odd{number}") == walk(shop, "even") == [("/sign-in", 403)]
        assert as_a_stranger(shop, f"odd{number}", "json") == as_a_stranger(shop, "even", "json")


def test_each_is_found_before(shop: Shop) -> None:
    """Each such user is told of with what to do, and nobody else is."""
    for number, address in enumerate(EVEN):
        shop.add(f"even{number}", address)
    assert list(shop.people.findings()) == []
    for number, address in enumerate(one for one in ODD if one):
        shop.add(f"odd{number}", address)
    told = list(shop.people.findings())
    for number, address in enumerate(one for one in ODD if one):
        of_it = [one for one in told if f"odd{number}:" in one or f"odd{number} " in one]
        assert of_it, address
        assert all(one.endswith(("Correct it.", "another one.", "all but one.")) for one in of_it)


def test_it_is_logged_without_the_address(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever runs the site is told which account a mail did not go to, and why; the address is in no log."""
    shop.add("ada", "Ada <ada@example.org>")
    shop.browser().post("/api/account/magic-link", json={"identifier": "ada"}, base_url=BASE)
    [record] = [one for one in caplog.records if one.name == "admit.mail"]
    assert "account ada was not sent" in record.getMessage()
    assert "example.org" not in record.getMessage()
    assert shop.mails == []
