"""From a URL or a client of the driver to the nodes that it means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit, urlunsplit

import redis.connection
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from admit.errors import ConfigurationError
from admit.stores.redis_cluster import Address, Cluster
from admit.stores.redis_nodes import Node, OneNode, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from urllib.parse import SplitResult

    from admit.stores.redis_nodes import Nodes, Wire

__all__ = ["open_nodes"]

_NO_URL = (
    "This is no URL of Redis. Write redis://host:port/number, redis+cluster://host:port,host:port or "
    "redis+sentinel://host:port,host:port/service."
)
_NO_CLIENT = (
    "{name} is no client that a store can use. Give a URL, or a redis.Redis or redis.RedisCluster; of a Sentinel, "
    "give what its master_for() returns."
)
_NO_HOST = (
    "This is no URL of Redis: it names no server, or a port that there is not. Write each server as host:port, with a "
    "port from 1 to 65535."
)
_NO_NUMBER = "The URL of Redis has no number of a database behind its host. Write one as in redis://host:6379/0."
_NO_OPTION = (
    "The URL of Redis has an option that can't be: {name}. Take it out; time limits are ADMIT_STORE_CONNECT_TIMEOUT "
    "and ADMIT_STORE_COMMAND_TIMEOUT."
)
_ENCODE = "The URL of Redis can't be read. Percent-encode what is special in user and password."
_REPLICAS = "This client of a Sentinel is for replicas, which can't be written to. Use Sentinel.master_for()."
_UNEXPECTED = re.compile(r"unexpected keyword argument '([a-z_]{1,40})'")
_PORT, _SENTINEL_PORT = 6379, 26379
_CLUSTER, _SENTINEL = "+cluster", "+sentinel"
# What a cluster's client puts into its connections for its own use.
_OF_THE_CLIENT = frozenset({"host", "port", "redis_connect_func", "connection_pool"})


def open_nodes(where: str | Redis | RedisCluster, *, connect_timeout: float, command_timeout: float) -> Nodes:
    """Return the nodes that a URL names or that a client knows; nothing is connected yet.

    Raises:
        ConfigurationError: The URL is none of Redis, or the client can't be used.
    """

    def wires(client: Redis) -> Callable[[], Wire]:
        return settings_of(client, connect_timeout=connect_timeout, command_timeout=command_timeout)

    if isinstance(where, RedisCluster):
        return _cluster_of(where, wires)
    if isinstance(where, Redis):
        return OneNode(Node(wires(_writable(where))))
    if not isinstance(where, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(_NO_CLIENT.format(name=type(where).__name__))
    try:
        return _named(where, wires, connect_timeout)
    except ValueError:
        # Without a cause: its text may hold a part of the URL, and so of the password.
        raise ConfigurationError(_NO_URL) from None


def _named(url: str, wires: Callable[[Redis], Callable[[], Wire]], connect_timeout: float) -> Nodes:
    parts = urlsplit(url)
    _check(parts)
    if parts.scheme.endswith(_SENTINEL):
        return OneNode(Node(_tried(wires(_primary(parts, connect_timeout)))))
    if not parts.scheme.endswith(_CLUSTER):
        return OneNode(Node(_tried(wires(_client(url)))))
    login, at, hosts = parts.netloc.rpartition("@")
    scheme = parts.scheme.removesuffix(_CLUSTER)

    def connect_to(address: Address) -> Callable[[], Wire]:
        netloc = f"{login}{at}{address}"
        return wires(_client(urlunsplit(parts._replace(scheme=scheme, netloc=netloc))))

    seeds = [_address(host, _PORT) for host in hosts.split(",")]
    _tried(connect_to(seeds[0]))
    return Cluster(seeds, connect_to)


def _check(parts: SplitResult) -> None:
    """Refuse what the driver would take for something else, or find out at the first command."""
    if "@" in unquote(parts.path) + parts.query or parts.fragment:
        raise ConfigurationError(_ENCODE)
    if parts.scheme == "unix":
        if not parts.path.strip("/"):
            raise ConfigurationError(_NO_URL)
        return
    hosts = parts.netloc.rpartition("@")[2]
    many = parts.scheme.endswith((_CLUSTER, _SENTINEL))
    if not all(_is_server(host) for host in (hosts.split(",") if many else [hosts])):
        raise ConfigurationError(_NO_HOST)
    number = parts.path.strip("/")
    if parts.scheme.endswith(_SENTINEL):
        number = number.partition("/")[2]
    if number and not (number.isascii() and number.isdigit()):
        raise ConfigurationError(_NO_NUMBER)


def _is_server(text: str) -> bool:
    parts = urlsplit(f"//{text}")
    try:
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _tried(connect: Callable[[], Wire]) -> Callable[[], Wire]:
    """Return what makes connections, after one was made, which connects to nothing yet: it knows all options."""
    try:
        connect()
    except (TypeError, ValueError, RedisError) as error:
        name = _UNEXPECTED.search(str(error))
        found = name[1] if name else "its value is none that the driver knows"
    else:
        return connect
    # Outside of the except: the driver's own error may hold a part of the URL.
    raise ConfigurationError(_NO_OPTION.format(name=found))


def _primary(parts: SplitResult, connect_timeout: float) -> Redis:
    """Return the client of ``redis+sentinel://user:password@host:port,host:port/service/database?option=value``.

    The password is the one of the servers; all options are those of a URL ``redis://``.
    """
    login, at, hosts = parts.netloc.rpartition("@")
    service, _, database = unquote(parts.path.lstrip("/")).partition("/")
    if not service:
        raise ValueError(_NO_URL)
    of_servers = urlunsplit(parts._replace(scheme="redis", netloc=f"{login}{at}localhost", path=f"/{database}"))
    driver: Any = redis.connection
    settings: dict[str, Any] = driver.parse_url(of_servers)
    del settings["host"]
    # Without retries: a login must know within a second, and another Sentinel is asked if one is silent.
    limits = {"socket_connect_timeout": connect_timeout, "socket_timeout": connect_timeout}
    sentinels = [_address(host, _SENTINEL_PORT) for host in hosts.split(",")]
    untyped: Any = Sentinel
    found = untyped(sentinels, sentinel_kwargs={**limits, "retry": Retry(NoBackoff(), 0)}, **settings)
    return cast("Redis", found.master_for(service, ssl=parts.scheme.startswith("rediss")))


def _writable(client: Redis) -> Redis:
    pool: Any = client.connection_pool
    if isinstance(client.connection_pool, SentinelConnectionPool) and not pool.is_master:
        raise ConfigurationError(_REPLICAS)
    return client


def _cluster_of(client: RedisCluster, wires: Callable[[Redis], Callable[[], Wire]]) -> Cluster:
    untyped: Any = client
    kept: Mapping[str, Any] = untyped.get_connection_kwargs()
    settings = {name: value for name, value in kept.items() if name not in _OF_THE_CLIENT}
    seeds = [Address(str(node.host), int(node.port)) for node in untyped.get_nodes()]
    return Cluster(seeds, lambda address: wires(Redis(host=address.host, port=address.port, **settings)))


def _client(url: str) -> Redis:
    untyped: Any = Redis
    return cast("Redis", untyped.from_url(url))


def _address(text: str, port: int) -> Address:
    parts = urlsplit(f"//{text}")
    return Address(parts.hostname or "localhost", parts.port or port)
