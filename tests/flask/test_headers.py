"""Reading the head of a request within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from admit.flask import LoginManager, headers, redirects
from admit.flask.headers import BOUNDS, MOST_LANGUAGES
from admit.flask.languages import best_language
from tests.attacks.site import ORIGIN, make_site

if TYPE_CHECKING:
    from flask import Request

ANY = {"wsgi.url_scheme": "https", "SERVER_NAME": "app.example", "SERVER_PORT": "443", "HTTP_HOST": "app.example"}


def request_of(**environ: Any) -> Request:
    """Return a request with these parts."""
    return Flask("site").request_class({**ANY, **environ})


@pytest.mark.parametrize("name", BOUNDS)
def test_no_more_than_the_bound_is_read(name: str) -> None:
    """A value up to its bound is read whole, and one beyond it is cut or counts as missing."""
    key, longest, is_whole = BOUNDS[name]
    assert headers.header(request_of(**{key: "x" * longest}), name) == "x" * longest
    assert headers.header(request_of(**{key: "x" * (longest + 1)}), name) == (None if is_whole else "x" * longest)
    assert longest <= 64 * 1024


def test_what_is_missing_is_none() -> None:
    """A header that the client did not send is None."""
    assert headers.header(Flask("site").request_class({}), "Origin") is None


def test_languages_are_bounded() -> None:
    """So many languages are looked at, and so many parts of one."""
    sent = ",".join(f"a{number}" for number in range(1000))
    assert len(headers.accepted_languages(request_of(HTTP_ACCEPT_LANGUAGE=sent))) == MOST_LANGUAGES
    assert headers.accepted_languages(request_of(HTTP_ACCEPT_LANGUAGE="DE;q=0.5, fr, es;q=0")) == ["fr", "de"]
    for long in ("de-" * 80, f"en,{sent}", "-" * 256, f"{'x' * 200},de"):
        assert best_language(request_of(HTTP_ACCEPT_LANGUAGE=long)) in {"de", "en"}


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_a_cookie_is_found_by_its_exact_name(sent: str) -> None:
    """Whatever stands in a Cookie header, a cookie is ours only if its name is, between semicolons and blanks."""
    found = headers.cookie_values(request_of(HTTP_COOKIE=sent), "a")
    parts = [part.lstrip(" \t") for part in sent.split(";")]
    assert found == [part[2:].rstrip(" \t") for part in parts if part.startswith("a=")]


def test_a_cookie_that_others_read() -> None:
    """A planted look-alike does not hide the cookie of the exact name, and a quoted value is read as Werkzeug does."""
    for sent in ('\xa0a=x; a="1\\0542"', 'a="1\\0542";\x85a=x', 'a="1\\0542"'):
        assert headers.plain_cookie(request_of(HTTP_COOKIE=sent), "a") == "1,2"
    assert headers.plain_cookie(request_of(HTTP_COOKIE=f"a=1; b={'x' * 70_000}"), "a") is None
    assert headers.plain_cookie(request_of(), "a") is None


def test_media_types() -> None:
    """The type of a body is read without its parameters, and what is too long is of no type."""
    for sent, kind, is_json in (
        ("Application/JSON ; charset=utf-8", "application/json", True),
        ("application/problem+json", "application/problem+json", True),
        ("text/x+json", "text/x+json", False),
        (f"application/json; {'x' * 300}", "", False),
    ):
        request = request_of(CONTENT_TYPE=sent)
        assert (headers.media_type(request), headers.is_json(request)) == (kind, is_json)


def test_bearer_tokens() -> None:
    """A bearer token is what follows the scheme in any case, and another scheme has none."""
    assert headers.bearer(request_of(HTTP_AUTHORIZATION="bEARER  x ")) == "x"
    for sent in ("Basic x", "Bearer", "", "Bearer\xa0x"):
        assert headers.bearer(request_of(HTTP_AUTHORIZATION=sent)) in {None, ""}


def test_hosts() -> None:
    """A host that is longer than any name is none, and without one the server's own name counts."""
    assert headers.origin(request_of()) == ORIGIN
    assert headers.host(request_of(HTTP_HOST="x" * 400)) == ""
    assert headers.host_sent(request_of(HTTP_HOST="x" * 400)) == ""
    bare = Flask("site").request_class({"wsgi.url_scheme": "http", "SERVER_NAME": "here", "SERVER_PORT": "80"})
    assert (headers.host(bare), headers.host_sent(bare)) == ("here", "here")


def test_a_page_to_go_back_to_has_a_bound() -> None:
    """Whoever asks for an address of many KiB is sent to the login page without it, also by the session."""
    app = Flask("site")
    app.config.update(SECRET_KEY="x" * 40)
    manager: LoginManager[Any] = LoginManager(app)
    manager.login_view = "/login"
    for more in ({"QUERY_STRING": "x" * 9000}, {"PATH_INFO": f"/{'x' * 5000}"}, {"HTTP_HOST": "x" * 400}):
        with app.test_request_context("/", environ_overrides=more):
            assert redirects.asked_url() is None
            assert manager.unauthorized().location == "/login"
            app.config["USE_SESSION_FOR_NEXT"] = True
            assert manager.unauthorized().location.startswith("/login")
            app.config["USE_SESSION_FOR_NEXT"] = False


def test_headers_of_the_applications_own() -> None:
    """A header that an application names is read up to what other servers let through."""
    assert headers.any_header(request_of(HTTP_X_KEY="k"), "X-Key") == "k"
    assert headers.any_header(request_of(), "X-Key") is None
    assert headers.any_header(request_of(HTTP_X_KEY="k" * 9000), "X-Key") is None


def test_what_werkzeug_reads_is_bounded() -> None:
    """Conditions and ranges that are too long are dropped before a file is sent, and good ones are kept."""
    site = make_site("memory:")
    path = "/account/static/admit.css"
    with site.browser().get(path) as whole:
        tag = whole.headers["ETag"]
    assert site.browser().get(path, **{"If-None-Match": tag}).status_code == 304
    assert site.browser().get(path, **{"If-None-Match": tag + "," * 2000}).status_code == 200
    assert site.browser().get(path, Range="bytes=0-1").status_code == 206
    assert site.browser().get(path, Range="bytes=0-1" + "," * 300).status_code == 200


def test_long_parts_of_a_path_are_refused() -> None:
    """A token in a link that is longer than any is not kept in a cookie, and an id of that length is not found."""
    site = make_site("memory:")
    answer = site.browser().get(f"/account/verify/{'x' * 201}")
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers
    assert site.browser().post(f"/devices/{'x' * 201}", None, "DELETE").status_code == 404
    assert site.browser().get(f"/account/activity/before/{'1' * 201}").status_code == 404


def test_many_fields_are_refused() -> None:
    """A body of more fields than any action has is refused, as JSON and as a form, and its next is not followed."""
    site = make_site("memory:")
    fields = {f"f{number}": "x" for number in range(65)}
    assert site.browser().post("/sign-in", fields).status_code == 400
    headers_of_page = {"Sec-Fetch-Site": "same-origin"}
    form = {"next": "/private", **fields}
    answer = site.browser().send("POST", "/account/sign-in", data=form, headers=headers_of_page)
    assert answer.status_code == 400
    assert "/private" not in answer.text
    large = {"next": "/private", "identifier": "x" * 20_000}
    answer = site.browser().send("POST", "/account/sign-in", data=large, headers=headers_of_page)
    assert answer.status_code == 413
    assert "/private" not in answer.text
