"""Whether answers tell who has an account: pairs of requests that have to look and last alike.

Of each pair one request names somebody and the other nobody, in random order, so that the machine's moods are shared.
What is compared: status, body, names and values of headers (``Date`` and random cookie values apart), and the times, by
the two-sample test of Kolmogorov and Smirnov: a small p would mean that the times differ.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask

from admit import identifiers, tokens
from admit.features.account import AccountPages
from admit.features.mail_verification import MailVerification
from admit.features.password import Password
from admit.features.password_reset import PasswordReset
from admit.features.registration import Registration
from admit.flask import LoginManager
from admit.model import Account, Credential
from bench.rounds import stay_on_one_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

__all__ = ["PAIRS", "Pairs", "measure", "p_value", "table"]

PAIRS = 1000
ORIGIN = "https://app.example"
RIGHT, WRONG = "violet anchors drift slowly", "wrong horses chew batteries"

#: So wide that no try is refused.
_WIDE = {
    **{f"ADMIT_THROTTLE_{who}_BURST": 10**6 for who in ("PAIR", "ADDRESS", "ACCOUNT")},
    "ADMIT_THROTTLE_REQUESTS_PER_HOUR": 10**6,
    "ADMIT_THROTTLE_MAILS_PER_HOUR": 10**6,
}


class Answer(NamedTuple):
    """What a client is told, and how long it took, in microseconds."""

    told: Any
    taken: float


@dataclass
class Pairs:
    """The answers of one case: to those who name somebody, and to those who name nobody."""

    case: str
    somebody: list[Answer] = field(default_factory=list[Answer])
    nobody: list[Answer] = field(default_factory=list[Answer])

    @property
    def differing(self) -> int:
        """How many pairs differ in anything but time."""
        return sum(one.told != other.told for one, other in zip(self.somebody, self.nobody, strict=True))

    @property
    def p(self) -> float:
        """How likely times as far apart as these are if they are of one kind."""
        return p_value([one.taken for one in self.somebody], [one.taken for one in self.nobody])


def p_value(first: list[float], second: list[float]) -> float:
    """Return the p of the two-sample Kolmogorov-Smirnov test, by its limit for large samples (Stephens, 1970)."""
    places = sorted([(value, 1 / len(first)) for value in first] + [(value, -1 / len(second)) for value in second])
    distance = height = 0.0
    for place, (value, step) in enumerate(places):
        height += step
        if place + 1 == len(places) or places[place + 1][0] != value:
            distance = max(distance, abs(height))
    size = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    reach = (size + 0.12 + 0.11 / size) * distance
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * k * k * reach * reach) for k in range(1, 101))
    return min(1.0, max(0.0, sum(terms))) if reach > 0.2 else 1.0


class Place:
    """A site over SQLite with very many people."""

    def __init__(self, folder: Path, name: str, **config: Any) -> None:
        self.app = Flask("enumeration")
        self.app.config.update({"SECRET_KEY": tokens.new_secret(), "ADMIT_PUBLIC_URL": ORIGIN, **config})
        features = [AccountPages(), Password(), Registration(), MailVerification(), PasswordReset()]
        mails: deque[Any] = deque(maxlen=1)
        store = f"sqlite:///{folder}/{name}.db"
        self.login: LoginManager[Any] = LoginManager(self.app, store=store, features=features, mail=mails.append)
        self.client: FlaskClient = self.app.test_client(use_cookies=False)
        hasher = next(one for one in features if isinstance(one, Password)).hasher
        self._secret = hasher.hash(RIGHT)

    def settle_in(self, name: str, *, is_confirmed: bool = True) -> None:
        """Give somebody an account, without a request."""
        now = datetime.now(UTC)
        address = replace(identifiers.email(name), verified_at=now if is_confirmed else None)
        account = Account(tokens.new_account_id(now), (address,), now)
        secret = Credential(tokens.new_id(), "password", account.id, account.id, self._secret, now)
        keeper: Any = self.login.keeper
        keeper.accounts.store.add_account(account, secret)

    def ask(self, path: str, body: dict[str, str]) -> Answer:
        """Send one request, and return the answer."""
        data = json.dumps(body)
        headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
        begun = time.perf_counter()
        found = self.client.post(f"/api/account{path}", base_url=ORIGIN, data=data, headers=headers, buffered=True)
        taken = (time.perf_counter() - begun) * 1e6
        told = [(name, value.partition("=")[0] if name == "Set-Cookie" else value) for name, value in found.headers]
        return Answer((found.status_code, found.data, [one for one in told if one[0] != "Date"]), taken)


def _names(kind: str) -> list[str]:
    """Return names that are as long as all others, so that nothing but their owners differs."""
    return [f"{kind[:4]}{number:06}@people.example" for number in range(PAIRS)]


def _run(case: str, somebody: Iterator[Callable[[], Answer]], nobody: Iterator[Callable[[], Answer]]) -> Pairs:
    pairs = Pairs(case)
    for one, other in zip(somebody, nobody, strict=True):
        both = [(pairs.somebody, one), (pairs.nobody, other)]
        random.shuffle(both)
        for answers, ask in both:
            answers.append(ask())
    return pairs


def _asking(place: Place, path: str, field: str, names: list[str], **more: str) -> Iterator[Callable[[], Answer]]:
    for name in names:
        yield lambda name=name: place.ask(path, {field: name, **more})


def measure(folder: Path) -> Iterator[Pairs]:
    """Ask in pairs: logins, logins that are refused for being too many, sign-ups, resets and confirmations."""
    stay_on_one_core()
    place = Place(folder, "wide", **_WIDE)
    for name in _names("known"):
        place.settle_in(name)
    for name in _names("waiting"):
        place.settle_in(name, is_confirmed=False)
    for kind in ("known", "warm"):  # the first of all pays for what is imported
        for path, body in (("/sign-in", {"password": WRONG}), ("/password-reset", {})):
            place.ask(path, {"identifier": f"{kind[:4]}000000@people.example", **body})
    place.ask("/sign-up", {"email": "warm000001@people.example", "password": RIGHT})
    for case, path, named, kind in (
        ("login: known account, wrong password / unknown account", "/sign-in", "identifier", "known"),
        ("reset: known / unknown account", "/password-reset", "identifier", "known"),
        ("link again: waiting / unknown address", "/verify/request", "email", "waiting"),
        ("sign-up: taken / free address", "/sign-up", "email", "known"),
    ):
        more = {"/sign-in": {"password": WRONG}, "/sign-up": {"password": RIGHT}}.get(path, {})
        fresh = _names({"/sign-up": "free"}.get(path, f"no{path[1:3]}"))
        yield _run(
            case,
            _asking(place, path, named, _names(kind), **more),
            _asking(place, path, named, fresh, **more),
        )
    yield _throttled(folder)


def _throttled(folder: Path) -> Pairs:
    place = Place(folder, "narrow")
    [name, *_] = _names("known")
    place.settle_in(name)
    while place.ask("/sign-in", {"identifier": name, "password": WRONG}).told[0] != 429:
        pass

    def asking(password: str) -> Iterator[Callable[[], Answer]]:
        for _ in range(PAIRS):
            yield lambda: place.ask("/sign-in", {"identifier": name, "password": password})

    pairs = _run("throttled: right / wrong password", asking(RIGHT), asking(WRONG))
    # The seconds to wait grow fewer while this runs, which is no difference between the two.
    same = [_without_wait(answers) for answers in (pairs.somebody, pairs.nobody)]
    return Pairs(pairs.case, *same)


def _without_wait(answers: list[Answer]) -> list[Answer]:
    return [
        one._replace(told=(*one.told[:2], [pair for pair in one.told[2] if pair[0] != "Retry-After"]))
        for one in answers
    ]


def table(found: list[Pairs]) -> str:
    """Return the cases as a Markdown table."""
    lines = [
        "| pairs | that differ | median of the one, µs | of the other, µs | Kolmogorov-Smirnov p | target |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        first, second = (statistics.median(answer.taken for answer in side) for side in (one.somebody, one.nobody))
        verdict = "met" if one.p > 0.05 and not one.differing else "MISSED"
        lines.append(
            f"| {one.case} | {one.differing} of {len(one.somebody):,} | {first:,.0f} | {second:,.0f} | {one.p:.3f} "
            f"| none differ, p > 0.05: {verdict} |"
        )
    return "\n".join(lines)
