"""Where settings come from, and which place wins."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import ConfigurationError
from admit.server.configuration import configuration, shown_settings, values_of
from admit.server.settings import known_settings

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = known_settings()


def read(folder: Path, toml: str = "", flags: dict[str, Any] | None = None, **environment: str) -> dict[str, Any]:
    """Return what is found, as key to value."""
    file = folder / "admit.toml"
    file.write_text(toml)
    return values_of(configuration(flags or {}, environment, file, KNOWN))


def test_flags_win_over_the_environment_and_that_over_the_file(folder: Path) -> None:
    """Each place is asked in turn, and what no place says is left to the defaults."""
    file = folder / "admit.toml"
    file.write_text('port = 1\nhost = "10.0.0.1"\nthreads = 3\n')
    found = configuration(
        {"ADMIT_PORT": 3, "ADMIT_DB": None}, {"ADMIT_PORT": "2", "ADMIT_HOST": "10.0.0.2"}, file, KNOWN
    )
    assert {key: (one.value, one.origin) for key, one in found.items()} == {
        "ADMIT_PORT": (3, "command line"),
        "ADMIT_HOST": ("10.0.0.2", "environment"),
        "ADMIT_THREADS": (3, str(file)),
    }


def test_tables_are_sections(folder: Path) -> None:
    """A table of the file is a section, also of a feature, and values have the types of TOML."""
    toml = 'trusted_hosts = ["a", "b"]\n[session]\nidle = 3600\n[password]\nmin_length = 20\n[cookie]\nname = "x"\n'
    assert read(folder, toml) == {
        "ADMIT_TRUSTED_HOSTS": ["a", "b"],
        "ADMIT_SESSION_IDLE": 3600,
        "ADMIT_PASSWORD_MIN_LENGTH": 20,
        "ADMIT_COOKIE_NAME": "x",
    }


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("ADMIT_PORT", "8080", 8080),
        ("ADMIT_DEV", "true", True),
        ("ADMIT_DEV", "OFF", False),
        ("ADMIT_SESSION_IDLE", "1.5", 1.5),
        ("ADMIT_SESSION_IDLE", "none", None),
        ("ADMIT_SESSIONS", "", None),
        ("ADMIT_TRUSTED_HOSTS", "a.example, b.example,", ("a.example", "b.example")),
        ("ADMIT_TRUSTED_HOSTS", "", ()),
        ("ADMIT_REGISTRATION_MODE", "closed", "closed"),
        ("ADMIT_DB", "none", "none"),
    ],
    ids=range(10),
)
def test_texts_of_the_environment(folder: Path, key: str, text: str, value: object) -> None:
    """A variable is read as what the setting takes."""
    assert read(folder, **{key: text}) == {key: value}


@pytest.mark.parametrize(
    ("key", "text", "hint"),
    [
        ("ADMIT_PORT", "80a", "a whole number"),
        ("ADMIT_DEV", "maybe", "true or false"),
        ("ADMIT_SESSION_IDLE", "soon", "a number of seconds"),
    ],
)
def test_texts_that_mean_nothing(folder: Path, key: str, text: str, hint: str) -> None:
    """A variable that can't be read is refused, with what it takes."""
    with pytest.raises(ConfigurationError, match=f"{key} is '{text}', which it can't be.*{hint}"):
        read(folder, **{key: text})


def test_unknown_keys_are_refused(folder: Path) -> None:
    """A key that nobody reads is refused wherever it stands, with the one that was meant."""
    with pytest.raises(ConfigurationError, match="Did you mean ADMIT_PUBLIC_URL"):
        read(folder, ADMIT_PUBLIC_ULR="https://app.example")
    with pytest.raises(ConfigurationError, match="Did you mean ADMIT_SESSION_IDLE"):
        read(folder, "[session]\nidel = 1")


def test_what_is_not_ours_is_left_alone(folder: Path) -> None:
    """Other variables, and the one that names the file, are no settings."""
    assert read(folder, PATH="x", ADMIT_CONFIG="admit.toml", ADMITTED="1") == {}


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"port = ", "is no TOML file"), (b"\xff", "is no TOML file"), (None, "can't be read")]
)
def test_a_file_that_can_not_be_read(folder: Path, content: bytes | None, sentence: str) -> None:
    """A file that is not there, or is something else, is refused with its name."""
    file = folder / "admit.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"admit\.toml {sentence}"):
        configuration({}, {}, file, KNOWN)


def test_every_setting_is_shown_once(folder: Path) -> None:
    """All settings are shown, those of features too, each once with its value, its origin and its sentence."""
    found = configuration({}, {"ADMIT_PASSWORD_MIN_LENGTH": "20"}, None, KNOWN)
    rows = {row.key: row for row in shown_settings(found, KNOWN)}
    assert len(rows) == len(shown_settings(found, KNOWN))
    assert (rows["ADMIT_PASSWORD_MIN_LENGTH"].value, rows["ADMIT_PASSWORD_MIN_LENGTH"].origin) == (20, "environment")
    assert (rows["ADMIT_SESSION_IDLE"].value, rows["ADMIT_SESSION_IDLE"].origin) == (timedelta(days=1), "default")
    assert all(row.doc.endswith(".") for row in rows.values())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ADMIT_SECRET_KEY", "hunter2-hunter2"),
        ("ADMIT_MAIL_URL", "smtp://ada:hunter2@mail.example:587"),
        ("ADMIT_DB", "postgresql://ada:hunter2@db.example/admit"),
        ("ADMIT_SESSIONS", "redis://:hunter2@127.0.0.1"),
        ("ADMIT_DB", "postgresql://ada:hunter2:x@hunter2@db.example/admit"),
    ],
    ids=range(5),
)
def test_secrets_are_masked(key: str, value: str) -> None:
    """No password and no secret is shown, whichever setting it is in; the rest of an address is."""
    found = configuration({}, {key: value}, None, KNOWN)
    shown = next(row.value for row in shown_settings(found, KNOWN) if row.key == key)
    assert "hunter2" not in shown
    assert "***" in shown
    assert ("db.example" in shown) is ("db.example" in value)
