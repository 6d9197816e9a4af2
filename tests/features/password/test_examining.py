"""What the doctor says of passwords, and what a hash is measured to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from argon2.exceptions import HashingError

from admit.feature import Feature
from admit.features.password import Password
from admit.features.password.calibrating import Cost, measured, recommended
from admit.features.password.examining import of_cost, of_settings
from tests.features.conftest import Codes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.feature import Context
    from admit.findings import Finding
    from admit.model import Account

FLOOR = (19456, 2)


class Regain(Feature):
    """A way back."""

    name = "regain"

    def recover(self, ctx: Context, account: Account) -> str | None:
        """Offer one."""
        return None


def said(found: Iterable[Finding]) -> dict[str, str]:
    """Return how bad each finding is, by what was looked at."""
    return {one.check: str(one.severity) for one in found}


def test_a_measured_hash() -> None:
    """The time of a hash is the median of three, and its parameters are those that were asked for."""
    times = iter([0, 0.3, 1, 1.1, 2, 2.2])
    cost = measured(8, 1, clock=lambda: next(times))
    assert cost[:2] == (8, 1)
    assert cost.seconds == pytest.approx(0.2)
    assert measured(64, 1).seconds > 0


@pytest.mark.parametrize(
    ("seconds", "setting"),
    [
        (0.001, (262144, 3)),
        (0.03, (65536, 3)),
        (0.05, (65536, 2)),
        (0.1, (47104, 2)),
        (0.15, (47104, 1)),
        (0.25, FLOOR),
        (10.0, FLOOR),
    ],
)
def test_what_is_recommended(seconds: float, setting: tuple[int, int]) -> None:
    """It is the strongest setting that takes a quarter of a second at most, and never a weaker one than OWASP's."""
    better = recommended(Cost(*FLOOR, seconds))
    assert better[:2] == setting
    assert better.seconds == pytest.approx(seconds * setting[0] * setting[1] / (FLOOR[0] * FLOOR[1]))


@pytest.mark.parametrize(
    ("cost", "severity"),
    [
        (Cost(*FLOOR, 0.05), "note"),
        (Cost(*FLOOR, 0.2), "ok"),
        (Cost(*FLOOR, 0.7), "ok"),  # nothing weaker is strong enough
        (Cost(262144, 3, 0.05), "ok"),  # nothing stronger is recommended
        (Cost(131072, 3, 0.9), "warning"),
    ],
)
def test_what_a_hash_costs(cost: Cost, severity: str) -> None:
    """A hash that is cheap, or that people notice, is told with settings that are better on this machine."""
    found = {one.check: one for one in of_cost(Password(), cost, processors=2)}
    assert str(found["hash_cost"].severity) == severity
    better = recommended(cost)
    assert (f"ADMIT_PASSWORD_MEMORY_KIB to {better.memory_kib}" in found["hash_cost"].advice) == (severity != "ok")


def test_more_hashes_than_processors() -> None:
    """What many at once cost is said, and that more than there are processors only wait for each other."""
    cost = Cost(*FLOOR, 0.1)
    fine = [one for one in of_cost(Password(), cost, processors=1) if one.check == "hashes_at_once"]
    assert fine[0].sentence == "One process hashes 1 at once, in at most 19 MiB: 10 logins a second."
    found = said(of_cost(Password(hashes_at_once=3), cost, processors=2))
    assert found["hashes_at_once"] == "warning"


@pytest.mark.parametrize(("length", "severity"), [(15, "ok"), (14, "warning"), (8, "warning"), (7, "error")])
def test_a_short_minimum(length: int, severity: str) -> None:
    """A minimum below 15 is a warning, and one below 8 an error (NIST SP 800-63B-4, section 3.1.1.2)."""
    assert said(of_settings(Password(min_length=length), {}))["password_length"] == severity


def test_beside_a_second_factor() -> None:
    """The minimum beside a second factor counts where there is one."""
    weak = Password(min_length_with_factor=7)
    codes = Codes()
    assert all("WITH_FACTOR" not in one.sentence for one in of_settings(weak, {}))
    lengths = [str(one.severity) for one in of_settings(weak, {"codes": codes}) if one.check == "password_length"]
    assert lengths == ["ok", "error"]


def test_what_a_good_configuration_has() -> None:
    """A check for breaches and a way back leave nothing to say."""
    good = Password(breach_check=Breaches())
    features = {"password": good, "regain": Regain()}
    assert said(of_settings(good, features)) == {"password_length": "ok"}
    assert said(of_settings(Password(), {"password": Password()})) == {
        "password_length": "ok",
        "password_breaches": "note",
        "password_reset": "warning",
    }


class Breaches:
    """Knows no breach."""

    def count(self, password: str) -> int:
        """Return how often a password was seen."""
        return 0


def test_the_feature_measures() -> None:
    """The feature tells of its settings and measures a hash on this very machine."""
    found = said(Password().examine({"password": Password()}))
    assert found["hash_cost"] in {"ok", "note", "warning"}
    assert found["password_length"] == "ok"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"memory_kib": 8}, "Nobody can log in by password: argon2id with memory_kib=8"),
        ({"memory_kib": 1 << 20, "time_cost": 2}, "This machine has not the 1024 MiB that a hash takes."),
    ],
    ids=["weak", "large"],
)
def test_hashes_that_can_not_be(settings: dict[str, int], sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is too weak, which the first login would fail by, and one beyond this machine are errors."""
    monkeypatch.setattr("argon2.low_level.hash_secret_raw", no_memory)
    found = {one.check: one for one in Password(**settings).examine({})}
    assert found["hash_cost"].sentence.startswith(sentence)
    assert str(found["hash_cost"].severity) == "error"
    assert "ADMIT_PASSWORD_MEMORY_KIB" in found["hash_cost"].advice or "memory_kib" in found["hash_cost"].advice


def no_memory(*words: object) -> bytes:
    """Fail as argon2 does where there is no memory."""
    raise HashingError
