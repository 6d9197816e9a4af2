"""Bodies: strictly read, in bounds, with the field in every refusal."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from admit.errors import AdmitError, BodyTooLarge, InvalidInput, MalformedBody, UnsupportedBody
from admit.flask.bodies import LARGEST_BODY, read_form, read_json, refuse_fields, typed


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What an action might take."""

    name: str
    count: int = 0
    flag: bool = False


def request(body: bytes | str, content_type: str | None = "application/json", **headers: str) -> Request:
    """Return a request with a body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    builder = EnvironBuilder(method="POST", data=raw, content_type=content_type, headers=named)
    return Request(builder.get_environ())


def refusal(body: bytes | str, content_type: str | None = "application/json", **headers: str) -> AdmitError:
    """Return the refusal of a JSON body."""
    with pytest.raises(AdmitError) as caught:
        read_json(request(body, content_type, **headers))
    return caught.value


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"])),
        max_size=20,
    )
)
def test_objects_are_read_as_they_are(sent: dict[str, Any]) -> None:
    """Whatever JSON object is sent is what is read."""
    assert read_json(request(json.dumps(sent))) == sent


def test_nothing_is_an_empty_object() -> None:
    """A request without a body and without a type asks for no more than the action itself."""
    assert read_json(request(b"", None)) == {}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"text"',
        "1",
        "null",
        "true",
        '{"a":1,}',
        "{'a':1}",
        '{"a":1}{"b":2}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":-Infinity}',
        '{"a":' + "9" * 6000 + "}",
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":2}}',
        '{"a":' * 33 + "1" + "}" * 33,
        "[" * 5000,
        '{"a":"\\ud800"}',
        '{"\\ud800":"a"}',
        "\ufeff{}",
        b'{"a":"\xff"}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xed\xa0\x80"}',
        '{"a":"unfinished',
    ],
)
def test_what_is_no_json_object(body: bytes | str) -> None:
    """Anything else than one well-formed object of UTF-8 is a 400."""
    assert isinstance(refusal(body), MalformedBody)


def test_fields_are_named() -> None:
    """A key that is there twice, or holds half a character, is named."""
    twice, half = refusal('{"name":1,"name":2}'), refusal('{"name":"\\udfff"}')
    assert isinstance(twice, MalformedBody)
    assert isinstance(half, MalformedBody)
    assert [*twice.fields] == [*half.fields] == ["name"]


def test_brackets_in_texts_are_no_depth() -> None:
    """Depth is counted where it is; a text may hold any number of brackets, quoted quotes included."""
    sent = {"a": "[{" * 100 + '\\"' + '"[[' * 50}
    assert read_json(request(json.dumps(sent))) == sent


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "application/vnd.api+json",
        "application/jsonp",
        "text/json",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
    ],
)
def test_other_types_are_refused(content_type: str | None) -> None:
    """Only application/json in UTF-8 is read: the others can be sent by a form of another site, or read otherwise."""
    assert isinstance(refusal("{}", content_type), UnsupportedBody)


def test_a_charset_that_says_utf_8() -> None:
    """Saying that JSON is in UTF-8, as some clients do, changes nothing."""
    assert read_json(request('{"a":1}', "application/json; charset=UTF-8")) == {"a": 1}


def test_compressed_bodies_are_refused() -> None:
    """Nothing is decompressed: a few bytes could become millions."""
    assert isinstance(refusal(b"\x1f\x8b", Content_Encoding="gzip"), UnsupportedBody)


def test_long_bodies_are_refused() -> None:
    """The bound holds whether the length is said or not, and what is just within it is read."""
    fits = json.dumps({"a": "x" * (LARGEST_BODY - 10)})
    assert len(fits) <= LARGEST_BODY
    assert read_json(request(fits))
    assert isinstance(refusal("x" * (LARGEST_BODY + 1)), BodyTooLarge)
    unsaid = request(json.dumps({"a": "x" * LARGEST_BODY}))
    unsaid.environ["CONTENT_LENGTH"] = ""
    unsaid.environ["wsgi.input_terminated"] = True
    with pytest.raises(BodyTooLarge):
        read_json(unsaid)


def test_forms() -> None:
    """A form's fields are texts, and a request without a body has none."""
    sent = request("name=ada&note=caf%C3%A9+au+lait", "application/x-www-form-urlencoded")
    assert read_form(sent) == {"name": "ada", "note": "café au lait"}
    assert read_form(request(b"", None)) == {}


MULTIPART = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        ("name=ada&name=bob", "application/x-www-form-urlencoded", MalformedBody),
        (b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\r\n--x--\r\n', MULTIPART, MalformedBody),
        (
            '--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nq\r\n--x--\r\n',
            MULTIPART,
            MalformedBody,
        ),
        ("{}", "application/json", UnsupportedBody),
        ("name=" + "x" * LARGEST_BODY, "application/x-www-form-urlencoded", BodyTooLarge),
    ],
)
def test_forms_that_are_refused(body: bytes | str, content_type: str, error: type[AdmitError]) -> None:
    """A field twice, bytes that are no UTF-8, a file, another type and too much are refused."""
    sent = request(body, content_type)
    with pytest.raises(error):
        read_form(sent)
    sent.close()


def test_types() -> None:
    """What was read becomes what the action takes; only a form's texts may stand for numbers."""
    assert typed(Form, {"name": "ada", "count": 3}, strict=True) == Form(name="ada", count=3)
    assert typed(Form, {"name": "ada", "count": "3", "flag": "true"}, strict=False) == Form(
        name="ada", count=3, flag=True
    )


@pytest.mark.parametrize(
    ("found", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": 1}, "name"),
        ({"name": ["ada"]}, "name"),
        ({"name": {"$ne": None}}, "name"),
        ({"name": "ada", "count": "3"}, "count"),
        ({"name": "ada", "count": True}, "count"),
        ({"name": "ada", "flag": 1}, "flag"),
        ({"name": "ada", "is_admin": True}, "is_admin"),
        ({"name": "ada", "__class__": "x"}, "__class__"),
    ],
)
def test_what_does_not_fit(found: dict[str, Any], field: str) -> None:
    """A missing field, an unknown one and one of another type are refused by name."""
    with pytest.raises(InvalidInput) as caught:
        typed(Form, found, strict=True)
    assert [*caught.value.fields] == [field]
    assert caught.value.fields[field].endswith(".")


def test_fields_that_nobody_reads() -> None:
    """Where nothing is taken, anything sent is refused."""
    refuse_fields({})
    with pytest.raises(InvalidInput):
        refuse_fields({"a": 1})
