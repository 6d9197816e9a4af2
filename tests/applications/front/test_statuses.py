"""A client that signs people out at every 401: it does so only where signing in helps."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.features import everything
from admit.flask import LoginManager, UserMixin, fresh_login_required, login_required, login_user
from admit.flask.openapi import describe
from admit.testing import Clock

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from admit.mail import Message

HOST = "https://app.example.org"
ADA, PASSWORD, OTHER = "ada@example.org", "seven green umbrellas in the attic", "nine red kites above the harbour"
LOGIN = {"identifier": ADA, "password": PASSWORD}


class Site:
    """An application with every feature, and the mails that it has sent."""

    def __init__(self) -> None:
        self.app, self.clock = Flask("site"), Clock()
        self.app.config.update(
            SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566",
            ADMIT_PUBLIC_URL=HOST,
            ADMIT_SESSION_FRESH_WITHIN=timedelta(minutes=5),
        )
        self.mails: list[Message] = []
        self.manager: LoginManager[Any] = LoginManager(
            self.app, store="memory:", features=everything(), mail=self.mails.append, clock=self.clock
        )
        self.app.add_url_rule("/basket", "basket", login_required(lambda: "basket"))
        self.app.add_url_rule("/payout", "payout", fresh_login_required(lambda: "paid"))

    def token(self) -> str:
        """Return the token of the link in the last mail."""
        found = re.search(rf"{HOST}/account/\S*/([\w.-]{{20,}})", self.mails[-1].text)
        assert found
        return found[1]

    def ada(self) -> FlaskClient:
        """Return a browser in which Ada is signed in, with her address confirmed."""
        client = self.app.test_client()
        send(client, "POST", "/sign-up", email=ADA, password=PASSWORD)
        assert send(client, "POST", "/verify", token=self.token()).status_code == 200
        assert send(client, "POST", "/sign-in", **LOGIN).status_code == 200
        return client

    def bearer(self) -> dict[str, str]:
        """Return the header of a client without cookies that Ada has signed in with."""
        client = self.app.test_client(use_cookies=False)
        answer = client.post("/api/account/sign-in", json=LOGIN, headers={"Admit-Carrier": "bearer"}, base_url=HOST)
        return {"Authorization": f"Bearer {answer.headers['Admit-Token']}"}


def send(client: FlaskClient, method: str, path: str, **sent: Any) -> TestResponse:
    """Ask the JSON API."""
    return client.open(f"/api/account{path}", method=method, json=sent, base_url=HOST)


def get(client: FlaskClient, path: str, headers: dict[str, str]) -> TestResponse:
    """Ask as a client that prefers JSON."""
    return client.get(path, headers={"Accept": "application/json", **headers}, base_url=HOST)


def said(answer: TestResponse) -> tuple[int, str]:
    """Return the status and the code of a problem, which say the same in head and body."""
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == answer.status_code
    assert (answer.status_code == 401) is ("WWW-Authenticate" in answer.headers)
    return answer.status_code, answer.json["code"]


@pytest.fixture
def site() -> Site:
    """Return a new one."""
    return Site()


def test_n09_401_where_signing_in_helps(site: Site) -> None:
    """No session, an ended one, and wrong credentials at sign-in are 401."""
    client = site.ada()
    guest = site.app.test_client()
    assert said(get(guest, "/api/account/", {})) == (401, "session_required")
    assert said(get(guest, "/basket", {})) == (401, "session_required")
    wrong = {"identifier": ADA, "password": "wrong"}
    assert said(send(guest, "POST", "/sign-in", **wrong)) == (401, "invalid_credentials")
    assert said(send(guest, "POST", "/password", old_password=PASSWORD, password=OTHER)) == (401, "session_required")
    other = site.app.test_client()
    assert send(other, "POST", "/sign-in", **LOGIN).status_code == 200
    assert send(other, "DELETE", "/devices").status_code == 200
    assert said(get(client, "/api/account/", {}))[0] == 401


def test_n09_a_wrong_current_password_is_403(site: Site) -> None:
    """Somebody who is signed in and gives a wrong current password stays signed in, on the page and in JSON."""
    client = site.ada()
    wrong = {"old_password": "wrong", "password": OTHER}
    assert said(send(client, "POST", "/password", **wrong)) == (403, "invalid_credentials")
    assert said(send(client, "POST", "/password/confirm", password="wrong")) == (403, "invalid_credentials")
    assert client.post("/account/password", data=wrong, base_url=HOST).status_code == 403
    assert client.post("/account/password/confirm", data={"password": "wrong"}, base_url=HOST).status_code == 403
    assert get(client, "/basket", {}).status_code == 200


def test_n09_a_link_that_is_used_replaced_too_old_or_made_up_is_410(site: Site) -> None:
    """Each kind of link that does not count any more is gone, and all have one face."""
    guest = site.app.test_client()
    site.ada()
    used = {"token": site.token()}
    assert said(send(guest, "POST", "/verify", **used)) == (410, "invalid_challenge")
    assert guest.post("/account/verify", data=used, base_url=HOST).status_code == 410
    for _ in range(2):
        send(guest, "POST", "/password-reset", identifier=ADA)
    replaced = re.search(r"/([\w.-]{20,})\s", site.mails[-2].text)
    assert replaced
    late = site.token()
    for token in (replaced[1], "nonsense", "x" * 66, used["token"]):
        sent = {"token": token, "password": OTHER}
        assert said(send(guest, "POST", "/password-reset/choose", **sent)) == (410, "invalid_challenge")
    site.clock.advance(timedelta(days=8))
    sent = {"token": late, "password": OTHER}
    assert said(send(guest, "POST", "/password-reset/choose", **sent)) == (410, "invalid_challenge")
    assert said(send(guest, "POST", "/magic-link/use", token=late)) == (410, "invalid_challenge")
    assert said(send(guest, "POST", "/new-device", token=late)) == (410, "invalid_challenge")


def test_n09_a_wrong_code_is_a_wrong_field_unless_it_signs_in(site: Site) -> None:
    """A wrong code that confirms an address is 422; one that signs in is a wrong credential, 401."""
    guest = site.app.test_client()
    send(guest, "POST", "/sign-up", email="bob@example.org", password=PASSWORD)
    assert said(send(guest, "POST", "/verify/code", code="0000 0000")) == (422, "wrong_code")
    site.ada()
    send(guest, "POST", "/magic-link", identifier=ADA)
    assert said(send(guest, "POST", "/magic-link/code", code="0000 0000")) == (401, "wrong_code")


def test_n09_a_cookie_that_is_not_fresh_is_403_and_a_bearer_token_401(site: Site) -> None:
    """A browser confirms its session; a client with a token gets another one, as RFC 9470 says, from guards too."""
    client, bearer = site.ada(), site.bearer()
    plain = site.app.test_client(use_cookies=False)
    site.clock.advance(timedelta(hours=1))
    assert said(send(client, "POST", "/close")) == (403, "reauthentication_required")
    assert said(get(client, "/payout", {})) == (403, "reauthentication_required")
    # A key of the application's own in that header makes no bearer of a browser.
    assert said(get(client, "/payout", {"Authorization": "Bearer of-the-application"}))[0] == 403
    for path, most in (("/api/account/close", ', max_age="300"'), ("/payout", "")):
        method = "POST" if path.startswith("/api") else "GET"
        answer = plain.open(path, method=method, headers={"Accept": "application/json", **bearer}, base_url=HOST)
        assert said(answer) == (401, "reauthentication_required")
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="login", error="insufficient_user_authentication", ')
        assert challenge.endswith(f'"{most}')
        assert answer.json["methods"]


def test_n09_a_bearer_token_that_counts_no_more_is_401(site: Site) -> None:
    """An ended token and one that never was are told by the challenge of bearer tokens; who has none, by the other."""
    site.ada()
    bearer = site.bearer()
    plain = site.app.test_client(use_cookies=False)
    plain.post("/api/account/sign-out", headers=bearer, base_url=HOST)
    for headers in (bearer, {"Authorization": "Bearer nonsense"}):
        for path in ("/api/account/", "/basket"):
            answer = get(plain, path, headers)
            assert said(answer)[0] == 401
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="login", error="invalid_token"'
    assert get(plain, "/basket", {}).headers["WWW-Authenticate"] == 'Cookie realm="login"'


def test_n09_a_taken_name_is_409_and_a_field_422() -> None:
    """What clashes is 409, and what is wrong with a field is 422 and names it."""
    app = Flask("site")
    app.config.update(TESTING=True, SECRET_KEY="of the tests", ADMIT_REGISTRATION_IDENTIFIERS=("username",))
    LoginManager(app, store="memory:", features=everything(), mail=[].append)
    client = app.test_client()
    assert send(client, "POST", "/sign-up", username="ada", password=PASSWORD).status_code == 202
    assert said(send(client, "POST", "/sign-up", username="ada", password=PASSWORD)) == (409, "identifier_taken")
    weak = send(client, "POST", "/sign-up", username="bob", password="short")
    assert (said(weak), list(weak.json["fields"])) == ((422, "invalid_input"), ["password"])


def test_n09_the_description_lists_these_statuses(site: Site) -> None:
    """What generated clients are made of has each code at the status that it comes with."""
    paths = describe(site.app.login_manager.keeper.accounts)["paths"]  # type: ignore[attr-defined]

    def codes(path: str, status: str) -> set[str]:
        content = paths[f"/api/account{path}"]["post"]["responses"][status]["content"]["application/problem+json"]
        assert all(one["value"]["status"] == int(status) for one in content["examples"].values())
        return set(content["examples"])

    assert "invalid_credentials" in codes("/sign-in", "401")
    assert "invalid_credentials" in codes("/password", "403")
    assert "invalid_credentials" not in codes("/password", "401")
    assert "invalid_challenge" in codes("/verify", "410")
    assert "wrong_code" in codes("/verify/code", "422")
    assert "wrong_code" in codes("/magic-link/code", "401")
    assert "reauthentication_required" in codes("/close", "401") & codes("/close", "403")


class Person(UserMixin):
    """A user of an application without accounts: for tests only."""

    def __init__(self, id: str) -> None:  # noqa: A002 -- what the mixin reads
        self.id = id


def test_n09_guards_of_an_application_without_accounts() -> None:
    """With sessions in a store and no features, the guards tell cookies and bearer tokens the same way."""
    app, clock = Flask("site"), Clock()
    app.config.update(SECRET_KEY="of the tests", ADMIT_PROBLEM_JSON=True)
    manager: LoginManager[Any] = LoginManager(app, store="memory:", clock=clock)
    manager.user_loader(Person)
    app.add_url_rule("/payout", "payout", fresh_login_required(lambda: "paid"))
    app.add_url_rule("/in", "in", lambda: str(login_user(Person("ada"))))
    client = app.test_client()
    client.get("/in", base_url=HOST)
    token = manager.sessions.gate.admit("ada", "password").token
    clock.advance(timedelta(hours=1))
    assert said(get(client, "/payout", {})) == (403, "reauthentication_required")
    plain = app.test_client(use_cookies=False)
    answer = get(plain, "/payout", {"Authorization": f"Bearer {token}"})
    assert said(answer) == (401, "reauthentication_required")
    assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]
    ended = get(plain, "/payout", {"Authorization": "Bearer nonsense"})
    assert (said(ended)[0], "invalid_token" in ended.headers["WWW-Authenticate"]) == (401, True)
