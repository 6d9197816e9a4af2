"""What reading a request costs: the instructions for each header and field at the limit of a server, and at half of it.

A request whose cost grows with the square of its length silences a site with a few bytes. Instructions are counted, by
valgrind, because a clock says more about what else runs than about the code. Each header and field is sent in several
shapes that were expensive somewhere; the worst is reported.
"""

from __future__ import annotations

import ctypes
import gc
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

#: Twice the length may take so many times the instructions.
TARGET = 2.2
#: waitress takes 256 KiB of headers by default, which is more than others do.
HEADERS = 256 * 1024
#: The largest body that an action reads.
BODY = 16 * 1024 - 64

#: Less than this is noise of allocators and dictionaries: about a twentieth of what the requests take by themselves.
_LEAST = 1_000_000

_SHAPES = ("x", "a,")
#: What is tried besides where a header is more than one word.
_SHAPES_OF_LISTS = ("a-", " ", "a=b;", '"')
_LISTS = ("Accept", "Content-Type", "Cookie", "If-", "Range", "X-Forwarded-For")
_HEADERS = (
    *("Accept", "Accept-Language", "Admit-Carrier", "Admit-Pending", "Authorization", "Content-Type", "Cookie", "Host"),
    *(
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Origin",
        "Range",
        "Referer",
    ),
    *("Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "User-Agent"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Proto"),
)
#: What a value begins with, so that it is read as what it says it is.
_BEGINNINGS = {
    "Authorization": "Bearer ",
    "Content-Type": "application/json;",
    "Cookie": "__Host-admit=",
    "Range": "bytes=",
    "X-Forwarded-For": '"',
}
_FIELDS = {
    "identifier": "/api/account/password-reset",
    "password": "/api/account/password/strength",
    "email": "/api/account/verify/request",
    "token": "/api/account/verify",
    "code": "/api/account/magic-link/code",
}


class Cost(NamedTuple):
    """What a header or field costs, in millions of instructions, in its worst shape."""

    name: str
    shape: str
    half: float
    whole: float

    @property
    def ratio(self) -> float:
        """How many times as many it takes for twice the length; what is no more than noise takes as many."""
        return max(self.whole, _LEAST / 1e6) / max(self.half, _LEAST / 1e6)


Request = dict[str, Any]


def measure() -> list[Cost]:
    """Count in a process under valgrind, and return the worst shape of each header and field."""
    with tempfile.TemporaryDirectory() as folder:
        library = _library(Path(folder))
        command = [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--quiet"),
            *(sys.executable, "-m", "bench.headers", folder, str(library)),
        ]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        subprocess.run(command, check=True, env=environment)  # noqa: S603 -- our own words
        found = [Cost(*one) for one in json.loads((Path(folder) / "costs").read_text())]
    worst: dict[str, Cost] = {}
    for cost in found:
        if cost.name not in worst or (cost.ratio, cost.whole) > (worst[cost.name].ratio, worst[cost.name].whole):
            worst[cost.name] = cost
    return list(worst.values())


def _library(folder: Path) -> Path:
    """Return a library by which a process tells valgrind when to count."""
    source, library = folder / "counting.c", folder / "counting.so"
    source.write_text(
        "#include <valgrind/callgrind.h>\n"
        "void zero(void) { CALLGRIND_ZERO_STATS; }\n"
        "void dump(void) { CALLGRIND_DUMP_STATS; }\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)  # noqa: S603, S607 -- our own words
    return library


# -- in the process that is counted -----------------------------------------------------------------------------------


def _count_all(folder: Path, library: str) -> None:
    app, counted = _site(), _counter(folder, library)
    gc.disable()  # it would run at one length and not at another
    costs: list[Cost] = []
    bases: dict[str, int] = {}
    for name, shape, make in _cases():
        if name not in bases:
            counted(app, make(0.0))  # what is made at the first time
            bases[name] = counted(app, make(0.0))
        half, whole = ((counted(app, make(part)) - bases[name]) / 1e6 for part in (0.5, 1.0))
        costs.append(Cost(name, shape, half, whole))
    (folder / "costs").write_text(json.dumps(costs))


def _counter(folder: Path, library: str) -> Callable[[Flask, list[Request]], int]:
    counting, numbers = ctypes.CDLL(library), itertools.count(1)

    def counted(app: Flask, requests: list[Request]) -> int:
        counting.zero()
        for request in requests:
            _send(app, request)
        counting.dump()
        text = (folder / f"out.{next(numbers)}").read_text()
        return int(text.rpartition("\ntotals:")[2].split()[0])

    return counted


def _site() -> Flask:
    from flask import Flask

    from admit.features import everything
    from admit.flask import LoginManager, login_required

    app = Flask("bench")
    app.config.update(
        SECRET_KEY="of the bench, and long enough for it",  # noqa: S106 -- of the bench only
        ADMIT_PUBLIC_URL="https://app.example",
        ADMIT_PROXIES=1,
        ADMIT_THROTTLE_REQUESTS_PER_HOUR=1_000_000,
    )
    LoginManager(app, store="memory:", features=everything(), mail=lambda _message: None)
    app.add_url_rule("/own", "own", login_required(lambda: "own"))
    return app


def _send(app: Flask, request: Request) -> None:
    body = request.pop("body", b"")
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "app.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "app.example",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **request,
    }
    request["body"] = body
    answer = app(environ, lambda _status, _headers, _error=None: lambda _written: None)
    for _ in answer:
        pass
    getattr(answer, "close", lambda: None)()


def _cases() -> Iterator[tuple[str, str, Callable[[float], list[Request]]]]:
    for name in _HEADERS:
        for shape in (*_SHAPES, *(_SHAPES_OF_LISTS if name.startswith(_LISTS) else ())):
            yield name, shape, lambda part, name=name, shape=shape: _with_header(name, shape, part)
    for shape in _SHAPES:
        yield "query: next", shape, lambda part, shape=shape: _with_query(shape, part)
        yield "path", shape, lambda part, shape=shape: [_asking(f"/account/verify/{_filled(shape, part, HEADERS)}")]
        yield "form: next", shape, lambda part, shape=shape: [_with_form("next", _filled(shape, part, BODY))]
        for field, place in _FIELDS.items():
            yield (
                f"JSON: {field}",
                shape,
                lambda part, field=field, place=place, shape=shape: [_with_field(field, place, shape, part)],
            )
    yield from _bodies()


def _bodies() -> Iterator[tuple[str, str, Callable[[float], list[Request]]]]:
    shapes = {
        "nested lists": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
        "many members": lambda size: b"{" + b",".join(b'"%d":0' % one for one in range(size // 9)) + b"}",
        "quotes": lambda size: b'{"a":"' + b'\\"' * (size // 2) + b'"}',
        "open quotes": lambda size: b'"' * size,
        "digits": lambda size: b'{"a":' + b"1" * size + b"}",
    }
    for shape, make in shapes.items():
        yield "JSON: the whole", shape, lambda part, make=make: [_json("/api/account/verify", make(int(BODY * part)))]
    part_of_form = b'--x\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n'
    forms = {
        "many fields": lambda size: (b"&".join(b"%d=" % one for one in range(size // 6)), "x-www-form-urlencoded"),
        "many parts": lambda size: (
            b"".join(part_of_form % one for one in range(size // 55)) + b"--x--",
            "multipart/form-data; boundary=x",
        ),
        "line ends": lambda size: (b"--x\r\n" + b"\r\n" * (size // 2), "multipart/form-data; boundary=x"),
    }
    for shape, form in forms.items():
        yield "form: the whole", shape, lambda part, form=form: [_posting(*form(int(BODY * part)))]


def _filled(shape: str, part: float, limit: int) -> str:
    return (shape * (limit // len(shape) + 1))[: int(limit * part)]


def _asking(path: str, **more: Any) -> Request:
    return {"PATH_INFO": path, **more}


def _with_header(name: str, shape: str, part: float) -> list[Request]:
    key = "CONTENT_TYPE" if name == "Content-Type" else f"HTTP_{name}".upper().replace("-", "_")
    value = {key: _BEGINNINGS.get(name, "") + _filled(shape, part, HEADERS)} if part else {}
    # Nothing that computes a hash, which costs more than all else together.
    confirming = _json("/api/account/verify", b'{"token": "x"}')
    if name.startswith(("If-", "Range")):
        return [_asking("/account/static/admit.css", **value)]
    return [_asking("/account/sign-in", **value), _asking("/own", **value), {**confirming, **value}]


def _with_query(shape: str, part: float) -> list[Request]:
    text = f"next=/{_filled(shape, part, HEADERS)}"
    return [_asking(path, QUERY_STRING=text) for path in ("/account/sign-in", "/own")]


def _json(path: str, body: bytes) -> Request:
    return {"PATH_INFO": path, "REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json", "body": body}


def _with_field(field: str, place: str, shape: str, part: float) -> Request:
    # Some signs take two bytes; and what a value that is not too long makes happen is no cost of its length.
    text = _filled(shape, part or 0.04, BODY // 2)
    return _json(place, json.dumps({field: text}).encode())


def _with_form(field: str, value: str) -> Request:
    body = f"token=x&{field}=/{value}".encode()
    return _posting(body, "x-www-form-urlencoded")


def _posting(body: bytes, kind: str) -> Request:
    kind = kind if "/" in kind else f"application/{kind}"
    return {"PATH_INFO": "/account/verify", "REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "body": body}


if __name__ == "__main__":
    _count_all(Path(sys.argv[1]), sys.argv[2])
