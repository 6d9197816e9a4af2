"""From a URL or a client of the driver to the nodes that it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from redis import Redis
from redis.cluster import RedisCluster

from admit.errors import ConfigurationError
from admit.stores.redis_cluster import Address, Cluster
from admit.stores.redis_nodes import Node, OneNode, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from admit.stores.redis_nodes import Nodes, Wire

__all__ = ["open_nodes"]

_NO_URL = "This is no URL of Redis. Write redis://host:port/number or redis+cluster://host:port,host:port."
_PORT = 6379
_CLUSTER = "+cluster"
# What a cluster's client puts into its connections for its own use.
_OF_THE_CLIENT = frozenset({"host", "port", "redis_connect_func", "connection_pool"})


def open_nodes(where: str | Redis | RedisCluster, *, connect_timeout: float, command_timeout: float) -> Nodes:
    """Return the nodes that a URL names or that a client knows; nothing is connected yet."""

    def wires(client: Redis) -> Callable[[], Wire]:
        return settings_of(client, connect_timeout=connect_timeout, command_timeout=command_timeout)

    if isinstance(where, RedisCluster):
        return _cluster_of(where, wires)
    if isinstance(where, Redis):
        return OneNode(Node(wires(where)))
    try:
        return _named(where, wires)
    except ValueError:
        # Without a cause: its text may hold a part of the URL, and so of the password.
        raise ConfigurationError(_NO_URL) from None


def _named(url: str, wires: Callable[[Redis], Callable[[], Wire]]) -> Nodes:
    parts = urlsplit(url)
    if not parts.scheme.endswith(_CLUSTER):
        return OneNode(Node(wires(_client(url))))
    login, at, hosts = parts.netloc.rpartition("@")
    scheme = parts.scheme.removesuffix(_CLUSTER)

    def connect_to(address: Address) -> Callable[[], Wire]:
        netloc = f"{login}{at}{address}"
        return wires(_client(urlunsplit(parts._replace(scheme=scheme, netloc=netloc))))

    return Cluster([_address(host) for host in hosts.split(",")], connect_to)


def _cluster_of(client: RedisCluster, wires: Callable[[Redis], Callable[[], Wire]]) -> Cluster:
    untyped: Any = client
    kept: Mapping[str, Any] = untyped.get_connection_kwargs()
    settings = {name: value for name, value in kept.items() if name not in _OF_THE_CLIENT}
    seeds = [Address(str(node.host), int(node.port)) for node in untyped.get_nodes()]
    return Cluster(seeds, lambda address: wires(Redis(host=address.host, port=address.port, **settings)))


def _client(url: str) -> Redis:
    untyped: Any = Redis
    return cast("Redis", untyped.from_url(url))


def _address(text: str) -> Address:
    parts = urlsplit(f"//{text}")
    return Address(parts.hostname or "localhost", parts.port or _PORT)
