"""Accounts in an application: users without a loader, roles, settings, mails, and what is described of it all."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from flask import Flask
from openapi_spec_validator import validate

from admit import tokens
from admit.errors import ConfigurationError, SessionRequired, StepUpRequired, StoreError
from admit.feature import Action, Context, Demand, Face, Feature, Reply, action
from admit.features import everything
from admit.flask import LoginManager, current_user, login_user
from admit.flask.accounts import by_name
from admit.flask.members import AccountUser, roles_required
from admit.flask.mixins import UserMixin
from admit.flask.settings import AccountSettings
from admit.known_devices import KIND
from admit.mail import sender_of
from admit.model import Credential
from admit.settings import setting
from admit.stores.memory import MemoryStore
from tests.features.conftest import ADA, PHRASE, Codes, Phrases, Site

if TYPE_CHECKING:
    from tests.features.conftest import Client


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """Something to say."""

    word: str


class Parrot(Feature):
    """A feature of somebody else's, outside of the package."""

    name = "parrot"
    second_factor = False

    times: int = setting(2, "How often it says it.")

    @action("POST", "/parrot", title="Say it", page="phrases/login")
    def say(self, ctx: Context, form: Echo) -> Reply[Echo]:
        """Say it again, ``times`` times; see :class:`Parrot`."""
        return Reply(Echo(word=form.word * self.times))

    @action("GET", "/parrot/<int:count>", title="Count", faces=[Face.JSON], demands=Demand.FRESH)
    def count(self, ctx: Context, count: int) -> Reply[Echo]:
        """Say a number."""
        return Reply(Echo(word=str(count)))

    @action("POST", "/parrot/nothing", title="Say nothing", demands=Demand.FRESH)
    def hush(self, ctx: Context) -> Reply[None]:
        """Say nothing."""
        return Reply(None, to="/quiet")

    @action("POST", "/parrot/away", title="Fly away", page="phrases/login", status=204)
    def leave(self, ctx: Context) -> Reply[None]:
        """Log out."""
        ctx.leaves = True
        return Reply(None)

    @action("POST", "/parrot/letter", title="Write", page="phrases/login", demands=Demand.SESSION)
    def write(self, ctx: Context) -> Reply[None]:
        """Send its owner a mail."""
        ctx.send(ctx.demand_account(), "phrases/mail")
        return Reply(None)


@pytest.fixture
def site() -> Site:
    """Return a site with a feature of somebody else's."""
    return Site(Phrases(), Parrot(), Codes(), ADMIT_PARROT_TIMES=3)


@pytest.mark.parametrize("face", ["json", "page"])
def test_a_feature_from_elsewhere(site: Site, face: str) -> None:
    """A feature outside of the package has routes, settings from the configuration, and strict input."""
    client = site.client(face)
    answer = client.send("/parrot", word="ha")
    assert answer.status_code == 200
    assert "hahaha" in answer.text
    assert client.send("/parrot", word="ha", other="x").status_code == 422
    assert client.send("/parrot/nothing", word="x").status_code in {303, 401}


def test_what_demands_a_fresh_login(site: Site) -> None:
    """An action that demands a fresh login gets one, and refuses a stale one with what would do."""
    site.account()
    client = site.client()
    client.log_in()
    assert client.get("/parrot/7").json == {"word": "7"}
    assert client.send("/parrot/nothing").status_code == 204
    site.pass_time(hours=1)
    refused = client.get("/parrot/7")
    assert refused.status_code == 403
    assert refused.json["methods"][0]["name"] == "phrases"
    page = site.client("page")
    page.log_in()
    assert page.send("/parrot/nothing").location == "/quiet"
    site.pass_time(hours=1)
    assert page.send("/parrot/nothing").status_code == 403  # there is no page to prove it on


def test_a_form_of_what_demands_a_session() -> None:
    """The form of an action is shown to whom the action would serve, and leads others to log in."""

    class Locked(Feature):
        name = "locked"

        @action("POST", "/locked", title="Locked", page="phrases/login", demands=Demand.SESSION)
        def open(self, ctx: Context, form: Echo) -> Reply[Echo]:
            """Open it."""
            return Reply(form)

    site = Site(Phrases(), Locked())
    site.account()
    client = site.client("page")
    assert client.get("/locked").location == "/account/phrase?next=%2Faccount%2Flocked"
    client.log_in()
    assert client.get("/locked").status_code == 200


def test_cross_site_forms_are_not_shown_elsewhere(site: Site) -> None:
    """A frame of another site gets a plain refusal instead of a form, and a script of one a problem document."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    page = site.app.test_client().get("/account/phrase", headers=headers)
    assert page.status_code == 403
    assert page.mimetype == "text/html"
    problem = site.app.test_client().get("/api/account/parrot/1", headers=headers)
    assert problem.json["code"] == "cross_site_request"


def test_the_user_is_the_account(site: Site) -> None:
    """Without a user_loader, current_user is the account; it has what Flask-Login asks of a user."""
    account = site.account(roles=frozenset({"editor"}))
    seen: list[Any] = []
    site.app.add_url_rule("/see", "see", lambda: seen.append(current_user._get_current_object()) or "seen")
    client = site.client()
    client.log_in()
    client.http.get("/see")
    [user] = seen
    assert isinstance(user, AccountUser)
    assert user.get_id() == user.id == account.id
    assert (user.email, user.username, user.label) == (ADA, None, ADA)
    assert user.is_authenticated
    assert user.is_verified
    assert user.roles == {"editor"}
    assert user.created_at == account.created_at


def test_a_locked_account_is_nobody(site: Site) -> None:
    """Whose account is locked is nobody at the next request, though the session is there."""
    from dataclasses import replace

    account = site.account()
    client = site.client()
    client.log_in()
    site.store.replace_account(account, replace(account, locked_at=site.clock()))
    assert not client.is_in


def test_the_applications_own_user() -> None:
    """With a user_loader, current_user is the application's own object, made of the account's id."""

    class Own(UserMixin):
        label = "my own"

        def __init__(self, subject: str) -> None:
            self.id = subject

    site = Site(Phrases(), loader=Own)
    site.account()
    client = site.client()
    client.log_in()
    assert client.http.get("/who").text == "my own"


@pytest.mark.parametrize(("roles", "status"), [((), 403), (("admin",), 200), (("admin", "x"), 200), (("x",), 403)])
def test_roles(roles: tuple[str, ...], status: int) -> None:
    """A view that wants a role is shown to who has it; others are refused, and strangers asked to log in."""
    site = Site(Phrases())
    site.account(roles=frozenset(roles))
    site.app.add_url_rule("/admin", "admin", roles_required("admin")(lambda: "secret"))
    client = site.client()
    assert client.http.get("/admin", headers={"Accept": "application/json"}).status_code == 401
    client.log_in()
    assert client.http.get("/admin").status_code == status
    api = client.http.get("/admin", headers={"Accept": "application/json"})
    assert api.status_code == status
    if status == 403:
        assert api.json["code"] == "role_required"


def test_roles_without_accounts() -> None:
    """Roles of the application's own users are asked for where there are no accounts of ours, too."""

    class Own(UserMixin):
        id = "ada"
        roles = ("staff",)

    app = Flask("site")
    app.config["SECRET_KEY"] = "x" * 32
    LoginManager(app).user_loader(lambda _: Own())
    app.add_url_rule("/log-in", "log_in", lambda: str(login_user(Own())))
    app.add_url_rule("/admin", "admin", roles_required("admin")(lambda: "secret"))
    app.add_url_rule("/staff", "staff", roles_required("staff")(lambda: "for staff"))
    client = app.test_client()
    assert client.get("/log-in").text == "True"
    assert client.get("/admin").status_code == 403
    assert client.get("/staff").text == "for staff"


def test_login_user_meets_the_second_factor(site: Site) -> None:
    """An application's own login_user does not get past an enrolled second factor, nor does a token for a client."""
    account = site.account()
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "123456", site.clock()))

    def login() -> str:
        return str(login_user(AccountUser(account)))

    site.app.add_url_rule("/own-login", "own_login", login)
    client = site.client()
    assert client.http.get("/own-login").text == "False"
    assert not client.is_in
    client.send("/code", identifier="", phrase="123456")
    assert client.is_in
    with site.app.test_request_context(), pytest.raises(StepUpRequired):
        site.manager.sessions.issue(AccountUser(account))


def test_a_half_done_login_of_somebody_else(site: Site) -> None:
    """Who logs in while the browser holds another's half-done login, or an old one, logs in as themselves."""
    account = site.account()
    site.account("bob@example.org")
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "1", site.clock()))
    client = site.client()
    client.log_in()
    client.log_in("bob@example.org")
    assert client.http.get("/who").text == "bob@example.org"
    client.http.set_cookie("admit-pending", "junk")
    client.log_in("bob@example.org")
    assert client.is_in


def test_a_session_that_ends_while_it_is_confirmed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose session ends at the moment of the proof has to log in."""
    site.account()
    client = site.client()
    client.log_in()
    monkeypatch.setattr(site.gate, "reauthenticate", lambda *_, **__: None)
    answer = client.send("/phrase/confirm", identifier=ADA, phrase="a phrase that will do")
    assert answer.status_code == 401


def test_several_accounts_on_one_device(site: Site) -> None:
    """One browser is known to the last accounts that were used on it."""
    site.account()
    site.account("bob@example.org")
    client = site.client()
    client.log_in()
    client.log_in("bob@example.org")
    marks = client.http.get_cookie("admit-devices").value.split("~")
    assert len(marks) == 2
    with site.app.test_request_context():
        devices = site.manager.keeper.accounts.devices
        for account in site.store.list_accounts():
            assert devices.recognize(marks, account.id)


def test_proxies_are_believed_when_they_are_counted() -> None:
    """The address that a proxy reports counts only where a setting says that there is one."""
    for proxies, expected in ((0, "127.0.0.1"), (1, "203.0.113.9")):
        site = Site(Phrases(), ADMIT_PROXIES=proxies)
        account = site.account()
        client = site.client()
        client.http.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.9"
        client.log_in()
        [session] = site.gate.sessions_of(account.id)
        assert session.client.address == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ADMIT_PREFIX", "account"),
        ("ADMIT_PREFIX", "/account/"),
        ("ADMIT_API_PREFIX", "/<x>"),
        ("ADMIT_PUBLIC_URL", "app.example"),
        ("ADMIT_PUBLIC_URL", "https://app.example/"),
        ("ADMIT_PUBLIC_URL", "https://app.example/path/"),
        ("ADMIT_PUBLIC_URL", "https://app.example/path?x"),
        ("ADMIT_PUBLIC_URL", "https://app.example//path"),
        ("ADMIT_PUBLIC_URL", "https://app.example/../path"),
        ("ADMIT_PUBLIC_URL", "https://somebody@app.example"),
        ("ADMIT_TRUSTED_ORIGINS", ("https://ok.example", "*")),
        ("ADMIT_PROXIES", -1),
        ("ADMIT_PARROT_TIMSE", 1),
    ],
)
def test_settings_that_are_refused(key: str, value: Any) -> None:
    """A setting that can't be is refused by its name when the application starts."""
    with pytest.raises(ConfigurationError, match=key):
        Site(Phrases(), Parrot(), **{key: value})


def test_settings_that_are_fine() -> None:
    """Origins and paths as they should be pass."""
    settings = AccountSettings(public_url="https://app.example:8443", trusted_origins=("http://localhost:3000",))
    assert settings.prefix == "/account"


def test_features_need_a_store_that_keeps_accounts() -> None:
    """Where nothing keeps accounts, the application does not start, and is told what would."""

    class SessionsOnly(MemoryStore):
        find_account: Any = property()

    app = Flask("x")
    app.testing = True
    bare = SessionsOnly()
    sessions = type(
        "Bare", (), {name: getattr(bare, name) for name in dir(bare) if "session" in name or name in NEEDED}
    )()
    with pytest.raises(ConfigurationError, match="keeps no accounts"):
        LoginManager(app, store=sessions, features=[Phrases()], mail=print)


NEEDED = {"get_ending", "purge", "close", "replace_secret"}


def test_two_features_of_one_name() -> None:
    """Two features can't have one name, and none can be without."""
    with pytest.raises(ConfigurationError, match="identifier of its own"):
        by_name([Parrot(), Parrot()], {})
    with pytest.raises(ConfigurationError, match="identifier of its own"):
        by_name([type("Nameless", (Feature,), {"name": ""})()], {})


class Mailing(Feature):
    """Sends mails."""

    name = "mailing"
    sends_mail = True


def test_mails_need_an_address_and_a_sender() -> None:
    """Outside of development, features that send mails do not start without an address to link to and a sender."""

    def start(**config: Any) -> None:
        app = Flask("x")
        app.config.update(config)
        LoginManager(app, store="memory:", features=[Mailing()])

    with pytest.raises(ConfigurationError, match="ADMIT_PUBLIC_URL"):
        start()
    with pytest.raises(ConfigurationError, match="ADMIT_MAIL_URL"):
        start(ADMIT_PUBLIC_URL="https://app.example")
    with pytest.raises(ConfigurationError, match="ADMIT_MAIL_URL"):
        start(SERVER_NAME="app.example", PREFERRED_URL_SCHEME="https")
    start(DEBUG=True)


def test_links_to_actions() -> None:
    """A link names an action; one that is not there leads to the account, or to where a setting says."""
    site = Site(Phrases(), ADMIT_AFTER_LOGIN="/home")
    with site.app.test_request_context():
        mailing = site.manager.keeper.accounts.mailing
        assert mailing.url("phrases.login") == "https://app.example/account/phrase"
        assert mailing.url("nothing.here") == "https://app.example/home"


def test_the_description_of_the_api() -> None:
    """The API is described as OpenAPI 3.1 has it, with every JSON route and no other."""
    site = Site(*everything(), Parrot())
    described = site.app.test_client().get("/api/openapi.json").json
    validate(described)
    routes = {
        (rule.rule.replace("<int:", "{").replace("<", "{").replace(">", "}"), method.lower())
        for rule in site.app.url_map.iter_rules()
        if rule.rule.startswith("/api/account")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, found in described["paths"].items() for method in found} == routes
    names = [one["operationId"] for found in described["paths"].values() for one in found.values()]
    assert len(set(names)) == len(names)
    assert ":class:" not in json.dumps(described)


def test_the_description_says_what_may_happen() -> None:
    """Every status that can come is described with its codes, and what has to be waited for with the header."""
    site = Site(Phrases(), Parrot())
    paths = site.app.test_client().get("/api/openapi.json").json["paths"]
    login = paths["/api/account/phrase"]["post"]["responses"]
    assert {"200", "400", "401", "403", "413", "415", "422", "429", "503"} == set(login)
    assert "`invalid_credentials`" in login["401"]["description"]
    assert "Retry-After" in login["429"]["headers"]
    assert "204" in paths["/api/account/parrot/away"]["post"]["responses"]
    assert paths["/api/account/parrot/letter"]["post"]["security"] == [{"cookie": []}, {"bearer": []}]
    assert (
        "`reauthentication_required`" in paths["/api/account/parrot/{count}"]["get"]["responses"]["403"]["description"]
    )


def test_an_action_describes_itself() -> None:
    """An action knows its input, its output, the parts of its path, and the first line of its docstring."""
    say, count, *_ = Parrot.actions()
    assert isinstance(say, Action)
    assert (say.input, say.output, say.arguments) == (Echo, Echo, [])
    assert (count.input, count.arguments) == (None, ["count"])
    assert count.summary == "Say a number."


def test_mails_of_those_without_an_address(site: Site) -> None:
    """An account without an address is sent nothing."""
    account = site.account(None)
    with site.app.test_request_context():
        site.manager.keeper.accounts.context().send(account, "phrases/mail")
    assert not site.mails


def test_a_challenge_by_remembering_is_kept(site: Site) -> None:
    """What a browser was given to keep is cleared by giving nothing."""
    client: Client = site.client()
    assert client.http.get_cookie("admit-kept-link") is None
    assert timedelta(days=1)


def test_a_client_without_cookies_leaves_no_mark(site: Site) -> None:
    """Who asks for the token in a header keeps no mark of a known device, and pushes none of others out."""
    account, form = site.account(), {"identifier": ADA, "phrase": PHRASE}

    def marks() -> int:
        return sum(one.kind == KIND for one in site.store.list_credentials(account.id))

    for _ in range(2):
        answer = site.client().http.post("/api/account/phrase", json=form, headers={"Admit-Carrier": "bearer"})
        assert answer.headers["Admit-Token"]
        assert marks() == 0
    site.client().log_in()
    assert marks() == 1


def test_asked_twice_in_one_request(site: Site) -> None:
    """The account of a request is read from the store once, however often it is asked for."""
    accounts = site.manager.keeper.accounts
    with site.app.test_request_context():
        assert accounts.account() is accounts.account() is None
        with pytest.raises(SessionRequired):
            accounts.context().demand_account()


@pytest.mark.parametrize("face", ["json", "page"])
def test_a_store_that_goes_down_on_the_way(face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails after the action has been done is a 503 in the form that was asked for."""
    site = Site(Parrot(), Phrases())
    site.account()
    client = site.client(face)
    client.log_in()

    def down(*_: object, **__: object) -> bool:
        message = "gone"
        raise StoreError(message)

    monkeypatch.setattr(site.store, "delete_session", down)
    answer = client.send("/parrot/away")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.mimetype == ("text/html" if face == "page" else "application/problem+json")


def test_a_sender_that_fails() -> None:
    """A mail that can't be sent is logged, and fails no request."""
    site = Site(Parrot(), Phrases())

    def fail(_: object) -> None:
        message = "no route"
        raise OSError(message)

    site.manager.keeper.accounts.mailing.sender = sender_of(fail)
    site.account()
    client = site.client()
    client.log_in()
    assert client.send("/parrot/letter").status_code == 204
