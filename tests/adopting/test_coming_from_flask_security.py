"""The way from Flask-Security, there and back, with a database that the real one has made."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.docs.guides import Guide
from tests.serving import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.adopting

OLD, NEW = "a password of long ago", "the moon is made of green cheese"
CHANGE = "The change"

#: What makes users in the application: one with a role, and one without.
MAKE = """
import sys
from app import app
from flask_security import hash_password
users = app.security.datastore
with app.app_context():
    for name, roles in (("ada", ["admin"]), ("eve", [])):
        for role in roles:
            users.create_role(name=role)
        users.create_user(email=f"{name}@example.org", password=hash_password(sys.argv[1]), roles=roles)
    users.commit()
"""


def sign_in(client: httpx.Client, site: str, email: str, password: str) -> int:
    """Sign in by Admit."""
    body = {"identifier": email, "password": password}
    return client.post(f"{site}/api/account/sign-in", json=body).status_code


def log_in(client: httpx.Client, site: str, email: str, password: str) -> int:
    """Log in by Flask-Security, which wants a token first."""
    token = client.get(f"{site}/login", headers={"Accept": "application/json"}).json()["response"]["csrf_token"]
    body = {"email": email, "password": password, "csrf_token": token}
    return client.post(f"{site}/login", json=body).status_code


def test_there_and_back(tmp_path: Path, old_python: str) -> None:
    """Users that Flask-Security has made sign in, with their roles; and it takes them all again."""
    guide = Guide("coming-from-flask-security.md", ROOT / "examples/security/app.py", tmp_path, old_python)
    guide.environment["PASSWORD_SALT"] = "146585145368132386173505678016728509634"
    guide.run("-c", MAKE, OLD)

    guide.change(CHANGE)
    guide.python = sys.executable
    with guide.served() as site, httpx.Client(timeout=30) as ada, httpx.Client(timeout=30) as eve:
        assert sign_in(ada, site, "ada@example.org", "wrong") == 401
        for client, name, allowed in ((ada, "ada", 200), (eve, "eve", 403)):
            assert sign_in(client, site, f"{name}@example.org", OLD) == 200
            assert client.get(f"{site}/me").json()["email"] == f"{name}@example.org"
            assert client.get(f"{site}/admin").status_code == allowed
        change = {"old_password": OLD, "password": NEW}
        assert eve.post(f"{site}/api/account/password", json=change).status_code == 200
        assert "Ended 1 session." in guide.type(CHANGE)
        assert ada.get(f"{site}/me").status_code != 200

    guide.change(CHANGE, back=True)
    guide.python = old_python
    with guide.served() as site:
        for name, password, status in (("ada", OLD, 200), ("eve", OLD, 400), ("eve", NEW, 200)):
            with httpx.Client(timeout=30) as client:
                assert log_in(client, site, f"{name}@example.org", password) == status
