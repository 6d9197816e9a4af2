"""Whatever is sent to the JSON API, the answer is one that its description has, and none is a fault of ours."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from admit import identifiers, tokens
from admit.features import everything
from admit.flask import LoginManager
from admit.flask.openapi import describe
from admit.model import Account, Factor
from admit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemathesis import APIOperation, BaseSchema, Case, CheckContext, Response

    from admit.mail import Message

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: What counts as refused: the default of the fuzzer lacks 413.
REFUSED = {"checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 409, 413, 415, 422]}}}
#: So many tries that what is sent is looked at, and not only counted.
PLENTY = 1_000_000
#: The features that a life from signing up to signing out takes.
LIFE = {"account", "devices", "mail_verification", "password", "password_reset", "reauthenticate", "registration"}
#: The same cases each time: a fuzzer that finds something on one day only is of no use in CI.
BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Site:
    """The application with every feature, in memory, and a person who can be logged in at once."""

    def __init__(self) -> None:
        self.app = Flask("site")
        limits = ("PAIR_BURST", "ADDRESS_BURST", "ACCOUNT_BURST", "REQUESTS_PER_HOUR", "MAILS_PER_HOUR")
        self.app.config.update({f"ADMIT_THROTTLE_{name}": PLENTY for name in limits})
        self.app.config.update(TESTING=True, ADMIT_PUBLIC_URL="https://app.example")
        self.store = MemoryStore()
        self.mails: list[Message] = []
        self.manager = LoginManager(self.app, store=self.store, features=everything(), mail=self.mails.append)
        self.gate = self.manager.sessions.gate
        self.schema: BaseSchema = schemathesis.openapi.from_wsgi(
            "/api/openapi.json", self.app, config=schemathesis.Config.from_dict(REFUSED)
        )
        self.described = describe(self.manager.keeper.accounts)

    def bearer(self) -> dict[str, str]:
        """Return the headers of somebody with a new account who has just logged in."""
        now = datetime.now(UTC)
        name = replace(identifiers.email(f"{tokens.new_id()}@example.org"), verified_at=now)
        account = Account(tokens.new_account_id(now), (name,), now)
        self.store.add_account(account)
        return {"Authorization": f"Bearer {self.gate.admit(account.id, 'password', frozenset({Factor.KNOW})).token}"}


SITE = Site()
OPERATIONS = {result.ok().label: result.ok() for result in SITE.schema.get_all_operations()}


def known_code(ctx: CheckContext, response: Response, case: Case) -> None:
    """Refuse a code that the description does not list for this status."""
    if response.headers["content-type"] == ["application/problem+json"]:
        described = SITE.described["paths"][case.operation.path][case.operation.method.lower()]["responses"]
        content = described[str(response.status_code)]["content"]["application/problem+json"]
        assert response.json()["code"] in content["examples"]


def anonymous() -> dict[str, str]:
    """Return the headers of somebody who is not logged in."""
    return {}


@pytest.mark.parametrize("headers", [anonymous, SITE.bearer], ids=["anonymous", "bearer"])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_what_is_allowed_gets_an_answer_that_is_described(
    operation: APIOperation, headers: Callable[[], dict[str, str]]
) -> None:
    """What the description allows is granted or refused in a way that it describes."""

    @BOUNDED
    @given(case=operation.as_strategy(GenerationMode.POSITIVE))
    def send(case: Case) -> None:
        case.call_and_validate(headers=headers(), checks=[*CHECKS, known_code])

    send()


@pytest.mark.parametrize("headers", [anonymous, SITE.bearer], ids=["anonymous", "bearer"])
@pytest.mark.parametrize(
    "operation",
    [one for one in OPERATIONS.values() if one.body],
    ids=[name for name, one in OPERATIONS.items() if one.body],
)
def test_what_is_forbidden_is_refused_in_a_way_that_is_described(
    operation: APIOperation, headers: Callable[[], dict[str, str]]
) -> None:
    """What the description forbids is refused, in a way that it describes."""

    @BOUNDED
    @given(case=operation.as_strategy(GenerationMode.NEGATIVE))
    def send(case: Case) -> None:
        case.call_and_validate(headers=headers(), checks=[*CHECKS, negative_data_rejection, known_code])

    send()


def test_what_succeeds_is_answered_as_described() -> None:
    """From signing up to signing out, each success has the status and the body that its operation describes."""
    removed = LIFE - {one.name for one in everything()}
    if removed:
        pytest.skip(f"without {', '.join(sorted(removed))} there is no such life")
    client = SITE.app.test_client()

    def send(name: str, status: int, path: str = "", **fields: str) -> Any:
        operation = next(one for one in OPERATIONS.values() if one.definition.raw["operationId"] == name)
        body = {} if operation.method == "get" else {"json": fields}
        answer = client.open(path or operation.path, method=operation.method, **body)
        assert answer.status_code == status, answer.text
        operation.validate_response(answer)
        return answer.json

    def token() -> str:
        link = re.search(r"https://app\.example/\S*/([\w.-]{20,})", SITE.mails[-1].text)
        assert link
        return link[1]

    person = {"email": "grace@example.org", "password": "a phrase that nobody else has 9"}
    names = {"identifier": person["email"], "password": person["password"]}
    send("password_strength", 200, password=person["password"])
    send("registration_sign_up", 202, **person)
    send("mail_verification_request", 202, email=person["email"])
    send("mail_verification_confirm", 200, token=token())
    send("password_reset_ask", 202, identifier=person["email"])
    send("password_reset_choose", 200, token=token(), password=person["password"])
    first = client
    send("password_login", 200, **names)
    client = SITE.app.test_client()
    send("password_login", 200, **names)
    send("account_show", 200)
    send("reauthenticate_show", 200)
    devices = send("devices_show", 200)["devices"]
    other = next(one["id"] for one in devices if not one["is_this"])
    send("devices_end", 200, path=f"/api/account/devices/{other}")
    send("devices_end_others", 200)
    send("password_confirm", 200, password=person["password"])
    send("password_change", 200, old_password=person["password"], password="another phrase that nobody has 9")
    send("account_sign_out", 204)
    assert first.get("/api/account/").status_code == 401
