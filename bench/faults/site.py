"""A site under test: a store behind the proxy, people with accounts in it, and workers of one kind after another."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from admit import identifiers, tokens
from admit.features.password.hashing import Hasher
from admit.model import Account, Credential
from admit.stores import open_stores
from bench.faults.application import COST
from bench.faults.clients import Person
from bench.faults.proxy import Proxy
from tests.deployment.site import kept_redis
from tests.services.postgres import private_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.faults.fleet import Fleet
    from tests.deployment.site import Outage
    from tests.services.postgres import PostgresServer
    from tests.services.redis import RedisServer

__all__ = ["POSTGRES", "REDIS", "SQLITE", "STORES", "Site", "opened"]

POSTGRES, REDIS, SQLITE = STORES = ("PostgreSQL", "Redis", "SQLite")


@dataclass
class Site:
    """What can be visited and broken."""

    store: str
    folder: Path
    #: The addresses of the stores as workers have them.
    stores: str
    #: The addresses past the proxy.
    direct: list[str]
    people: list[Person]
    proxy: Proxy | None = None
    server: PostgresServer | RedisServer | None = None
    fleet: Fleet | None = None
    outages: list[Outage] = field(default_factory=list)

    @property
    def ports(self) -> list[int]:
        """Where the workers listen that there are."""
        return self.fleet.ports if self.fleet else []

    @property
    def file(self) -> Path:
        """The database of SQLite."""
        return self.folder / "site.db"


@contextmanager
def opened(store: str, people: int) -> Iterator[Site]:
    """Start a store with so many people in it, and end it with the block."""
    with ExitStack() as stack:
        # In memory, where there is such a place: it is processes that are killed here, not machines.
        memory = Path("/dev/shm")  # noqa: S108 -- a folder of our own in it
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="admit-faults-", dir=memory if memory.is_dir() else None)
            )
        )
        site = _begun(store, folder, stack)
        site.people = _people(site.direct, people)
        yield site


def _begun(store: str, folder: Path, stack: ExitStack) -> Site:
    file = f"sqlite:///{folder}/site.db"
    if store == SQLITE:
        return Site(store, folder, file, [file], [])
    server: Any = stack.enter_context(private_postgres() if store == POSTGRES else kept_redis())
    proxy = Proxy(server.port)
    stack.enter_context(proxy.running())
    url = server.url.replace(f":{server.port}/", f":{proxy.port}/")
    # Redis keeps no accounts: they are in a file beside it, which nobody breaks.
    before = [file] if store == REDIS else []
    return Site(store, folder, " ".join([*before, url]), [*before, server.url], [], proxy, server)


def _people(direct: list[str], count: int) -> list[Person]:
    """Make accounts with confirmed addresses, all with the same password."""
    opened = open_stores(direct if len(direct) > 1 else direct[0])
    accounts: Any = opened.accounts
    accounts.create()
    now, hashed = datetime.now(UTC), Hasher(**COST).hash(Person("").password(0))
    people = [Person(f"person{number}@example.org") for number in range(count)]
    for person in people:
        name = replace(identifiers.email(person.address), verified_at=now)
        account = Account(tokens.new_account_id(now), (name,), now)
        accounts.add_account(account)
        accounts.add_credential(Credential(tokens.new_id(), "password", account.id, account.id, hashed, now))
    opened.sessions.close()
    if accounts is not opened.sessions:
        accounts.close()
    return people
