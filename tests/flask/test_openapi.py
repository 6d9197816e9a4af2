"""The description of the JSON API is valid, complete, and made of what the features declare."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

import admit
from admit.errors import AdmitError, NotFound, SessionRequired
from admit.feature import Context, Demand, Face, Feature, Reply, Secret, Signed, action
from admit.features import everything
from admit.flask import LoginManager, trying
from admit.flask.openapi import codes_of, describe

if TYPE_CHECKING:
    from collections.abc import Iterable


ORIGIN = {"Sec-Fetch-Site": "cross-site"}


class Melted(AdmitError):
    """It was too warm."""

    code = "melted"
    status = 409
    message = "Please come back in winter."


class Flake(msgspec.Struct, frozen=True, kw_only=True):
    """A flake of ``snow``; see :class:`admit.model.Account`."""

    arms: int = 6


class RequestForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a flake is made with. It has the name of another feature's form."""

    word: Secret
    arms: int = 6
    colour: str | None = None


class Snow(Feature):
    """Makes :class:`Flake`. That is all.

    .. versionadded:: 7.0
    """

    name = "snow"

    @action("PUT", "/snow/<int:year>/<town>", title="Make it snow", demands=Demand.FRESH, status=201, errors=[Melted])
    def fall(self, ctx: Context, form: RequestForm, year: str, town: str) -> Reply[Flake]:
        """Make a flake that raises :exc:`admit.errors.NotFound` in
        summer. It stays ``white``.

        Never twice alike.

        Raises:
            Melted: It was too warm.
        """  # noqa: D205 -- whose first sentence is on two lines, as some are
        raise NotFound

    @action("POST", "/thaw", title="Thaw")
    def thaw(self, ctx: Context) -> Reply[None]:
        """Thaw"""  # noqa: D415 -- what has no full stop is a sentence too
        return Reply(None)

    @action("POST", "/ski", title="Ski")
    def ski(self, ctx: Context) -> Reply[Signed]:  # noqa: D102 -- one that says nothing
        return Reply(Signed(status="signed_in"))

    @action("GET", "/look", title="Look", faces=[Face.PAGE])
    def look(self, ctx: Context) -> Reply[None]:
        """Look."""
        return Reply(None)


class Rain(Feature):
    """Takes the same form by another type of that name."""

    name = "rain"

    class RequestForm(msgspec.Struct, frozen=True):
        """How much."""

        litres: float

    @action("POST", "/rain", title="Rain")
    def fall(self, ctx: Context, form: Rain.RequestForm) -> Reply[list[str]]:
        """Rain."""
        return Reply([str(form.litres)])


def site(features: Iterable[Feature], **config: Any) -> Flask:
    """Return an application with these features."""
    app = Flask("site")
    app.config.update(TESTING=True, ADMIT_SITE_NAME="Polar", **config)
    LoginManager(app, store="memory:", features=features, mail=lambda message: None)
    return app


def description(features: Iterable[Feature], **config: Any) -> dict[str, Any]:
    """Return the description that an application serves."""
    answer = site(features, **config).test_client().get("/api/openapi.json")
    assert answer.mimetype == "application/json"
    return answer.json


def operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all operations of a description."""
    return [operation for methods in described["paths"].values() for operation in methods.values()]


def test_it_is_valid_and_says_what_it_is_about() -> None:
    """It is OpenAPI 3.1 with the site's name and our version, and no mark of Sphinx has slipped into it."""
    described = description([*everything(), Snow(), Rain()])
    OpenAPIV31SpecValidator(described).validate()
    assert described["info"]["title"] == "Polar"
    assert described["info"]["version"] == admit.__version__
    assert re.findall(r":\w+:`|``|\.\. |Raises:", msgspec.json.encode(described).decode()) == []


def test_every_route_of_the_api_is_described_and_nothing_else() -> None:
    """What is routed below the prefix and what is described are the same."""
    app = site([*everything(), Snow()])
    routed = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/account")
    }
    described = app.test_client().get("/api/openapi.json").json["paths"]
    assert {(method.upper(), path) for path, methods in described.items() for method in methods} == routed
    assert ("PUT", "/api/account/snow/{year}/{town}") in routed


def test_a_feature_of_somebody_else_is_described_by_what_it_declares() -> None:
    """Input, output, arguments, demands, errors and words of a feature come from its declaration."""
    described = description([Snow()])
    assert described["tags"] == [{"name": "snow", "description": "Makes `Flake`.\n\nThat is all."}]
    found = described["paths"]["/api/account/snow/{year}/{town}"]["put"]
    assert found["operationId"] == "snow_fall"
    assert found["summary"] == "Make a flake that raises `NotFound` in summer."
    assert found["description"] == "It stays `white`.\n\nNever twice alike."
    assert [one["name"] for one in found["parameters"]] == ["year", "town"]
    assert found["security"] == [{"cookie": []}, {"bearer": []}]
    assert found["requestBody"]["required"] is True
    assert list(found["responses"]) == ["201", "400", "401", "403", "409", "413", "415", "422", "429", "503"]
    assert "Admit-Token" in found["responses"]["201"]["headers"]
    refused = {status: list(_codes(answer)) for status, answer in found["responses"].items() if status != "201"}
    assert refused["409"] == ["melted"]
    assert refused["403"] == ["cross_site_request", "reauthentication_required"]
    # A client with a bearer token is told by 401 to sign in once more, as one with a cookie is by 403.
    assert refused["401"] == [*codes_of(SessionRequired), "reauthentication_required"]
    assert "Retry-After" in found["responses"]["429"]["headers"]
    schemas = described["components"]["schemas"]
    assert schemas["Flake"]["description"] == "A flake of `snow`; see `Account`."
    # An answer always has the field that a form may leave out.
    assert schemas["RequestForm"]["properties"]["arms"] == {
        "type": "integer",
        "description": "`6` when it is left out.",
    }
    assert schemas["Flake"]["required"] == ["arms"]
    assert schemas["RequestForm"]["required"] == ["word"]
    assert schemas["RequestForm"]["properties"]["word"]["writeOnly"] is True


def test_what_says_little_is_described_all_the_same() -> None:
    """A sentence without a stop, no docstring, no body: each has a summary and an answer."""
    paths = description([Snow()])["paths"]
    assert paths["/api/account/thaw"]["post"]["summary"] == "Thaw"
    assert "204" in paths["/api/account/thaw"]["post"]["responses"]
    assert paths["/api/account/ski"]["post"]["summary"] == "Ski"
    assert [one["name"] for one in paths["/api/account/ski"]["post"]["parameters"]] == ["Admit-Carrier"]
    assert "security" not in paths["/api/account/ski"]["post"]


def test_names_are_unique_even_where_features_chose_the_same() -> None:
    """Operations have names of their own, and two types of one name are two schemas."""
    described = description([*everything(), Snow(), Rain()])
    names = [operation["operationId"] for operation in operations(described)]
    assert sorted(set(names)) == sorted(names)
    forms = {
        described["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for path, method in (("/api/account/rain", "post"), ("/api/account/snow/{year}/{town}", "put"))
    }
    assert len(forms) == 2
    answer = described["paths"]["/api/account/rain"]["post"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"type": "array", "items": {"type": "string"}}


def _codes(answer: dict[str, Any]) -> list[str]:
    return list(answer["content"]["application/problem+json"]["examples"])


@pytest.mark.parametrize(
    ("base", "config", "name"),
    [
        ("http://localhost", {}, "admit"),
        ("https://app.example", {}, "__Host-admit"),
        ("https://app.example", {"ADMIT_COOKIE_DOMAIN": "app.example"}, "__Secure-admit"),
    ],
    ids=["development", "https", "domain"],
)
def test_the_cookie_is_the_one_that_is_set(base: str, config: dict[str, Any], name: str) -> None:
    """The description names the cookie as it is set where it was asked for."""
    answer = site([Snow()], **config).test_client().get("/api/openapi.json", base_url=base)
    assert answer.json["components"]["securitySchemes"]["cookie"]["name"] == name


def test_without_a_request_the_cookie_has_its_name_in_production() -> None:
    """The command line describes the API as it is over https."""
    app = site([Snow()])
    described = describe(app.login_manager.keeper.accounts)
    assert described["components"]["securitySchemes"]["cookie"]["name"] == "__Host-admit"


def test_it_is_beside_the_api_wherever_that_is() -> None:
    """It follows the prefix of the API."""
    for prefix, place in (("/v1/me", "/v1/openapi.json"), ("/me", "/openapi.json")):
        answer = site([Snow()], ADMIT_API_PREFIX=prefix).test_client().get(place)
        assert f"{prefix}/thaw" in answer.json["paths"]


def test_another_site_can_neither_read_nor_embed_it() -> None:
    """What another site made a browser ask for is refused, as everywhere, in a problem document."""
    answer = site([Snow()]).test_client().get("/api/openapi.json", headers=ORIGIN)
    assert (answer.status_code, answer.json["code"]) == (403, "cross_site_request")
    assert answer.mimetype == "application/problem+json"


def test_the_page_to_try_it_has_no_inline_code_and_serves_nothing_else() -> None:
    """The page and its files are served under the policy of all our pages; of the package nothing else is."""
    client = site([Snow()]).test_client()
    page = client.get("/api/docs")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]* src=)|<style|style=| on\w+=", page.text) == []
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        with client.get(path) as answer:
            assert answer.status_code == 200, path
    for name in ("index.css", "VERSION", "..%2f__init__.py", "own/..%2f..%2ftrying.py"):
        assert client.get(f"/api/docs/{name}").status_code == 404


def test_without_swagger_ui_there_is_no_such_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is not installed, the page is not there, and the description is."""
    monkeypatch.setattr(trying, "find_spec", lambda name: None)
    client = site([Snow()]).test_client()
    assert client.get("/api/docs").status_code == 404
    assert client.get("/api/openapi.json").status_code == 200


@pytest.mark.parametrize("wanted", ["summary", "responses", "tags", "operationId"])
def test_every_operation_says_what_it_is(wanted: str) -> None:
    """Nothing that a reader or a generator needs is missing anywhere."""
    assert all(operation.get(wanted) for operation in operations(description(everything())))


def test_what_goes_on_is_described() -> None:
    """Actions that begin something, or go on with it, name the header for clients without cookies, in and out."""
    app = Flask("site")
    app.testing = True
    manager: LoginManager[Any] = LoginManager(app, store="memory:", features=everything(), mail=print)
    paths = describe(manager.keeper.accounts)["paths"]  # type: ignore[union-attr]
    for path in ("/sign-up", "/verify/request", "/verify/code", "/sign-in"):
        described = paths[f"/api/account{path}"]["post"]
        names = {one["name"] for one in described["parameters"]}
        assert names == {"Admit-Carrier", "Admit-Pending"}
        [success] = (one for status, one in described["responses"].items() if status.startswith("2"))
        assert "Admit-Pending" in success["headers"]
    assert "parameters" not in paths["/api/account/password-reset"]["post"]
