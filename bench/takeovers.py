"""A thief who signs in without pause while the owner of the account throws them out: over HTTP, with real processes.

The thief has the right password, and several threads. What they got from a sign-in that began before the owner's answer
is tried after it: none of it may open anything any more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from admit.features.password.hashing import Hasher
from tests.deployment.letters import Letters
from tests.deployment.site import HOST, kept_redis
from tests.mail_server import mail_server
from tests.services.postgres import private_postgres
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BEFORE", "CHANGES", "SERVERS", "Found", "measure"]

API = "/api/account"
#: The code that serves.
SRC = ROOT / "src"
PASSWORD, OTHER = "violet anchors drift slowly", "quiet rivers carry lanterns"
#: The least that a hash may cost: how long it takes is not what is looked at here.
COST = {"memory_kib": 7168, "time_cost": 5}
THIEVES, PATIENCE = 4, 30.0
#: What an account that is closed may be opened by is a login that began after it: the thief stops so long before.
PAUSE = 0.05
#: How long a process may take to hear that a session has ended, in seconds.
HEARD = 1.0
SQLITE, PAIR = SERVERS = ("admit run, SQLite", "gunicorn 2 × 8, PostgreSQL and Redis")  # noqa: RUF001
#: What locks accounts: an operator, in a process of their own.
OPERATOR = """
import sys
from admit.operations import lock_account
from admit.server import create_app
from admit.server.pages import accounts_of
app = create_app(serves=False)
with app.app_context():
    accounts = accounts_of(app)
    for line in sys.stdin:
        account = accounts.store.find_account(line.strip())
        lock_account(accounts.keeper.gate, accounts.store, account.id, at=accounts.now())
        print("locked", flush=True)
"""


class Found(NamedTuple):
    """What came of all rounds of one change at one server."""

    server: str
    change: str
    rounds: int
    #: Sign-ins of the thief that were answered, by status.
    answers: dict[int, int]
    #: Sessions that the thief had got, and those that were still good.
    tried: int
    stayed: int
    #: Rounds in which the thief stayed in.
    lost: int
    #: Owners whose own new sign-in was refused.
    refused: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether no thief stayed in, and no owner was kept out."""
        return self.stayed == self.refused == 0


class Round(NamedTuple):
    """What came of one round: sessions of the thief that were tried, and those that were still good."""

    tried: int
    stayed: int
    is_lost: bool
    is_refused: bool


class Refused(Exception):
    """What the owner wanted was refused."""


@dataclass
class Site:
    """A server with people, where their mails go, and who locks accounts."""

    port: int
    letters: Letters
    operator: subprocess.Popen[str]

    def link(self, address: str, feature: str) -> str:
        """Return the token of the next link of this kind that comes to an address."""
        token = self.letters.next_link(address, feature, PATIENCE)
        assert token is not None, f"no mail of {feature} came to {address}"
        return token

    def lock(self, address: str) -> None:
        """Lock an account."""
        assert self.operator.stdin is not None
        assert self.operator.stdout is not None
        self.operator.stdin.write(f"{address}\n")
        self.operator.stdin.flush()
        assert self.operator.stdout.readline() == "locked\n"


@dataclass
class Client:
    """A client in a network of its own, which keeps its cookies."""

    site: Site
    network: int
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
        """Send a request, and return the status of the answer and what it says."""
        headers = {
            "Host": HOST,
            "Content-Type": "application/json",
            "X-Forwarded-For": f"198.18.{self.network // 250 % 250}.{self.network % 250 + 1}",
            "X-Forwarded-Proto": "https",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        connection = HTTPConnection("127.0.0.1", self.site.port, timeout=PATIENCE)
        try:
            connection.request(method, API + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, json.loads(content) if content else None

    def demand(self, path: str, body: dict[str, str] | None = None) -> Any:
        """Send what has to be done, again while too many ask, and return what the answer says."""
        deadline = time.monotonic() + PATIENCE
        status, said = self.send("POST", path, body)
        while status == 503 and time.monotonic() < deadline:
            status, said = self.send("POST", path, body)
        if status >= 300:
            message = f"{path}: {status} {said}"
            raise Refused(message)
        return said

    def sign_in(self, address: str, password: str = PASSWORD) -> int:
        """Try to sign in, again while too many do."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status, _ = self.send("POST", "/sign-in", {"identifier": address, "password": password})
            if status != 503 or time.monotonic() > deadline:
                return status

    def is_in(self) -> bool:
        """Tell whether there is a session."""
        return self.send("GET", "/")[0] == 200


class Thief:
    """Signs in with the right password, in several threads, until told to stop."""

    def __init__(self, site: Site, address: str, number: int) -> None:
        self.stop = threading.Event()
        self.answers: Counter[int] = Counter()
        #: When each sign-in began that was let in, and what it got.
        self.got: list[tuple[float, Client]] = []
        self._site, self._address, self._number = site, address, number
        self._lock, self._is_in = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(one,)) for one in range(THIEVES)]

    def begin(self) -> None:
        """Begin, and return once one of them was let in."""
        for one in self._threads:
            one.start()
        assert self._is_in.wait(PATIENCE), self.answers

    def end(self) -> None:
        """Stop, and wait for the last answer."""
        self.stop.set()
        for one in self._threads:
            one.join()

    def _go_on(self, thread: int) -> None:
        while not self.stop.is_set():
            client = Client(self._site, self._number * THIEVES + thread)
            began = time.monotonic()
            try:
                status, _ = client.send("POST", "/sign-in", {"identifier": self._address, "password": PASSWORD})
            except (OSError, HTTPException):
                status = 0
            with self._lock:
                self.answers[status] += 1
                if status == 200:
                    self.got.append((began, client))
                    self._is_in.set()


@dataclass
class Owner:
    """Whose account it is.

    ``password`` is what they sign in with afterwards, ``None`` where nobody can; ``recovers`` returns the token of a
    link to choose it by, from what the change has answered, where one is needed.
    """

    site: Site
    address: str
    client: Client
    password: str | None = OTHER
    recovers: Callable[[Any], str] | None = None

    def choose(self, token: str) -> None:
        """Choose another password by a link."""
        self.client.demand("/password-reset/choose", {"token": token, "password": OTHER})


def password_change(owner: Owner) -> Callable[[], Any]:
    """The owner changes the password."""
    assert owner.client.sign_in(owner.address) == 200
    return lambda: owner.client.demand("/password", {"old_password": PASSWORD, "password": OTHER})


def reset(owner: Owner) -> Callable[[], Any]:
    """The owner chooses another password by a link."""
    owner.client.demand("/password-reset", {"identifier": owner.address})
    token = owner.site.link(owner.address, "password-reset")
    return lambda: owner.choose(token)


def denial(owner: Owner) -> Callable[[], Any]:
    """The owner says that a sign-in was not theirs, and chooses another password after that."""
    for client in (owner.client, Client(owner.site, owner.client.network + 1)):
        assert client.sign_in(owner.address) == 200
    token = owner.site.link(owner.address, "new-device")
    owner.recovers = lambda _: owner.site.link(owner.address, "password-reset")
    return lambda: owner.client.demand("/new-device", {"token": token})


def confirmation(owner: Owner) -> Callable[[], Any]:
    """The thief has signed up with the owner's email, who confirms it in another browser."""
    squatter = Client(owner.site, owner.client.network + 1)
    squatter.demand("/sign-up", {"email": owner.address, "password": PASSWORD})
    token = owner.site.link(owner.address, "verify")
    owner.recovers = lambda said: said["url"].rpartition("/")[2]
    return lambda: owner.client.demand("/verify", {"token": token})


def closing(owner: Owner) -> Callable[[], Any]:
    """The owner closes the account, and opens it again by a sign-in after that."""
    owner.password = PASSWORD
    assert owner.client.sign_in(owner.address) == 200
    return lambda: owner.client.demand("/close", {})


def lock(owner: Owner) -> Callable[[], Any]:
    """An operator locks the account."""
    owner.password = None
    return lambda: owner.site.lock(owner.address)


CHANGES: dict[str, Callable[[Owner], Callable[[], Any]]] = {
    "password change": password_change,
    "reset": reset,
    "it wasn't me": denial,
    "confirmation of a squatted email": confirmation,
    "closing": closing,
    "lock": lock,
}
#: In how many of so many rounds each the thief stayed in on 2026-11-29, by server, in the order of the changes; or kept
#: the owner from the change altogether: a sign-in made the owner's link to choose a password worthless.
BEFORE_ROUNDS = 10
BEFORE = {SQLITE: (8, 10, 10, 9, 9, 0), PAIR: (9, 10, 8, 10, 10, 0)}


def measure(rounds: int, src: Path) -> Iterator[Found]:
    """Play so many rounds of each change at each server, and give what came of them.

    Args:
        rounds: How many.
        src: The code that serves.
    """
    for server in SERVERS:
        with serving(server, rounds, src) as site:
            for place, change in enumerate(CHANGES):
                yield _rounds(site, server, change, place, rounds)


def table(found: list[Found]) -> str:
    """Return what came of all changes as a Markdown table."""
    head = (
        "| server | change | rounds | sign-ins answered, by status | sessions tried | still good | rounds lost "
        "| rounds lost before | owners refused | s |"
    )
    about = (
        f"A thief with the right password signs in in {THIEVES} threads without pause; what they got from a sign-in "
        "that began before the owner's answer is tried after it. Target: none is good, and the owner gets in. At a "
        f"closing the thief stops {PAUSE * 1000:.0f} ms before, because a right password may open the account again. "
        f"Before: {BEFORE_ROUNDS} rounds each on the code of 2026-11-29."
    )
    return "\n".join([about, "", head, f"|{'---|' * 10}", *map(row, found)])


def row(one: Found) -> str:
    """Return what came of one change as the row of a Markdown table."""
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(one.answers.items()))
    before = f"{BEFORE[one.server][list(CHANGES).index(one.change)]} of {BEFORE_ROUNDS}"
    figures = [one.rounds, answers, one.tried, one.stayed, one.lost, before, one.refused, f"{one.seconds:.0f}"]
    return f"| {one.server} | {one.change} | {' | '.join(map(str, figures))} |"


def _rounds(site: Site, server: str, change: str, place: int, rounds: int) -> Found:
    began = time.monotonic()
    answers: Counter[int] = Counter()
    played = []
    for number in range(rounds):
        owner = Owner(site, _address(place, number), Client(site, 2 * (place * rounds + number)))
        thief = Thief(site, owner.address, place * rounds + number)
        played.append(_round(owner, thief, change))
        answers += thief.answers
    tried, stayed = sum(one.tried for one in played), sum(one.stayed for one in played)
    lost, refused = sum(one.is_lost for one in played), sum(one.is_refused for one in played)
    return Found(server, change, rounds, dict(answers), tried, stayed, lost, refused, time.monotonic() - began)


def _round(owner: Owner, thief: Thief, change: str) -> Round:
    """Play one round: the thief begins, the owner makes the change, and all that the thief has got is tried."""
    act = CHANGES[change](owner)
    thief.begin()
    if change == "closing":
        thief.stop.set()
        time.sleep(PAUSE)  # what began before it has read the account by then
    try:
        said = act()
    except Refused:  # the thief has made worthless what the owner needs
        thief.end()
        return Round(0, 0, is_lost=True, is_refused=True)
    answered = time.monotonic()
    thief.end()
    had = [client for began, client in thief.got if began < answered]
    stayed = _still_in(had)
    return Round(len(had), stayed, is_lost=stayed > 0, is_refused=not _comes_back(owner, said))


def _still_in(clients: list[Client]) -> int:
    """Count those who are in, and still are once every process has heard of what has ended."""
    found = [one for one in clients if one.is_in()]
    if found:
        time.sleep(HEARD)
    return sum(one.is_in() for one in found)


def _comes_back(owner: Owner, said: Any) -> bool:
    """Tell whether the owner gets in with the password that counts now."""
    if owner.password is None:
        return True
    try:
        if owner.recovers is not None:
            owner.choose(owner.recovers(said))
    except Refused:  # a thief who is still in has made the link worthless
        return False
    client = Client(owner.site, owner.client.network)
    return client.sign_in(owner.address, owner.password) == 200 and client.is_in()


def _address(place: int, number: int) -> str:
    return f"person{place}-{number}@example.org"


@contextmanager
def serving(server: str, rounds: int, src: Path) -> Iterator[Site]:
    """Run a server with so many people for each change, and end it with the block."""
    letters, port = Letters(), free_port()
    with TemporaryDirectory(prefix="admit-takeovers-") as place, mail_server(letters) as mail_port:
        folder = Path(place)
        with _stores(server, folder) as stores:
            environment = _environment(src, mail_port, stores)
            _fill(folder, environment, rounds)
            listen = ["--port", str(port)] if server == SQLITE else ["--bind", f"127.0.0.1:{port}"]
            command = ["admit.server", "run"] if server == SQLITE else _GUNICORN
            program = [sys.executable, "-m", *command, *listen]
            with running(program, port, environment, folder, folder / "log"), _operator(environment, folder) as one:
                yield Site(port, letters, one)


_GUNICORN = [
    *("gunicorn", "--workers", "2", "--worker-class", "gthread", "--threads", "8", "--log-level", "critical"),
    "admit.server:create_app()",
]


@contextmanager
def _stores(server: str, folder: Path) -> Iterator[dict[str, str]]:
    if server == SQLITE:
        yield {"ADMIT_DB": f"sqlite:///{folder}/site.db"}
        return
    with private_postgres() as postgres, kept_redis() as redis:
        yield {"ADMIT_DB": postgres.url, "ADMIT_SESSIONS": redis.url}


@contextmanager
def _operator(environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 -- our own words
        [sys.executable, "-c", OPERATOR],
        env=environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def _environment(src: Path, mail_port: int, stores: dict[str, str]) -> dict[str, str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("ADMIT_", "FLASK_", "GUNICORN_"))}
    many = {
        f"ADMIT_THROTTLE_{name}": "1000000"
        for name in (
            "PAIR_BURST",
            "ADDRESS_BURST",
            "ACCOUNT_BURST",
            "LOGIN_BURST",
            "REQUESTS_PER_HOUR",
            "MAILS_PER_HOUR",
        )
    }
    found = {
        **plain,
        **stores,
        **many,
        "PYTHONPATH": os.pathsep.join([str(src), str(ROOT)]),
        "ADMIT_PUBLIC_URL": f"https://{HOST}",
        "ADMIT_PROXIES": "1",
        "ADMIT_SECRET_KEY": "0123456789abcdef" * 4,
        "ADMIT_MAIL_URL": f"smtp://127.0.0.1:{mail_port}?tls=none&from=accounts%40{HOST}",
        "ADMIT_MAIL_VERIFICATION_REQUIRED": "false",
        "ADMIT_PASSWORD_LOGINS_AT_ONCE": "64",
        **{f"ADMIT_PASSWORD_{name.upper()}": str(value) for name, value in COST.items()},
    }
    known = _ran(
        ["-c", "from admit.server.settings import *; print(*(k for s in known_settings() for k in s.keys()))"], found
    ).split()
    # Older code does not know all of them.
    return {key: value for key, value in found.items() if not key.startswith("ADMIT_") or key in known}


def _fill(folder: Path, environment: dict[str, str], rounds: int) -> None:
    """Make the people, all with one password; nobody but the thief signs up for those whose email is squatted."""
    hashed = Hasher(**COST).hash(PASSWORD)
    with (folder / "people.jsonl").open("w") as file:
        for place, change in enumerate(CHANGES):
            for number in range(rounds if CHANGES[change] is not confirmation else 0):
                row = {"email": _address(place, number), "verified": True, "password_hash": hashed, "adopted": False}
                file.write(json.dumps(row) + "\n")
    _ran(["-m", "admit.server", "db", "upgrade"], environment, folder)
    _ran(["-m", "admit.server", "user", "import", "people.jsonl", "--json"], environment, folder)


def _ran(words: list[str], environment: dict[str, str], folder: Path = ROOT) -> str:
    ran = subprocess.run(  # noqa: S603 -- our own words
        [sys.executable, *words], env=environment, cwd=folder, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
