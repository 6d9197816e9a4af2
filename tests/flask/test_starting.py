"""What an application with accounts refuses to start with."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from flask import Flask

from admit.errors import ConfigurationError
from admit.feature import Feature
from admit.flask import LoginManager
from admit.flask.starting import refuse_memory_for_many, refuse_weak_secret, workers
from admit.stores import open_stores


class Silent(Feature):
    """A feature that does nothing."""

    name = "silent"


def start(**config: Any) -> Flask:
    """Make an application with accounts."""
    app = Flask("site")
    app.config.update(config)
    LoginManager(app, store="memory:", features=[Silent()])
    return app


KNOWN = [
    "dev",
    b"secret-key",
    "changeme",
    "Change Me!",
    "you-will-never-guess",
    b'_5#y2L"F4Q8z\n\xec]/',
    r'_5#y2L"F4Q8z\n\xec]/',
    "A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "5791628bb0b13ce0c676dfde280ba245",
    "secretsecretsecretsecretsecretsecret",
    "hard to guess string",
]


@pytest.mark.parametrize("secret", KNOWN, ids=range(len(KNOWN)))
def test_a_secret_of_a_tutorial(secret: str | bytes) -> None:
    """A secret that everybody has read is refused, whatever stands between its words and however long it is."""
    with pytest.raises(ConfigurationError, match=r"known from a tutorial.*Make one by python"):
        start(SECRET_KEY=secret)


@pytest.mark.parametrize("secret", ["k9-x2", secrets.token_hex(15), "ab" * 40], ids=["tiny", "short", "dull"])
def test_a_secret_that_can_be_guessed(secret: str) -> None:
    """A short secret is refused, and one that is long only because it repeats itself; no message holds it."""
    with pytest.raises(ConfigurationError, match="guessed") as refused:
        start(SECRET_KEY=secret)
    assert secret not in str(refused.value)


@pytest.mark.parametrize("secret", [secrets.token_hex(), secrets.token_bytes(32)], ids=["text", "bytes"])
def test_a_good_secret(secret: str | bytes) -> None:
    """A random secret of 32 bytes is fine, as text or bytes."""
    start(SECRET_KEY=secret)


def test_no_secret() -> None:
    """Logins need no secret, so that an application without one starts."""
    start()
    start(SECRET_KEY=secrets.token_hex(), SECRET_KEY_FALLBACKS=None)


def test_an_older_secret_counts_as_well() -> None:
    """What was signed by an older secret is believed, so that it must be as good."""
    with pytest.raises(ConfigurationError, match="SECRET_KEY_FALLBACKS is known"):
        start(SECRET_KEY=secrets.token_hex(), SECRET_KEY_FALLBACKS=["dev"])


def test_tests_may_do_with_any_secret() -> None:
    """Development and tests may have a secret that says so."""
    start(SECRET_KEY="dev", TESTING=True)
    start(SECRET_KEY="dev", DEBUG=True)


def test_the_name_of_the_setting_is_said() -> None:
    """Whoever is refused learns which setting it is about."""
    with pytest.raises(ConfigurationError, match=r"^ADMIT_SECRET_KEY is shorter than 32 bytes"):
        refuse_weak_secret("ADMIT_SECRET_KEY", "k9-x2")


@pytest.mark.parametrize(
    ("environment", "arguments", "count"),
    [
        ({}, [], 1),
        ({}, ["python", "-w", "4"], 1),
        ({"WEB_CONCURRENCY": "3"}, ["gunicorn", "site:app"], 3),
        ({"WEB_CONCURRENCY": "many"}, ["gunicorn"], 1),
        ({"WEB_CONCURRENCY": "3"}, ["/usr/bin/gunicorn", "-w", "2", "site:app"], 2),
        ({}, ["gunicorn", "-w4"], 4),
        ({}, ["gunicorn", "--workers=5"], 5),
        ({"GUNICORN_CMD_ARGS": "--bind :80 --workers 6"}, ["gunicorn", "site:app"], 6),
        ({"GUNICORN_CMD_ARGS": "--workers 6"}, ["gunicorn", "--workers", "1"], 1),
    ],
    ids=range(9),
)
def test_workers_are_counted(environment: dict[str, str], arguments: list[str], count: int) -> None:
    """The number of workers is what gunicorn takes it to be; the command line wins."""
    assert workers(environment, arguments) == count


def test_memory_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several workers can't each have a memory of their own, and the message says what to do."""
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    with pytest.raises(ConfigurationError, match=r"2 workers.*Use sqlite:///"):
        start()
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    start()


def test_a_store_that_is_shared(tmp_path: Any) -> None:
    """A store that they share may have as many workers as there are."""
    stores = open_stores(f"sqlite:///{tmp_path}/app.db")
    refuse_memory_for_many(stores, {"WEB_CONCURRENCY": "8"})
    stores.close()
