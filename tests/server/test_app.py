"""The ready-made application over HTTP."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from flask import Flask, abort

from admit import features
from admit.errors import ConfigurationError, StoreError
from admit.features import everything
from admit.mail import Message
from admit.operations import create_account, lock_account, new_account
from admit.server import create_app
from admit.server.app import is_loopback
from admit.server.pages import accounts_of, close_stores
from admit.stores.sql import SqlStore
from admit.testing import Clock

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., Flask]
LIVE = {"dev": False, "public_url": "https://app.example", "mail_url": "smtp://127.0.0.1:1?from=site%40app.example"}
PASSWORD = "a phrase that nobody else has 9"


def member(app: Flask, email: str = "ada@example.org") -> str:
    """Make an account with a password, and return its id."""
    accounts = accounts_of(app)
    account = new_account(at=Clock()(), email=email, verified=True)
    with app.test_request_context():
        ctx = accounts.context()
        credential = ctx.secret_keeper().enroll(ctx, account, PASSWORD)
    create_account(accounts.keeper.gate, accounts.store, account, credential)
    return account.id


def sign_in(app: Flask):  # noqa: ANN201 -- a client of Flask's
    """Return a client that is signed in as Ada."""
    client = app.test_client()
    answer = client.post("/api/account/sign-in", json={"identifier": "ada@example.org", "password": PASSWORD})
    assert answer.json["status"] == "signed_in"
    return client


def test_the_front_page_says_where_to_click(make: Make) -> None:
    """A guest is shown the ways in, a member their pages and the way out, and the links lead somewhere."""
    app = make()
    member(app)
    guest = app.test_client().get("/").text
    assert 'href="/account/sign-in"' in guest
    assert "not signed in" in guest
    assert "Admit</title>" in guest
    for path in re.findall(r'href="(/[^"]*)"', guest):
        with app.test_client().get(path) as answer:
            assert answer.status_code == 200
    assert 'href="/api/docs"' in guest
    below = app.test_client().get("/", base_url="http://localhost/shop").text
    assert [path for path in re.findall(r'href="(/[^"]*)"', below) if not path.startswith("/shop/")] == []
    page = sign_in(app).get("/").text
    assert "ada@example.org" in page
    assert 'href="/account/devices"' in page
    assert 'action="/account/sign-out"' in page
    assert 'href="/account/sign-in"' not in page


def test_all_features_are_served(make: Make) -> None:
    """The ready-made application has every feature that there is, with the settings that it is given."""
    app = make(password_min_length=20)
    assert list(accounts_of(app).features) == [feature.name for feature in everything()]
    assert accounts_of(app).features["password"].min_length == 20


def test_the_front_page_is_hardened(make: Make) -> None:
    """Every answer, errors included, has the headers that keep others out, and no banner."""
    client = make().test_client()
    for path in ("/", "/nowhere", "/healthz", "/api/nowhere"):
        headers = client.get(path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Server" not in headers


def test_names_are_escaped(make: Make) -> None:
    """What is shown of a mail in the outbox is text, whatever it looks like."""
    app = make()
    accounts_of(app).mailing.sender.send(Message(to="a@b.example", subject="<b>hi", text="<script>alert(1)</script>"))
    page = app.test_client().get("/account/outbox").text
    assert "<script>" not in page
    assert "&lt;b&gt;hi" in page


# -- errors -----------------------------------------------------------------------------------------------------------


def test_errors_are_pages_for_people(make: Make) -> None:
    """What is not there is a page with a way back."""
    answer = make().test_client().get("/nowhere")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "There is no such page." in answer.text


def test_errors_are_problems_for_programs(make: Make) -> None:
    """Below the API an error is a problem document."""
    answer = make().test_client().get("/api/nowhere")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "not_found",
        "detail": "There is no such page.",
        "error": "There is no such page.",
    }


def test_a_wrong_method_says_which_are_right(make: Make) -> None:
    """The answer to a method that is not there lists those that are."""
    answer = make().test_client().delete("/healthz")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(("path", "mimetype"), [("/broken", "text/html"), ("/api/broken", "application/problem+json")])
def test_a_defect_tells_nothing(make: Make, path: str, mimetype: str) -> None:
    """An exception becomes an answer that does not tell what happened."""
    app = make()

    def broken() -> str:
        message = "the secret of the house"
        raise RuntimeError(message)

    app.add_url_rule(path, "broken", broken)
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (500, mimetype)
    assert "secret" not in answer.text


def test_an_answer_that_is_raised_stays(make: Make) -> None:
    """Whoever raises a finished answer has it sent, and a status without a sentence of ours has its own."""
    app = make()
    app.add_url_rule("/ready-made", "made", lambda: abort(app.make_response(("as it is", 418))))
    app.add_url_rule("/gone", "gone", lambda: abort(410))
    assert app.test_client().get("/ready-made").text == "as it is"
    assert "Gone." in app.test_client().get("/gone").text


# -- health -----------------------------------------------------------------------------------------------------------


def test_health_asks_no_store(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process lives though its store does not, and is not ready; what is wrong is nobody's business."""
    app = make()
    assert app.test_client().get("/readyz").json == {"status": "ready"}

    def down(_store: object, _id: str) -> None:
        message = "no route to db.internal"
        raise StoreError(message)

    monkeypatch.setattr(SqlStore, "get_session", down)
    assert app.test_client().get("/healthz").json == {"status": "alive"}
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert "internal" not in answer.text


def test_tables_of_another_version_are_not_ready(make: Make, folder: Path) -> None:
    """Tables that a newer or older version has left are not served from."""
    import sqlite3

    app = make()
    with sqlite3.connect(folder / "admit.db") as connection:
        connection.execute("UPDATE admit_alembic_version SET version_num = '9999'")
    connection.close()
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"status": "the tables are of another version"}


def test_two_stores_are_both_asked(make: Make, folder: Path) -> None:
    """Accounts and sessions may be kept apart, and both have to answer."""
    app = make(sessions=f"sqlite:///{folder}/sessions.db")
    assert app.test_client().get("/readyz").json == {"status": "ready"}
    assert (folder / "sessions.db").exists()


def test_memory_is_ready(make: Make, folder: Path) -> None:
    """A store in memory has no tables, and needs no file."""
    app = make(db="memory:")
    assert app.test_client().get("/readyz").json == {"status": "ready"}
    assert list(folder.iterdir()) == []


# -- hosts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "app.example.evil.example", "evil.example:5000", "", "a b", "app.example@evil.example"]
)
@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/account/sign-in"])
def test_other_names_are_refused(make: Make, host: str, path: str) -> None:
    """A request for a name that is not the site's is answered with 400, wherever it goes (attack 121)."""
    answer = make(**LIVE).test_client().get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert "evil" not in answer.text


def test_own_names_are_answered(make: Make) -> None:
    """The public address and the names that are trusted besides are answered, at any port."""
    client = make(**LIVE, trusted_hosts=("other.example",)).test_client()
    for host in ("app.example", "APP.example:8443", "other.example"):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_health_is_told_to_anybody(make: Make) -> None:
    """What watches over the process comes by its address."""
    client = make(**LIVE).test_client()
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"Host": "10.0.0.7:5000"}).status_code == 200


def test_development_is_for_this_machine(make: Make) -> None:
    """In development the site is known as this machine, so that no name that resolves to it can read the mails."""
    client = make().test_client()
    for host in ("127.0.0.1:5000", "localhost:5000", "[::1]:5000"):
        assert client.get("/account/outbox", headers={"Host": host}).status_code == 200
    assert client.get("/account/outbox", headers={"Host": "rebound.example"}).status_code == 400


def test_an_address_of_version_6(make: Make) -> None:
    """An address of version 6 is in brackets in links, and is the name of the site."""
    app = make(host="::1")
    assert accounts_of(app).mailing.base == "http://[::1]:5000"
    assert app.test_client().get("/", headers={"Host": "[::1]:5000"}).status_code == 200


def test_without_an_address_every_name_will_do(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no mail is sent the site needs no address, and where none is said no name is refused."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "__init__.py").touch()
    monkeypatch.setattr(features, "__path__", [str(tmp_path)])
    client = make(dev=False).test_client()
    assert client.get("/", headers={"Host": "whatever.example"}).status_code == 200


# -- the outbox -------------------------------------------------------------------------------------------------------


def test_mails_are_in_the_outbox(make: Make) -> None:
    """The link of a reset is in the outbox, with the address of the site."""
    app = make()
    member(app)
    assert "Nothing yet" in app.test_client().get("/account/outbox").text
    app.test_client().post("/api/account/password-reset", json={"identifier": "ada@example.org"})
    assert "ada@example.org" in app.test_client().get("/account/outbox").text


def test_the_outbox_is_for_this_machine_only(make: Make) -> None:
    """Whoever comes from another machine finds no outbox."""
    client = make().test_client()
    for address in ("192.0.2.7", "2001:db8::1", None):
        assert client.get("/account/outbox", environ_base={"REMOTE_ADDR": address}).status_code == 404


def test_there_is_no_outbox_outside_of_development(make: Make) -> None:
    """A site that sends mails shows them to nobody."""
    client = make(**LIVE).test_client()
    assert client.get("/account/outbox", headers={"Host": "app.example"}).status_code == 404


# -- https ------------------------------------------------------------------------------------------------------------


def test_https_is_demanded_where_it_is_served(make: Make) -> None:
    """A site with an address of https tells browsers to come by https only; another does not."""
    live = make(**LIVE)
    answer = live.test_client().get("/", headers={"Host": "app.example"})
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert live.test_client().get("/nope", headers={"Host": "app.example"}).headers["Strict-Transport-Security"]
    assert live.config["SESSION_COOKIE_SECURE"] is True
    dev = make(db="sqlite:///other.db")
    assert "Strict-Transport-Security" not in dev.test_client().get("/").headers
    assert dev.config["SESSION_COOKIE_SECURE"] is False


def test_browsers_may_know_the_site_before_they_come(make: Make) -> None:
    """What else browsers are told of https is a setting, and what they would not take is refused."""
    for settings, header in (
        ({"hsts_subdomains": False}, "max-age=31536000"),
        ({"hsts_preload": True}, "max-age=31536000; includeSubDomains; preload"),
    ):
        answer = make(**LIVE, **settings).test_client().get("/", headers={"Host": "app.example"})
        assert answer.headers["Strict-Transport-Security"] == header
    with pytest.raises(ConfigurationError, match=r"ADMIT_HSTS_PRELOAD needs ADMIT_HSTS_SUBDOMAINS: .* or neither\."):
        make(**LIVE, hsts_preload=True, hsts_subdomains=False)


def test_plain_http_leads_pages_to_https_and_refuses_programs(make: Make) -> None:
    """Behind a proxy that says so, a page asked for by plain http is asked for again by https, and all else refused."""
    client = make(**LIVE, proxies=1).test_client()

    def ask(method: str, path: str, scheme: str = "http", host: str = "app.example:80"):  # noqa: ANN202
        headers = {"Host": host, "X-Forwarded-Proto": scheme}
        return client.open(path, method=method, headers=headers, follow_redirects=False)

    answer = ask("GET", "/account/sign-in?next=/a%20b")
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://app.example/account/sign-in?next=/a%20b")
    assert ask("HEAD", "/").headers["Location"] == "https://app.example/"
    assert ask("GET", "//evil.example/").headers["Location"].startswith("https://app.example/")
    refused = ask("GET", "/api/account/")
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert ask("POST", "/account/sign-in").status_code == 403
    assert ask("GET", "/", host="evil.example").status_code == 400
    assert ask("GET", "/healthz", host="10.0.0.1").status_code == 200
    assert ask("GET", "/account/sign-in", scheme="https").status_code == 200


# -- starting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"host": "0.0.0.0"}, r"Development is for this machine only.*listen at 127\.0\.0\.1"),  # noqa: S104 -- refused
        ({"host": "app.example"}, "Development is for this machine only"),
        ({"dev": False}, "Set ADMIT_PUBLIC_URL"),
        ({"dev": False, "public_url": "https://app.example"}, "Set ADMIT_MAIL_URL"),
        ({"secret_key": "dev"}, "ADMIT_SECRET_KEY is known from a tutorial"),
        ({"secret_key": "k9-x2"}, "ADMIT_SECRET_KEY is shorter than 32 bytes"),
        (
            {"db": "sqlite:////nowhere/at/all/admit.db", "secret_key": "0123456789abcdef" * 2},
            "database can't be opened",
        ),
        ({"db": "sqlite:///nowhere/admit.db"}, "secret key can't be kept"),
        ({"prot": 5000}, "Did you mean ADMIT_PORT"),
        ({"port": 70000}, "from 0 to 65535"),
        ({"threads": 0}, "from 1 to 1024"),
    ],
    ids=range(11),
)
def test_what_is_not_safe_does_not_start(make: Make, settings: dict[str, object], sentence: str) -> None:
    """A site that would not be safe, or would not work, does not start, and says what to do."""
    with pytest.raises(ConfigurationError, match=sentence):
        make(**settings)


def test_debugging_in_public_does_not_start(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask's own switch counts as development, too."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with pytest.raises(ConfigurationError, match="FLASK_DEBUG"):
        make(**LIVE, host="0.0.0.0")  # noqa: S104 -- refused


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 -- asked about, not listened at
        ("::", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Only what no other machine can reach is loopback."""
    assert is_loopback(host) is expected


def test_a_secret_is_kept(make: Make, folder: Path) -> None:
    """The secret key is made once, is kept beside the database, and only its owner can read it."""
    first, again = make(), make()
    assert first.secret_key == again.secret_key
    assert stat.S_IMODE((folder / "admit.db.secret").stat().st_mode) == 0o600
    assert make(db="sqlite:///other.db").secret_key != first.secret_key


def test_a_secret_is_taken(make: Make, folder: Path) -> None:
    """A secret key that is given is used, and none is kept."""
    assert make(secret_key="0123456789abcdef" * 2).secret_key == "0123456789abcdef" * 2
    assert not (folder / "admit.db.secret").exists()


def test_the_environment_and_the_file_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server than ours gets what the environment says, and the file that it names."""
    (folder / "admit.toml").write_text("dev = true\n[password]\nmin_length = 18\n")
    monkeypatch.setenv("ADMIT_CONFIG", str(folder / "admit.toml"))
    monkeypatch.setenv("ADMIT_SITE_NAME", "The House")
    app = create_app()
    close_stores(app)
    assert accounts_of(app).features["password"].min_length == 18
    assert accounts_of(app).mailing.site_name == "The House"
    monkeypatch.delenv("ADMIT_CONFIG")
    with pytest.raises(ConfigurationError, match="ADMIT_PUBLIC_URL"):
        create_app()


def test_a_lock_counts_at_the_next_request(make: Make) -> None:
    """Whoever is logged in is out as soon as the account is locked elsewhere."""
    app, elsewhere = make(), make()
    account_id = member(app)
    client = sign_in(app)
    assert client.get("/api/account/").status_code == 200
    accounts = accounts_of(elsewhere)
    lock_account(accounts.keeper.gate, accounts.store, account_id, at=Clock()())
    assert client.get("/api/account/devices").status_code == 401


def test_secrets_of_before(make: Make, folder: Path) -> None:
    """Older secrets are believed: those that are given, and those below the one in the file."""
    first, second, third = (f"{number}123456789abcdef" * 2 for number in range(3))
    given = make(secret_key=first, secret_key_fallbacks=(second,))
    assert (given.secret_key, given.config["SECRET_KEY_FALLBACKS"]) == (first, [second])
    made = make()
    assert made.config["SECRET_KEY_FALLBACKS"] == []
    (folder / "admit.db.secret").write_text(f"{second}\n{made.secret_key}\n")
    rotated = make(secret_key_fallbacks=(third,))
    assert (rotated.secret_key, rotated.config["SECRET_KEY_FALLBACKS"]) == (second, [made.secret_key, third])
    for secret, weakness in (("changeme", "known"), (7, "shorter")):
        with pytest.raises(ConfigurationError, match=f"ADMIT_SECRET_KEY_FALLBACKS is {weakness}"):
            make(secret_key_fallbacks=(secret,))
    assert make(db="memory:", secret_key_fallbacks=(third,)).config["SECRET_KEY_FALLBACKS"] == []
