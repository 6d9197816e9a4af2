"""What a client sends is read in one place, within bounds: no other file of ours takes it from the request itself."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "admit"

#: The file that bounds the head of a request, the file that bounds its body, the one that bounds what proxies say, and
#: the one that notes when a request began, under a name that no client can set.
BOUNDED = {"flask/headers.py", "flask/bodies.py", "flask/proxies.py", "flask/beginning.py"}
FILES = sorted(path for path in SOURCE.rglob("*.py") if str(path.relative_to(SOURCE)) not in BOUNDED)

#: What Flask's request parses without a bound, or gives as it came.
RAW = re.compile(
    r"accept_\w+|access_\w+|args|authorization|cache_control|content_\w+|cookies|data|date|environ|files|form|from_values"
    r"|full_path|get_data|get_json|headers|host|host_url|base_url|url|url_root|root_url|if_\w+|is_json|json|max_forwards"
    r"|mimetype|mimetype_params|origin|pragma|query_string|range|referrer|remote_addr|stream|user_agent|values"
)


def is_request(node: ast.expr) -> bool:
    """Tell whether an expression is the request."""
    match node:
        case ast.Name(id="request") | ast.Attribute(attr="request") | ast.Call(func=ast.Name(id="the_request")):
            return True
        case _:
            return False


def raw_reads(code: str) -> list[str]:
    """Return what code reads of a request without a bound."""
    found: list[str] = []
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Attribute(value=value, attr=attr) if is_request(value) and RAW.fullmatch(attr):
                found.append(attr)
            case ast.Attribute(value=value, attr="environ") if not (isinstance(value, ast.Name) and value.id == "os"):
                found.append("environ")
            case ast.Constant(value=str(text)) if re.fullmatch(r"HTTP_[A-Z_]+|QUERY_STRING|PATH_INFO", text):
                found.append(text)
            case _:
                pass
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_requests_are_read_in_one_place(path: Path) -> None:
    """Nothing else in the package reads headers, the query, cookies or a body by itself."""
    assert raw_reads(path.read_text()) == []


@pytest.mark.parametrize(
    "code",
    [
        "request.headers.get('X')",
        "the_request().cookies['a']",
        "context.request.accept_languages",
        "request.values.get('next')",
        "request.environ['x']",
        "environ['HTTP_COOKIE']",
        "self.environ",
        "flask.request.host",
    ],
)
def test_reading_elsewhere_is_found(code: str) -> None:
    """Each way to read what a client sent is found."""
    assert raw_reads(code)


def test_what_is_no_request_is_left_alone() -> None:
    """The environment of the process and headers of an answer are no request's."""
    assert raw_reads("os.environ['HOME']; response.headers['X']; answer.data") == []
