"""The pages of features: whose templates they are, what they say, to whom, and what they never show."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from flask import Flask, render_template
from jinja2 import StrictUndefined

from admit.feature import Context, Feature, Reply, Secret, action
from admit.features import everything
from admit.features.account import AccountPages
from admit.features.devices import Devices
from admit.features.mail_verification import MailVerification
from admit.features.password import Password
from admit.features.password_reset import PasswordReset
from admit.features.reauthenticate import Reauthenticate
from admit.features.registration import Registration, SignUp
from admit.flask import LoginManager
from admit.testing import Clock
from tools.catalogs import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from admit.mail import Message

ADA = "ada@example.org"
PASSWORD = "violet anchors drift slowly"
WRONG = "wrong horses chew batteries"
HOSTILE = "\"'><script>alert(1)</script>{{ 7 * 7 }}"

#: The forms that a guest can send, and the names of their fields.
GUEST_FORMS = {
    "/sign-in": ("identifier", "password", "remember"),
    "/sign-up": ("email", "username", "password", "invitation"),
    "/verify/request": ("email",),
    "/verify": ("token",),
    "/password-reset": ("identifier",),
    "/password-reset/choose": ("password", "token"),
    "/sign-out": (),
}
MEMBER_FORMS = {
    "/password": ("old_password", "password"),
    "/password/confirm": ("password",),
    "/devices": (),
    "/devices/nothing": (),
}
PAGES = ["/", "/devices", "/reauthenticate", *GUEST_FORMS, *MEMBER_FORMS]


class Site:
    """An application in a folder, whose templates must not ask for what is not there."""

    def __init__(self, folder: Path, features: Iterable[Feature], **config: Any) -> None:
        self.app = Flask("site", root_path=str(folder))
        self.app.config.update({"TESTING": True, "ADMIT_SITE_NAME": "Harbour", **config})
        self.app.jinja_env.undefined = StrictUndefined
        self.mails: list[Message] = []
        self.clock = Clock()
        LoginManager(self.app, store="memory:", features=features, mail=self.mails.append, clock=self.clock)

    def client(self) -> FlaskClient:
        """Return a browser with nobody in it."""
        return self.app.test_client()

    def follow(self, client: FlaskClient) -> TestResponse:
        """Follow the link in the newest mail, to the page where it leads."""
        found = re.search(r"http://[^/]+(/account/\S+)", self.mails[-1].text)
        assert found is not None
        return client.get(found[1], follow_redirects=True)

    def member(self) -> FlaskClient:
        """Return a browser in which Ada is signed in."""
        client = self.client()
        client.post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
        if any(mail.subject.startswith("Confirm") for mail in self.mails):
            self.follow(client)
            client.post("/account/verify")
        sign_in(client)
        return client


def sign_in(client: FlaskClient, **fields: str) -> TestResponse:
    """Send the form, right unless told otherwise."""
    return client.post("/account/sign-in", data={"identifier": ADA, "password": PASSWORD} | fields)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with every feature."""
    return Site(tmp_path, everything())


def put(folder: Path, name: str, text: str) -> None:
    """Write a template of the application."""
    path = folder / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# -- whose templates --------------------------------------------------------------------------------------------------


def test_a_template_of_the_application_comes_first(tmp_path: Path, site: Site) -> None:
    """An application puts its own page in the place of ours by its name."""
    put(
        tmp_path,
        "password/sign_in.html",
        "{% extends 'admit/base.html' %}{% block content %}<h1>Ahoy</h1>{% endblock %}",
    )
    page = site.client().get("/account/sign-in").text
    assert "<h1>Ahoy</h1>" in page
    assert "Harbour</title>" in page


def test_a_stylesheet_of_the_application(tmp_path: Path, site: Site) -> None:
    """An application links its own stylesheet after ours, on all pages."""
    put(tmp_path, "admit/theme.html", '<link rel="stylesheet" href="/static/harbour.css">')
    page = site.client().get("/account/sign-up").text
    assert page.index("admit.css") < page.index("harbour.css")


def test_a_layout_of_the_application(tmp_path: Path, site: Site) -> None:
    """An application puts all pages into a layout of its own."""
    put(tmp_path, "admit/base.html", "<title>{{ title }}</title><main>{% block content %}{% endblock %}</main>")
    page = site.client().get("/account/sign-in").text
    assert page.startswith("<title>Sign in</title><main>")


def test_a_refusal_of_which_nothing_is_known(site: Site) -> None:
    """The plainest page needs a message and a language, and has a heading of its own."""
    with site.app.test_request_context():
        page = render_template("admit/plain.html", message="No <b>", language="pt_BR")
    assert '<html lang="pt-BR">' in page
    assert "<h1>No &lt;b&gt;</h1>" in page


# -- what is there and what is not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", [type(one) for one in everything()])
def test_pages_do_without_one_feature(tmp_path: Path, absent: type[Feature]) -> None:
    """Whatever feature an application leaves out, the pages of the others link to nothing that is not there."""
    lacking = {absent, PasswordReset} if absent is Password else {absent}
    site = Site(tmp_path, [one for one in everything() if type(one) not in lacking])
    member = site.client() if absent in {Password, Registration} else site.member()
    for client in (member, site.client()):
        for path in PAGES:
            page = client.get(f"/account{path}")
            assert page.status_code in {200, 302, 303, 401, 404, 405}, (path, page.text)
            for link in set(re.findall(r'(?:href|action)="(/account[^"?]*)', page.text)):
                methods = {"GET", "POST"} & set(site.app.url_map.bind("").allowed_methods(link))
                assert methods or link == "/account/", (path, link)


@pytest.mark.parametrize("alone", [AccountPages, Devices, MailVerification, Password, Reauthenticate, Registration])
def test_pages_do_with_one_feature(tmp_path: Path, alone: type[Feature]) -> None:
    """Each feature's pages can be shown where there is no other."""
    client = Site(tmp_path, [alone()]).client()
    found = {client.get(f"/account{path}").status_code for path in PAGES}
    assert found <= {200, 303, 401, 404, 405}


def test_closed_and_by_invitation(tmp_path: Path) -> None:
    """Where nobody can sign up there is no form, and where invitations can, the page says so."""
    closed = Site(tmp_path, [Password(), Registration(mode=SignUp.CLOSED)]).client().get("/account/sign-up").text
    assert "New accounts can’t be made here." in closed
    assert "<form" not in closed
    invited = Site(tmp_path, [Password(), Registration(mode=SignUp.INVITATION)]).client().get("/account/sign-up").text
    assert "You need an invitation" in invited


def test_the_fields_are_those_that_name_an_account(tmp_path: Path) -> None:
    """Forms ask for what accounts are named by."""
    names = Site(tmp_path, [Password(), Registration(identifiers=("username",))]).client()
    assert 'name="email"' not in names.get("/account/sign-up").text
    assert "User name</label>" in names.get("/account/sign-in").text
    both = Site(tmp_path, [Password(), Registration(identifiers=("username", "email"))]).client()
    assert {"email", "username"} <= set(re.findall(r'name="(\w+)"', both.get("/account/sign-up").text))
    assert "Mail address or user name</label>" in both.get("/account/sign-in").text


def test_a_name_that_is_taken_is_said_at_its_field(tmp_path: Path) -> None:
    """What is wrong with a user name that is taken stands at the field, which has the focus."""
    client = Site(tmp_path, [Password(), Registration(identifiers=("username",))]).client()
    fields = {"username": "ada", "password": PASSWORD}
    client.post("/account/sign-up", data=fields)
    page = client.post("/account/sign-up", data=fields).text
    assert 'id="error-username">This name is taken.' in page
    assert 'value="ada"' in page


# -- signing out ------------------------------------------------------------------------------------------------------


def test_signing_out_has_a_page(site: Site) -> None:
    """A link to sign out leads to a button, since a link changes nothing, and afterwards nobody is named."""
    member = site.member()
    asked = member.get("/account/sign-out").text
    assert f"You are signed in as {ADA}." in asked
    done = member.post("/account/sign-out").text
    assert "You are signed out" in done
    assert ADA not in done
    assert 'href="/account/sign-in"' in done
    assert "You are signed out" in member.get("/account/sign-out").text


# -- links that are of no use any more --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "again"), [("/verify", "/account/verify/request"), ("/password-reset/choose", "/account/password-reset")]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_does_not_work_leads_to_another(site: Site, method: str, path: str, again: str) -> None:
    """Whoever comes by an old link is told why it does not work, and where to get a new one."""
    client = site.client()
    client.get(f"/account{path.removesuffix('/choose')}/a.b")
    page = client.open(f"/account{path}", method=method, data={"password": PASSWORD} if "reset" in path else {})
    assert page.status_code == 401
    assert "A link works once" in page.text
    assert f'href="{again}"' in page.text


def test_a_form_without_its_link(site: Site) -> None:
    """Whoever sends the form without having come by a link gets no field for it, but a way to a new one."""
    page = site.client().post("/account/verify").text
    assert 'href="/account/verify/request"' in page
    assert "<button" not in page


# -- proving once more ------------------------------------------------------------------------------------------------


class Knock(Feature):
    """Another way to prove who one is: for tests only."""

    name = "knock"
    proves = "knock"

    @action("POST", "/knock", title="Knock three times", page="knock")
    def knock(self, ctx: Context) -> Reply[None]:
        """Do nothing."""
        del ctx
        return Reply(None)


def test_a_choice_of_ways(tmp_path: Path) -> None:
    """With several ways to prove it, the page names each, and carries along where the person wants to go."""
    site = Site(tmp_path, [*everything(), Knock()])
    put(tmp_path, "knock.html", "")
    member = site.member()
    keeper: Any = vars(site.app)["login_manager"].keeper
    with site.app.test_request_context():
        ctx = keeper.accounts.context()
        account = keeper.accounts.store.find_account(ADA)
        kept = ctx.credentials.list_credentials(account.id)[0]
        ctx.credentials.add_credential(msgspec.structs.replace(kept) if False else _another(kept))
    page = member.get("/account/reauthenticate?next=/inbox?a=1%262").text
    assert "Knock three times" in page
    assert "Confirm with your password" in page
    assert 'href="/account/knock?next=/inbox%3Fa%3D1%262"' in page or "next=/inbox" in page


def _another(kept: Any) -> Any:
    from dataclasses import replace

    return replace(kept, id="another", kind="knock")


def test_no_way_at_all(site: Site) -> None:
    """Without a way to prove it, the page says so and offers to sign out."""
    member = site.member()
    keeper: Any = vars(site.app)["login_manager"].keeper
    account = keeper.accounts.store.find_account(ADA)
    for kept in keeper.accounts.credentials.list_credentials(account.id):
        keeper.accounts.credentials.delete_credential(kept.id)
    page = member.get("/account/reauthenticate").text
    assert "There is no way to confirm it" in page
    assert 'action="/account/sign-out"' in page


# -- what is never shown ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*GUEST_FORMS, *MEMBER_FORMS])
def test_117_markup_is_text(site: Site, path: str) -> None:
    """Whatever is typed into a field, or made up as one, is text on the page that comes back."""
    client = site.member() if path in MEMBER_FORMS else site.client()
    names = {**GUEST_FORMS, **MEMBER_FORMS}[path]
    attempts: list[dict[str, str]] = [dict.fromkeys(names, HOSTILE), {HOSTILE: HOSTILE}]
    attempts += [{name: HOSTILE} for name in names]
    for data in attempts:
        for back in (HOSTILE, f"/{HOSTILE}"):
            page = client.post(f"/account{path}", data={**data, "next": back}, query_string={"next": back}).text
            assert "<script>alert" not in page
            assert "49" not in re.sub(r"[\w.-]{20,}", "", page)
            assert not re.search(r"""value="[^"]*"[^\s>/]""", page)


def test_117_a_browser_with_a_hostile_name(site: Site) -> None:
    """What a browser calls itself is text on the page of devices."""
    site.member()
    client = site.client()
    client.environ_base["HTTP_USER_AGENT"] = "<script>alert(1)</script> on <i>"
    sign_in(client)
    page = client.get("/account/devices").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;" in page


@pytest.mark.parametrize("path", [*GUEST_FORMS, *MEMBER_FORMS])
def test_no_secret_comes_back(site: Site, path: str) -> None:
    """A password and a token that were typed are not on the page that says what was wrong."""
    client = site.member() if path in MEMBER_FORMS else site.client()
    for name in {**GUEST_FORMS, **MEMBER_FORMS}[path]:
        if name not in {"email", "username", "identifier", "remember"}:
            data = {"identifier": "x", "email": "x", "old_password": WRONG, "password": WRONG, name: WRONG}
            known = {**GUEST_FORMS, **MEMBER_FORMS}[path]
            page = client.post(f"/account{path}", data={key: data[key] for key in data if key in known})
            assert page.status_code >= 400
            assert WRONG not in page.text


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """Every kind of field."""

    name: str
    plain: str | None = None
    secret: Secret
    perhaps: Secret | None = None
    several: list[Secret] = []


class Echo(Feature):
    """Shows what a template could show: for tests only."""

    name = "echo"

    @action("POST", "/echo", title="Echo", page="echo")
    def echo(self, ctx: Context, form: Form) -> Reply[None]:
        """Take everything."""
        del ctx, form
        return Reply(None)


def test_templates_are_not_even_given_secrets(tmp_path: Path) -> None:
    """Of what was typed a template gets what is no secret and has a field, so that no mistake in it shows another."""
    put(tmp_path, "echo.html", "{{ values|tojson }}")
    client = Site(tmp_path, [Echo()]).client()
    sent = {"name": "Ada", "plain": "yes", "secret": WRONG, "perhaps": WRONG, "several": WRONG, "other": "no"}
    assert client.post("/account/echo", data=sent).json == {"name": "Ada", "plain": "yes"}
    assert client.post("/account/echo", data={"secret": WRONG}).json == {}


# -- what is carried along --------------------------------------------------------------------------------------------


def test_where_to_go_on_to(site: Site) -> None:
    """The page that somebody wanted is carried through the form; a page of another site is not."""
    site.member()
    client = site.client()
    assert '<input type="hidden" name="next" value="/inbox">' in client.get("/account/sign-in?next=/inbox").text
    assert "evil" not in client.get("/account/sign-in?next=//evil.example").text
    assert 'value="/inbox"' in sign_in(client, password=WRONG, next="/inbox").text
    assert sign_in(client, next="/inbox").location == "/inbox"


def test_how_long_to_wait(tmp_path: Path) -> None:
    """Whoever is slowed down is told for how long."""
    client = Site(tmp_path, everything(), ADMIT_THROTTLE_PAIR_BURST=1).client()
    sign_in(client)
    page = sign_in(client)
    assert page.status_code == 429
    assert re.search(r"You can try again in \d+ seconds\.", page.text)


def test_an_unconfirmed_address_can_ask_again(site: Site) -> None:
    """Whoever knows the password of an account that waits is shown the way to another link."""
    client = site.client()
    client.post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    page = sign_in(client).text
    assert "Please confirm your mail address first" in page
    assert 'href="/account/verify/request"' in page


def test_times_are_said(site: Site) -> None:
    """The page of devices says in words when each was used."""
    member = site.member()
    site.clock.advance(timedelta(minutes=3))
    sign_in(site.client())
    site.clock.advance(timedelta(seconds=30))
    assert "Last used <time" in member.get("/account/devices").text


# -- languages --------------------------------------------------------------------------------------------------------


def translate(folder: Path, language: str, **sentences: str) -> None:
    """Write a catalog of the application."""
    catalog = Catalog(Locale.parse(language), creation_date=datetime.now(UTC))
    for sentence, said in sentences.items():
        catalog.add(sentence.replace("_", " "), said)
    path = folder / "translations" / language / "LC_MESSAGES" / "admit.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(compiled(catalog))


@pytest.mark.parametrize(
    ("wanted", "language", "heading"),
    [
        ("de", "de", "Anmelden"),
        ("de-AT,en;q=0.5", "de", "Anmelden"),
        ("en-US,de;q=0.5", "en", "Sign in"),
        ("fr", "en", "Sign in"),
        ("*", "en", "Sign in"),
        ("x" * 300, "en", "Sign in"),
    ],
)
def test_the_language_is_the_readers(site: Site, wanted: str, language: str, heading: str) -> None:
    """A page is in the language that the browser prefers, says which it is, and is cached for that one only."""
    page = site.client().get("/account/sign-in", headers={"Accept-Language": wanted})
    assert f'<html lang="{language}">' in page.text
    assert f"<h1>{heading}</h1>" in page.text
    assert "Accept-Language" in page.vary


def test_errors_and_mails_are_in_it_too(site: Site) -> None:
    """What is wrong, JSON and mails are in the language of who asked."""
    client = site.client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de"
    page = client.post("/account/sign-up", data={"email": "x", "password": "short"}).text
    assert "Bitte geben Sie eine E-Mail-Adresse ein" in page
    assert "<title>Fehler: Registrieren" in page
    answer = client.post("/api/account/sign-up", json={"email": ADA, "password": "short"}).json
    assert answer is not None
    assert answer["fields"]["password"].startswith("Bitte mindestens 15 Zeichen.")
    client.post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    assert site.mails[-1].subject == "Bestätigen Sie Ihre Adresse für Harbour"
    assert "Er gilt einmal, für 24 Stunden." in site.mails[-1].text
    assert '<html lang="de">' in str(site.mails[-1].html)


def test_an_application_adds_a_language(tmp_path: Path) -> None:
    """A catalog beside the application's templates is a language more, and what it does not say is in English."""
    translate(tmp_path, "fr", Sign_in="Se connecter")
    client = Site(tmp_path, everything()).client()
    page = client.get("/account/sign-in", headers={"Accept-Language": "fr, de;q=0.5"}).text
    assert "<h1>Se connecter</h1>" in page
    assert "Password</label>" in page


def test_an_application_says_it_in_its_own_words(tmp_path: Path) -> None:
    """What a catalog of the application says comes before what ours says, in our languages too."""
    translate(tmp_path, "de", Sign_in="Anlegen")
    translate(tmp_path, "en", Sign_in="Come aboard")
    client = Site(tmp_path, everything()).client()
    german = client.get("/account/sign-in", headers={"Accept-Language": "de"}).text
    assert "<h1>Anlegen</h1>" in german
    assert "Passwort</label>" in german
    assert "<h1>Come aboard</h1>" in client.get("/account/sign-in").text


# -- mails ------------------------------------------------------------------------------------------------------------


def test_every_mail_is_text_and_markup(site: Site) -> None:
    """Each mail has one line for its subject, and the same link in both of its forms; nothing in it is a request's."""
    member = site.member()
    site.client().post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    site.client().post("/account/password-reset", data={"identifier": ADA})
    member.post("/account/password", data={"old_password": PASSWORD, "password": WRONG})
    assert [mail.subject for mail in site.mails] == [
        "Confirm your address for Harbour",
        "You have an account at Harbour already",
        "A new password for Harbour",
        "Your password at Harbour has changed",
    ]
    for mail in site.mails:
        link = re.search(r"http://127\.0\.0\.1:5000\S+", mail.text)
        assert link is not None
        assert f'href="{link[0]}"' in str(mail.html)
        assert "<" not in mail.text


def test_a_welcome(tmp_path: Path) -> None:
    """Where no address has to be confirmed, the first mail is a welcome."""
    site = Site(tmp_path, [Password(), Registration()], ADMIT_SITE_NAME="Rum & <Co>")
    site.client().post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    assert site.mails[-1].subject == "Welcome to Rum & <Co>"
    assert "Welcome to Rum &amp; &lt;Co&gt;" in str(site.mails[-1].html)
