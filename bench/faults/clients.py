"""Clients: browsers of people, which ask for one thing at a time, and lose an answer now and then."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from bench.faults.history import Operation
from tests.deployment.browsers import Browser, Journal

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from bench.faults.history import History
    from bench.faults.site import Site
    from tests.deployment.browsers import Answer

__all__ = ["Client", "Person"]

_API = "/api/account"
_SESSION = "__Host-admit"
_PATIENCE = 20.0
#: How many in a hundred answers a client loses.
_LOSES = 4
#: How long it waits after a request that got no answer, in seconds.
_PAUSE = 0.2


@dataclass
class Person:
    """Somebody with an account, and the passwords that may count: they are numbered, and none comes twice."""

    address: str
    may_count: list[int] = field(default_factory=lambda: [0])
    tried: int = 0

    def password(self, number: int) -> str:
        """Return the password with a number."""
        return f"violet anchors {number * 7919 + 104729:x} drift slowly"


class Client:
    """A browser of one person, on whichever worker takes the connection; all that it does is in the history.

    Args:
        site: What it visits.
        history: Where its requests are kept.
        person: Whose it is.
        chance: Decides which answers it loses.
    """

    def __init__(self, site: Site, history: History, person: Person, chance: random.Random) -> None:
        self.person = person
        self._site = site
        self._history = history
        self._chance = chance
        self._browser = Browser(0, Journal(), _PATIENCE)

    @property
    def session(self) -> str:
        """The id of the session that it has."""
        return _session_of(self._browser.cookies)

    def copy(self) -> Client:
        """Return another client with the same cookies: a second tab whose answers come in apart."""
        other = Client(self._site, self._history, self.person, self._chance)
        other._browser.cookies = dict(self._browser.cookies)
        return other

    def take_over(self, other: Client) -> None:
        """Go on with what another one has."""
        self._browser.cookies = dict(other._browser.cookies)

    # -- what it can ask for -----------------------------------------------------------------------

    def sign_in(self, number: int) -> Operation:
        """Try one of the person's passwords."""
        body = {"identifier": self.person.address, "password": self.person.password(number)}
        return self._ask("sign in", "POST", f"{_API}/sign-in", body, secret=number)

    def enter(self) -> bool:
        """Sign in by the passwords that may count, the latest first; tell whether it is in."""
        for number in sorted(self.person.may_count, reverse=True):
            done = self.sign_in(number)
            if done.is_done:
                self.person.may_count = [number]
            if done.status != 401 or done.is_unknown:
                return done.is_done
        return False

    def look(self) -> Operation:
        """Look at one's own account."""
        return self._ask("look", "GET", f"{_API}/")

    def devices(self) -> Operation:
        """Look at one's own devices."""
        return self._ask("devices", "GET", f"{_API}/devices")

    def sign_out(self) -> Operation:
        """Sign out."""
        return self._ask("sign out", "POST", f"{_API}/sign-out", {})

    def end_one(self, session: str) -> Operation:
        """End a session."""
        return self._ask("end one", "DELETE", f"{_API}/devices/{session}", {}, target=session)

    def end_others(self) -> Operation:
        """End all other sessions."""
        return self._ask("end others", "DELETE", f"{_API}/devices", {})

    def confirm(self, race: str = "") -> Operation:
        """Say the password once more, which replaces the session."""
        body = {"password": self.person.password(self.person.may_count[-1])}
        return self._ask("confirm", "POST", f"{_API}/password/confirm", body, race=race)

    def change(self) -> Operation:
        """Change the password, which ends all other sessions."""
        person = self.person
        person.tried += 1
        body = {"old_password": person.password(person.may_count[-1]), "password": person.password(person.tried)}
        done = self._ask("change", "POST", f"{_API}/password", body, secret=person.tried)
        if done.is_done:
            person.may_count = [person.tried]
        elif done.is_unknown:
            person.may_count.append(person.tried)
        return done

    def issue(self) -> str:
        """Make a challenge, and return its token; none, if there was no answer."""
        token: list[str] = []
        self._ask("issue", "POST", "/challenges", {}, read=lambda body: token.append(body["token"]))
        return "".join(token)

    def take(self, token: str) -> Operation:
        """Take a challenge."""
        race = token.partition(".")[0]
        return self._ask("take", "POST", f"/challenges/{token}", {}, target=race, race=f"challenge {race}")

    # -- asking ------------------------------------------------------------------------------------

    def _ask(
        self,
        what: str,
        method: str,
        path: str,
        body: dict[str, str] | None = None,
        *,
        read: Callable[[Any], object] = bool,
        **notes: Any,
    ) -> Operation:
        session, is_dropped = self.session, self._chance.randrange(100) < _LOSES
        # Where the answer gets lost, it goes on with what it had, as if none had ever arrived.
        browser = self.copy()._browser if is_dropped else self._browser  # noqa: SLF001 -- its own kind
        while not self._site.ports and not self._history.wait(_PAUSE):
            pass  # nobody serves
        browser.port = self._chance.choice(self._site.ports or [1])
        began, answer = self._history.now(), _exchange(browser, method, path, body)
        operation = Operation(what, self.person.address, began, self._history.now(), 0, session=session, **notes)
        if answer is None:
            self._history.wait(_PAUSE)  # or it would fill the history with what is known
        if is_dropped or answer is None:
            return self._history.add(operation._replace(is_dropped=is_dropped and answer is not None))
        given, said = _session_of(browser.cookies), _said(what, answer)
        if 200 <= answer.status < 300 and answer.body:
            read(answer.json)
        return self._history.add(
            operation._replace(
                status=answer.status,
                said=said,
                given=given if given != session else "",
                says_when="retry-after" in answer.headers,
            )
        )


def _exchange(browser: Browser, method: str, path: str, body: dict[str, str] | None) -> Answer | None:
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        return browser.exchange(method, path, None if body is None else json.dumps(body), headers)
    except (OSError, HTTPException):
        return None


def _session_of(cookies: dict[str, str]) -> str:
    return cookies.get(_SESSION, "").partition(".")[0]


def _said(what: str, answer: Answer) -> str:
    """Return whom an answer is about, or why it refuses."""
    try:
        body = answer.json
    except ValueError:
        return repr(answer.body[:100])
    if answer.status >= 300:
        return str(body.get("code", "")) if answer.status in {401, 404, 410, 503} else str(body)[:200]
    if what == "look":
        return str(body["email"])
    if what == "devices":
        return next((one["id"] for one in body["devices"] if one["is_this"]), "")
    return ""
