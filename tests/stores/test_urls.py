"""URLs of stores and mail servers: what can't be is refused when the application starts, and no secret is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import Flask

from admit.errors import ConfigurationError
from admit.flask import LoginManager
from admit.mail import MailSettings, sender_of
from admit.stores import open_store

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t"
REFUSED = {
    "redis://:s3cr3t@localhost?timeout=1": "option that can't be: timeout",
    "redis://:s3cr3t@localhost?socket_timeout=abc": "no URL of Redis",
    "redis://:s3cr3t@localhost/abc": "no number of a database",
    "redis://:s3cr3t@localhost:99999": "names no server, or a port",
    "redis://:s3cr3t@localhost:0": "names no server, or a port",
    "redis://:s3cr3t@localhost:abc": "names no server, or a port",
    "redis://:s3cr3t@": "names no server, or a port",
    "redis://:s3cr3t@:6379/0": "names no server, or a port",
    "redis://": "names no server, or a port",
    "redis:///0": "names no server, or a port",
    "redis://:s3cr3t?x@localhost": "Percent-encode what is special",
    "redis://:s3cr3t/x@localhost": "Percent-encode what is special",
    "redis://:s3cr3t#x@localhost": "Percent-encode what is special",
    "redis://u:x?s3cr3t=1@localhost": "Percent-encode what is special",
    "rediss://:s3cr3t@localhost?ssl_foo=1": "option that can't be: ssl_foo",
    "rediss://:s3cr3t@localhost?ssl_cert_reqs=s3cr3t": "none that the driver knows",
    "unix://:s3cr3t@/run/redis.sock?timeout=1": "option that can't be: timeout",
    "unix://": "no URL of Redis",
    "redis+cluster://:s3cr3t@a:7000,b:7001?timeout=1": "option that can't be: timeout",
    "redis+cluster://:s3cr3t@a:7000,:7001": "names no server, or a port",
    "redis+cluster://:s3cr3t@a:7000,": "names no server, or a port",
    "redis+sentinel://:s3cr3t@a:26379/mymaster?timeout=1": "option that can't be: timeout",
    "redis+sentinel://:s3cr3t@a:26379/mymaster/x": "no number of a database",
    "redis+sentinel://:s3cr3t@a:99999/mymaster": "names no server, or a port",
    "redis+sentinel://:s3cr3t@a:26379/": "no URL of Redis",
    "postgresql://u:s3cr3t@localhost/x?timeout=1": "option that there is not: timeout",
    "postgresql+psycopg://u:s3cr3t@localhost/x?S3%20s3cr3t=1": "option that there is not: one that is no word",
    "postgresql://u:s3cr3t@localhost:99999/x": "a port that there is not",
    "postgresql://u:s3cr3t@localhost:0/x": "a port that there is not",
    "postgresql://u:s3cr3t@localhost:abc/x": "no URL of a database",
    "sqlite:///app.db?timout=5": "option that there is not: timout",
    "sqlite:///app.db?mode=ro": "option that there is not: mode",
    "sqlite:///file:app.db?uri=true&made=ro": "option that there is not: made",
    "sqlite://s3cr3t/app.db": "no URL of a database",
    "memory:?size=1": "A store in memory has no options",
    "memory:app": "A store in memory has no options",
}


@pytest.mark.parametrize("url", REFUSED)
def test_u22_a_url_that_cant_be_is_refused_at_start(url: str, tmp_path: Path) -> None:
    """The application does not start; a sentence says what is wrong with the URL, and shows none of its secret."""
    app = Flask("site", instance_path=str(tmp_path))
    with pytest.raises(ConfigurationError) as refused:
        LoginManager(app, store=url)
    assert REFUSED[url] in str(refused.value)
    for problem in (refused.value, refused.value.__cause__):
        assert SECRET not in str(problem)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1",
        "redis://user:s3cr3t@127.0.0.1:1/2?socket_keepalive=1&health_check_interval=30",
        "redis://[::1]:1/0",
        "rediss://127.0.0.1:1?ssl_cert_reqs=required",
        "unix:///nowhere/redis.sock?db=2",
        "redis+cluster://:s3cr3t@127.0.0.1:1,[::1]:2",
        "redis+sentinel://:s3cr3t@127.0.0.1:1,127.0.0.1/mymaster/2",
        "postgresql://u:s3cr3t@127.0.0.1:1/x?sslmode=disable&application_name=x&options=-csearch_path%3Dx",
        "postgresql:///x",
        "postgresql+psycopg://u@/x?host=127.0.0.1:1&host=127.0.0.1:2&prepare_threshold=3",
        "memory:",
        "memory://",
    ],
)
def test_u22_a_url_that_can_be_is_taken(url: str) -> None:
    """Options that the driver knows are taken, and nobody connects to see whether a URL can be."""
    open_store(url).close()


def test_u22_options_of_sqlite_are_taken(tmp_path: Path) -> None:
    """What SQLite and Python's driver of it know is taken."""
    for url in (
        f"sqlite:///{tmp_path}/a.db?timeout=5",
        f"sqlite:///file:{tmp_path}/b.db?uri=true&mode=rwc&cache=private",
    ):
        open_store(url).close()


@pytest.mark.parametrize(
    "url",
    [
        "smtp://u:s3cr3t@host:0?from=a@b.example",
        "smtp://u:s3cr3t@host:99999?from=a@b.example",
        "smtp://u:s3cr3t@host:abc?from=a@b.example",
        "smtp://u:s3cr3t@?from=a@b.example",
        "smtp://u:s3cr3t@host?from=a@b.example&timeout=1",
        "smtps://u:s3cr3t@host?from=a@b.example&tls=none",
        "console:s3cr3t",
        "console:?s3cr3t=1",
    ],
)
def test_u22_a_url_of_mails_that_cant_be_is_refused(url: str) -> None:
    """The URL of a mail server is read at start as well, and shown in no message."""
    with pytest.raises(ConfigurationError) as refused:
        sender_of(url, MailSettings(sender="a@b.example"))
    assert SECRET not in str(refused.value)
