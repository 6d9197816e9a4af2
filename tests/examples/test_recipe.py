"""The recipe over real HTTP: what the tutorial promises, and what it does with everything else."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse"
NAMES = (f"person{number}" for number in count())
WRONG = {"error": "Invalid username or password"}


def sign_up(client: httpx.Client, name: str | None = None) -> dict[str, Any]:
    """Make an account and return what the answer says of it."""
    response = client.post("/signup", json={"username": name or next(NAMES), "password": PASSWORD})
    assert response.status_code == 201, response.text
    user: dict[str, Any] = response.json()
    return user


def rows(instance: Path) -> list[tuple[Any, ...]]:
    """Return the table of users."""
    database = sqlite3.connect(instance / "recipe.db")
    try:
        return database.execute("SELECT username, password FROM user").fetchall()
    finally:
        database.close()


def test_the_whole_way(client: httpx.Client) -> None:
    """Sign up, reload, sign out, sign in with a wrong and a right password, and sign out again."""
    user = sign_up(client)
    assert set(user) == {"id", "username"}
    assert client.get("/me").json() == user
    assert client.post("/logout").json() == {"message": "logout successful"}
    assert client.get("/me").status_code == 401
    wrong = client.post("/login", json={"username": user["username"], "password": "wrong password"})
    assert (wrong.status_code, wrong.json()) == (401, WRONG)
    right = client.post("/login", json={"username": user["username"], "password": PASSWORD})
    assert (right.status_code, right.json()) == (201, user)
    assert client.get("/me").json() == user
    assert client.delete("/logout").status_code == 200
    assert client.get("/me").status_code == 401


def test_logging_out_by_a_link(client: httpx.Client) -> None:
    """GET /logout works from our own pages and by hand, and never from another site (attack 108)."""
    sign_up(client)
    for site in ("cross-site", "same-site"):
        assert client.get("/logout", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert client.get("/me").status_code == 200
    assert client.get("/logout", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.get("/me").status_code == 401


@pytest.mark.parametrize("path", ["/signup", "/login", "/logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_other_sites_are_refused(client: httpx.Client, instance: Path, path: str, headers: dict[str, str]) -> None:
    """No other site can sign up, log in or log out in somebody's browser (attacks 106 to 110)."""
    before = rows(instance)
    sent = {"username": next(NAMES), "password": PASSWORD}
    assert client.post(path, json=sent, headers=headers).status_code == 403
    assert rows(instance) == before


def test_remembering_outlives_the_browser(client: httpx.Client) -> None:
    """With remember, the cookie stays when the browser is closed; it can't be read by scripts."""
    user = sign_up(client)
    client.post("/logout")
    answer = client.post("/login", json={"username": user["username"], "password": PASSWORD, "remember": True})
    [cookie] = answer.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Expires=" in cookie
    plain = client.post("/login", json={"username": user["username"], "password": PASSWORD})
    assert "Expires=" not in plain.headers["set-cookie"]


def test_a_copied_cookie_is_dead_after_logging_out(client: httpx.Client, recipe_url: str) -> None:
    """Whoever has a copy of the cookie is out when its owner logs out (attack 5)."""
    sign_up(client)
    with httpx.Client(base_url=recipe_url, cookies=dict(client.cookies)) as thief:
        assert thief.get("/me").status_code == 200
        client.post("/logout")
        assert thief.get("/me").status_code == 401


def test_devices(client: httpx.Client, recipe_url: str) -> None:
    """A user sees where they are signed in and ends one of them, and nobody else's (attack 155)."""
    user = sign_up(client)
    with httpx.Client(base_url=recipe_url) as other, httpx.Client(base_url=recipe_url) as stranger:
        other.post(
            "/login", json={"username": user["username"], "password": PASSWORD}, headers={"User-Agent": "curl/8"}
        )
        sign_up(stranger)
        listed = client.get("/sessions").json()
        assert next((one["device"], one["current"]) for one in listed) == ("curl", False)
        assert [one["current"] for one in listed] == [False, True]
        assert stranger.delete(f"/sessions/{listed[0]['id']}").status_code == 404
        assert (
            client.delete(f"/sessions/{listed[0]['id']}", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        )
        assert other.get("/me").status_code == 200
        assert client.delete(f"/sessions/{listed[0]['id']}").status_code == 200
        assert other.get("/me").status_code == 401
        assert client.get("/me").json() == user
        assert client.delete("/sessions/nonsense").status_code == 404
    client.post("/logout")
    assert client.get("/sessions").status_code == 401


def test_the_same_answer_for_no_name_and_a_wrong_password(client: httpx.Client) -> None:
    """An unknown name and a wrong password get the same status, body and headers (attack 75)."""
    user = sign_up(client)
    client.post("/logout")
    client.cookies.clear()
    answers = [
        client.post("/login", json={"username": name, "password": "wrong password"})
        for name in (user["username"], "nobody has this name")
    ]
    known, unknown = ((answer.status_code, answer.content, sorted(answer.headers)) for answer in answers)
    assert known == unknown == (401, answers[0].content, known[2])


def test_the_same_work_for_no_name_and_a_wrong_password(tmp_path: Path) -> None:
    """An unknown name, a wrong password and a right one each verify exactly one hash."""
    code = """
import app, models
from argon2 import PasswordHasher
calls = []
verify = PasswordHasher.verify
models.PasswordHasher.verify = lambda self, kept, password: calls.append(kept) or verify(self, kept, password)
client = app.app.test_client()
client.post("/signup", json={"username": "ada", "password": "correct horse"})
for name, password in [("ada", "wrong password"), ("nobody", "wrong password"), ("ada", "correct horse")]:
    calls.clear()
    client.post("/login", json={"username": name, "password": password})
    print(len(calls), calls[0].startswith("$argon2id$v=19$m=65536,t=3,p=4$"))
"""
    assert run_in_recipe(code, tmp_path).splitlines() == ["1 True"] * 3


def test_old_hashes_get_stronger(tmp_path: Path) -> None:
    """A hash with weaker parameters still verifies, and is replaced at the next login (attack 65)."""
    code = """
import app, models
from argon2 import PasswordHasher
client = app.app.test_client()
client.post("/signup", json={"username": "ada", "password": "correct horse"})
with app.app.app_context():
    user = models.User.named("ada")
    user.password = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    models.db.session.commit()
print(client.post("/login", json={"username": "ada", "password": "correct horse"}).status_code)
with app.app.app_context():
    print(models.User.named("ada").password[:30])
"""
    assert run_in_recipe(code, tmp_path).splitlines() == ["201", "$argon2id$v=19$m=65536,t=3,p=4"]


def run_in_recipe(code: str, instance: Path) -> str:
    """Run code in the recipe's folder with an instance folder of its own; return what it prints."""
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        cwd=ROOT / "examples/recipe",
        env={"RECIPE_INSTANCE": str(instance), "PATH": ""},
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_processes_that_start_at_once_share_a_key(tmp_path: Path) -> None:
    """The secret key is made once, whoever comes first, readable by its owner only."""
    with ThreadPoolExecutor(4) as threads:
        runs = [
            threads.submit(run_in_recipe, "import config; print(config.app.secret_key)", tmp_path) for _ in range(4)
        ]
        keys = {run.result() for run in runs}
    assert len(keys) == 1
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("secret_key*")] == ["secret_key"]


def test_no_password_is_kept_or_shown(client: httpx.Client, instance: Path) -> None:
    """The table holds argon2id hashes only, and no answer holds a hash."""
    sign_up(client)
    assert all(password.startswith("$argon2id$") for _, password in rows(instance))
    assert "argon2" not in client.get("/me").text


@pytest.mark.parametrize(
    "twin",
    [
        "TWIN",  # case
        "\uff34win",  # full width
        "tw\u0131n".replace("\u0131", "i"),
        "\u1d40win",  # a superscript letter
    ],
)
def test_one_name_one_account(client: httpx.Client, twin: str) -> None:
    """Names that differ in case or in Unicode form only are one name (attack 69)."""
    client.post("/signup", json={"username": "Twin", "password": PASSWORD})
    refused = client.post("/signup", json={"username": twin, "password": PASSWORD})
    assert refused.status_code == 409
    assert refused.json() == {"error": "username is taken.", "field": "username"}
    assert client.post("/login", json={"username": twin, "password": PASSWORD}).json()["username"] == "Twin"


def test_two_signups_at_once_make_one_account(recipe_url: str, instance: Path) -> None:
    """Of eight sign-ups for one name at once, one gets it and the others are told (attack 72)."""
    name = next(NAMES)
    with ThreadPoolExecutor(8) as threads:
        statuses = list(
            threads.map(
                lambda _: (
                    httpx.post(
                        f"{recipe_url}/signup", json={"username": name, "password": PASSWORD}, timeout=30
                    ).status_code
                ),
                range(8),
            )
        )
    assert sorted(statuses) == [201] + [409] * 7
    assert [row[0] for row in rows(instance)].count(name) == 1


GOOD = {"username": "mallory", "password": PASSWORD}
BAD_FIELDS = [
    ({**GOOD, "username": None}, "username"),
    ({**GOOD, "username": 1}, "username"),
    ({**GOOD, "username": ["a"]}, "username"),
    ({**GOOD, "username": {"$ne": None}}, "username"),
    ({**GOOD, "password": None}, "password"),
    ({**GOOD, "password": True}, "password"),
    ({**GOOD, "remember": 1}, "remember"),
    ({**GOOD, "remember": None}, "remember"),
    ({"password": PASSWORD}, "username"),
    ({"username": "mallory"}, "password"),
    ({}, "username"),
    ([], "username"),
    ("text", "username"),
    (None, "username"),
    (7, "username"),
    ({**GOOD, "is_admin": True}, "is_admin"),
    ({**GOOD, "id": 1}, "id"),
    ({**GOOD, "username": "a\x00b"}, "username"),
    ({**GOOD, "username": "a\u200bb"}, "username"),
    ({**GOOD, "username": "a\ud800b"}, "username"),
    ({**GOOD, "password": "correct horse\x00"}, "password"),
    ({**GOOD, "password": "correct\ud800horse"}, "password"),
]
BAD_NEW = [
    ({**GOOD, "username": ""}, "username"),
    ({**GOOD, "username": " mallory"}, "username"),
    ({**GOOD, "username": "m" * 65}, "username"),
    ({**GOOD, "password": "short"}, "password"),
    ({**GOOD, "password": "p" * 1025}, "password"),
]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        *(("/signup", *case) for case in BAD_FIELDS + BAD_NEW),
        *(("/login", *case) for case in BAD_FIELDS),
    ],
)
def test_a_bad_field_is_named(client: httpx.Client, instance: Path, path: str, body: Any, field: str) -> None:
    """A wrong type, a missing or unknown field, or an unreadable text is a 422 that names the field."""
    before = rows(instance)
    response = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["field"] == field
    assert field in response.json()["error"]
    assert rows(instance) == before


BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"username=mallory",
    "half": b'{"username": "mall',
    "NaN": b'{"username": NaN, "password": "correct horse"}',
    "twice": b'{"username": "a", "username": "b", "password": "correct horse"}',
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "invalid UTF-8": b'{"username": "\xff", "password": "correct horse"}',
    "deep": b"[" * 8000,
    "long number": b'{"username": ' + b"9" * 6000 + b"}",
}


@pytest.mark.parametrize("path", ["/signup", "/login"])
@pytest.mark.parametrize("kind", BAD_BODIES)
def test_a_body_that_is_no_json(client: httpx.Client, path: str, kind: str) -> None:
    """Whatever is not JSON, or not to be read in one way only, is a 400 that says so (attacks 91 to 95)."""
    response = client.post(path, content=BAD_BODIES[kind], headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json() == {"error": "The body is not JSON."}


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "text/plain; application/json"]
)
def test_another_content_type(client: httpx.Client, content_type: str | None) -> None:
    """JSON is read under its own content type only, which no form of another site can send (attack 98)."""
    headers = {"Content-Type": content_type} if content_type else {}
    assert client.post("/login", content=json.dumps(GOOD), headers=headers).status_code == 415


@pytest.mark.parametrize("size", [17_000, 1_000_000, 5_000_000])
def test_a_large_body(client: httpx.Client, instance: Path, size: int) -> None:
    """A body over 16 KiB is a 413, and nothing is written (attack 96)."""
    before = rows(instance)
    response = client.post("/signup", json={**GOOD, "username": "m" * size})
    assert response.status_code == 413
    assert rows(instance) == before


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["username", "password", "remember"]) | st.text(), inner, max_size=4)
        ),
    )
)
def test_nothing_sent_is_a_server_error(client: httpx.Client, body: Any) -> None:
    """No JSON at all makes the server fail: it is a 400 or 422, or a 401 for well-formed credentials."""
    sent = json.dumps(body)
    response = client.post("/login", content=sent, headers={"Content-Type": "application/json"})
    assert response.status_code in {400, 401, 422}
    assert "error" in response.json()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=st.binary(max_size=80).map(lambda junk: bytes(byte for byte in junk if byte >= 0x20 and byte != 0x7F)))
def test_no_cookie_is_a_server_error(client: httpx.Client, value: bytes) -> None:
    """Whatever cookies hold, the answer is that nobody is logged in (attacks 16 to 18)."""
    cookies = b"admit=" + value + b"; remember_token=1|" + value + b"; z"
    assert client.get("/me", headers={b"Cookie": cookies}).status_code == 401


def test_headers(client: httpx.Client) -> None:
    """Answers are kept by no cache, pages run no inline code and can't be framed."""
    for path in ("/", "/me"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
