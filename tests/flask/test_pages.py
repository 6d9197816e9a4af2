"""The pages of features: whose templates they are, what they say, to whom, and what they never show."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from flask import Flask, render_template

from admit.feature import Context, Feature, Reply, Secret, action
from admit.features import everything, working
from admit.features.account import AccountPages
from admit.features.devices import Devices
from admit.features.mail_verification import MailVerification
from admit.features.password import Password
from admit.features.reauthenticate import Reauthenticate
from admit.features.registration import Registration, SignUp
from admit.flask import LoginManager
from tests.flask.page_site import ADA, PASSWORD, WRONG, Site, sign_in

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "\"'><script>alert(1)</script>{{ 7 * 7 }}"

#: The forms that a guest can send, and the names of their fields.
GUEST_FORMS = {
    "/sign-in": ("identifier", "password", "remember"),
    "/sign-up": ("email", "username", "password", "invitation"),
    "/verify/request": ("email",),
    "/verify": ("token",),
    "/password-reset": ("identifier",),
    "/password-reset/choose": ("password", "token"),
    "/magic-link": ("identifier", "remember"),
    "/magic-link/code": ("code",),
    "/magic-link/use": ("token",),
    "/mail-change/undo": ("token",),
    "/new-device": ("token",),
    "/sign-out": (),
}
MEMBER_FORMS = {
    "/password": ("old_password", "password"),
    "/password/confirm": ("password",),
    "/mail-change": ("email",),
    "/mail-change/confirm": ("token",),
    "/devices": (),
    "/devices/nothing": (),
}
PAGES = ["/", "/devices", "/reauthenticate", *GUEST_FORMS, *MEMBER_FORMS]


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
        "admit/password/sign_in.html",
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


def test_a_request_of_another_site_gets_the_plainest_page(site: Site) -> None:
    """Who comes from another site is refused on a page of ours, in their language."""
    headers = {"Sec-Fetch-Site": "cross-site", "Accept-Language": "de"}
    page = site.client().post("/account/sign-in", headers=headers)
    assert page.status_code == 403
    assert "<h1>Diese Anfrage kam von einer anderen Website.</h1>" in page.text
    assert "Harbour</a>" in page.text


# -- what is there and what is not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", [type(one) for one in everything()])
def test_pages_do_without_one_feature(tmp_path: Path, absent: type[Feature]) -> None:
    """Whatever feature an application leaves out, the pages of the others link to nothing that is not there."""
    site = Site(tmp_path, working(one for one in everything() if type(one) is not absent))
    member = site.client() if absent in {Password, Registration} else site.member()
    for client in (member, site.client()):
        for path in PAGES:
            page = client.get(f"/account{path}")
            assert page.status_code in {200, 302, 303, 401, 404, 405, 410}, (path, page.text)
            for link in set(re.findall(r'(?:href|action)="(/account[^"?]*)', page.text)):
                methods = {"GET", "POST"} & set(site.app.url_map.bind("").allowed_methods(link))
                assert methods or link == "/account/", (path, link)


@pytest.mark.parametrize("alone", [AccountPages, Devices, MailVerification, Password, Reauthenticate, Registration])
def test_pages_do_with_one_feature(tmp_path: Path, alone: type[Feature]) -> None:
    """Each feature's pages can be shown where there is no other."""
    client = Site(tmp_path, [alone()]).client()
    found = {client.get(f"/account{path}").status_code for path in PAGES}
    assert found <= {200, 303, 401, 404, 405, 410}


def test_closed_and_by_invitation(tmp_path: Path) -> None:
    """Where nobody can sign up there is no form, and where invitations can, the page says so."""
    closed = Site(tmp_path, [Password(), Registration(mode=SignUp.CLOSED)]).client().get("/account/sign-up").text
    assert "be made here." in closed
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
    assert page.status_code == 410
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
        ctx.credentials.add_credential(replace(kept, id="another", kind="knock"))
    page = member.get("/account/reauthenticate?next=/inbox?a=1%262").text
    assert "Knock three times" in page
    assert "Confirm with your password" in page
    assert 'href="/account/knock?next=/inbox%3Fa%3D1%262"' in page


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
    assert client.post("/account/echo", data=sent).get_json(force=True) == {"name": "Ada", "plain": "yes"}
    assert client.post("/account/echo", data={"secret": WRONG}).get_json(force=True) == {}


# -- what is carried along --------------------------------------------------------------------------------------------


def test_where_to_go_on_to(site: Site) -> None:
    """The page that somebody wanted is carried through the form; a page of another site is not."""
    site.member()
    client = site.client()
    assert '<input type="hidden" name="next" value="/inbox">' in client.get("/account/sign-in?next=/inbox").text
    assert "evil" not in client.get("/account/sign-in?next=//evil.example").text
    assert 'value="/inbox"' in sign_in(client, password=WRONG, next="/inbox").text
    assert sign_in(client, next="/inbox").location == "/inbox"


def test_a_site_below_a_path(tmp_path: Path) -> None:
    """Where the server mounts the application below a path, pages lead to nowhere else on that host."""
    # Flask's test client comes to where this says that the application is.
    site = Site(tmp_path, everything(), APPLICATION_ROOT="/shop", SERVER_NAME="localhost", ADMIT_AFTER_LOGIN="/basket")
    member = site.member()
    for path in ("/", "/devices", "/password", "/sign-up"):
        page = member.get(f"/account{path}").text
        found = re.findall(r'(?:href|action|src|data-[\w-]+)="(/[^"]*)"', page)
        assert found
        assert [one for one in found if not one.startswith("/shop/")] == []
    assert sign_in(member).location == "/shop/basket"
    assert sign_in(member, next="/shop/account/devices").location == "/shop/account/devices"
    assert member.get("/.well-known/change-password").location == "/shop/account/password"
    guest = site.client()
    way = guest.get("/account/devices").location
    assert way == "/shop/account/sign-in?next=http%3A%2F%2Flocalhost%2Fshop%2Faccount%2Fdevices"
    guest.post("/account/password-reset", data={"identifier": ADA})
    assert "http://localhost/shop/account/password-reset/" in site.mails[-1].text


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


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    ("url", "proto", "is_told"),
    [
        ("http://192.168.1.5:5000", None, True),
        ("http://app.example", None, True),
        ("http://app.example", "http", True),
        ("http://localhost:5000", None, False),
        ("http://127.0.0.1:5000", None, False),
        ("https://app.example", None, False),
        ("http://app.example", "https", False),  # a proxy that nobody has said is there
    ],
)
@pytest.mark.parametrize("path", ["/account/sign-in", "/account/sign-up"])
def test_u22_plain_http_is_told_on_the_pages(
    url: str,
    proto: str | None,
    is_told: bool,  # noqa: FBT001 -- a parameter
    debug: bool,  # noqa: FBT001 -- a parameter
    path: str,
) -> None:
    """Where browsers drop the cookie, a page says why people have to sign in again and again."""
    app = Flask("site")
    app.debug = debug
    app.config.update(SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566", ADMIT_PUBLIC_URL="https://app.example")
    features = [Password(), Registration(identifiers=("username",))]
    LoginManager(app, store="memory:", features=features, mail=lambda _: None)
    headers = {"X-Forwarded-Proto": proto} if proto else {}
    page = app.test_client().get(path, base_url=url, headers=headers)
    assert page.status_code == 200
    assert ("not served over https" in page.text) == is_told
