"""Opening engines: in memory, by name or new, and what a URL means, be it this process or a server somewhere."""

from __future__ import annotations

import inspect
import os
import threading
import weakref
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.connection import URL_QUERY_ARGUMENT_PARSERS, ConnectionPool
from redis.retry import Retry

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.client.clients import Redis
from alcove.client.connection import EngineConnection
from alcove.client.housekeeping import keep_house
from alcove.engine.clock import Clock
from alcove.engine.conf_file import load_options
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.engine.settings import Settings
from alcove.persistence.disk import Disk
from alcove.persistence.durability import Durability

# What redis-py's clients are told of their connections; the rest of what they take is about networks.
_OF_CONNECTIONS = """
    db username password socket_timeout encoding encoding_errors decode_responses retry retry_on_error
    retry_on_timeout max_connections health_check_interval client_name lib_name lib_version driver_info
    redis_connect_func credential_provider protocol legacy_responses cache cache_config event_dispatcher
"""
OF_CONNECTIONS: Final = frozenset(_OF_CONNECTIONS.split())
OF_CLIENTS: Final = frozenset(("single_connection_client", "event_dispatcher"))
OF_NETWORKS: Final = (
    frozenset(inspect.signature(redis.Redis.__init__).parameters)
    - OF_CONNECTIONS
    - OF_CLIENTS
    - {"self", "connection_pool"}
)
# A connection costs next to nothing here, and every caller that blocks needs one.
MOST_CONNECTIONS: Final = 2**31 - 1
REMOTE: Final = frozenset(("redis", "rediss", "unix"))

_in_folders: weakref.WeakValueDictionary[str, Engine] = weakref.WeakValueDictionary()
_named: weakref.WeakValueDictionary[str, Engine] = weakref.WeakValueDictionary()
_naming = threading.Lock()


def open(
    path: str | PathLike[str] | None = None,
    *,
    fsync: str | None = None,
    engine: Any = None,
    config: Mapping[str, object] | None = None,
    clock: Clock | None = None,
    **redis_options: Any,
) -> Redis:
    """A redis-py client over an engine in this process: in the folder `path`, or else new, empty and in memory.

    In a folder every write is kept. A call returns when the system has it, so that it outlives this process, however
    that ends; and the disk has it within a second. With `fsync="always"` a call returns when the disk has it, with
    "no" the system chooses when. Raises `FolderInUse` when another process has the folder, and `CannotLoad` when what
    is in it cannot be read; both say what to do. Within a process all clients of a folder share one engine.

    `engine` is one that there is already, or a client or server that has one. `config` are directives of redis.conf
    for a new engine, such as `{"maxmemory": "1gb"}`, and `clock` is where it gets the time from. All else is what
    `redis.Redis` takes, such as `decode_responses=True` or `db=3`; what is about a network has no effect. Unlike over
    a network, reads do not time out unless `socket_timeout` says so.

    The data of an engine in memory is there as long as a client of it is.
    """
    engine = chosen_engine(path, fsync, engine, config, clock)
    for_pool, for_client = split_options(redis_options)
    for_pool.setdefault("retry", Retry(NoBackoff(), 1))
    client = Redis(connection_pool=ConnectionPool(EngineConnection, engine=engine, **for_pool), **for_client)
    client.auto_close_connection_pool = True
    return client


def from_url(url: str | None = None, **redis_options: Any) -> redis.Redis:
    """The client that a URL means, so that a program grows from one process to a cluster by changing one string.

    Without one it is that of the environment variable ALCOVE_URL, or else `memory:`.

        memory:               a new and empty engine in this process
        memory:name           the engine of that name in this process, which lives as long as a client of it does
        /a/folder, file:...   the same as `open` with this path
        redis:// rediss:// unix://                          a server, by redis-py
        redis+cluster:// rediss+cluster://, ?cluster=true   a cluster, by redis-py

    Options can stand in the URL, as in `memory:?db=2&protocol=3`, where they win over those given by name.
    """
    place = parse_place(url)
    if place.cluster:
        from redis.cluster import RedisCluster

        # Not a redis.Redis by its class, but by all that can be asked of it.
        return RedisCluster.from_url(place.url, **redis_options)  # type: ignore[return-value]
    if place.url:
        return redis.Redis.from_url(place.url, **redis_options)
    return open(**place.arguments(redis_options))


class Place(NamedTuple):
    """What a URL means: a server or cluster (`url`), an engine in memory (`name`), or a folder (`path`)."""

    url: str = ""
    cluster: bool = False
    name: str = ""
    path: str | None = None
    options: Mapping[str, Any] = {}

    def arguments(self, redis_options: dict[str, Any]) -> dict[str, Any]:
        """What `open` is called with for a place in this process."""
        options = {**redis_options, **self.options, "path": self.path}
        if self.name:
            options["engine"] = engine_named(self.name, options.pop("config", None), options.pop("clock", None))
        return options


def parse_place(url: str | None) -> Place:
    if url is None:
        url = os.environ.get("ALCOVE_URL", "memory:")
    scheme, colon, rest = url.partition(":")
    scheme = scheme.lower()
    network, _, kind = scheme.partition("+")
    if network in REMOTE and colon and kind in ("", "cluster"):
        url, asked = without_cluster(f"{network}:{rest}")
        return Place(url=url, cluster=asked or kind == "cluster")
    if scheme == "memory" and colon:
        parts = urlsplit(rest)
        return Place(name=unquote(parts.netloc + parts.path), options=query_options(parts.query))
    if scheme == "file" and colon:
        parts = urlsplit(rest)
        return Place(path=unquote(parts.path), options=query_options(parts.query))
    if rest.startswith("//"):
        raise ValueError(
            f"cannot open {url!r}: known are memory:, file:, a folder's path, redis://, rediss://, unix:// and "
            "redis+cluster://"
        )
    return Place(path=url)


def without_cluster(url: str) -> tuple[str, bool]:
    """A URL of redis-py's, and whether its query, where that is not redis-py's word, asked for a cluster."""
    base, _, query = url.partition("?")
    words = query.split("&") if query else []
    others = [word for word in words if not word.lower().startswith("cluster=")]
    asked = any(word.lower() in ("cluster=true", "cluster=yes", "cluster=1") for word in words)
    return base + ("?" + "&".join(others) if others else ""), asked


def query_options(query: str) -> dict[str, Any]:
    """The options in a URL, of the types that redis-py gives them."""
    options: dict[str, Any] = {}
    for name, values in parse_qs(query).items():
        parse: Any = URL_QUERY_ARGUMENT_PARSERS.get(name, as_switch if name == "decode_responses" else str)
        try:
            options[name] = parse(values[0])
        except (TypeError, ValueError):
            raise ValueError(f"Invalid value for '{name}' in connection URL.") from None
    return options


def as_switch(word: str) -> bool:
    return word.lower() in ("true", "yes", "1")


def engine_named(name: str, config: Mapping[str, object] | None, clock: Clock | None) -> Engine:
    """The engine in memory that goes by a name in this process; `config` and `clock` are for a new one."""
    with _naming:
        engine = _named.get(name)
        if engine is None or engine.closed is not None:
            engine = _named[name] = new_engine(config, clock)
        else:
            refuse_settings(config, clock)
        return engine


def new_engine(config: Mapping[str, object] | None, clock: Clock | None) -> Engine:
    """An engine that keeps its data in memory, until it is told to save it."""
    settings = Config()
    settings.put(Settings.save, ())
    load_options(settings, config or {})
    engine = Engine(settings, clock)
    Durability(engine)
    return engine


def engine_in(path: str, fsync: str | None, config: Mapping[str, object] | None, clock: Clock | None) -> Engine:
    """The engine of a folder, which is made if it is not there: one for each folder in this process."""
    folder = os.path.realpath(path)
    with _naming:
        engine = _in_folders.get(folder)
        if engine is not None and engine.closed is None:
            refuse_settings(config, clock)
            if fsync is not None and fsync != engine.config.appendfsync:
                raise TypeError(f"the folder {path} is open with fsync={engine.config.appendfsync!r} already")
            return engine
        Disk().make_folder(folder)
        settings = Config()
        settings.put(Settings.save, ())
        settings.put(Settings.appendonly, True)
        load_options(settings, {"appendfsync": fsync or "everysec", **(config or {})})
        settings.put(Settings.dir, folder)
        engine = Engine(settings, clock)
        Durability(engine).open_folder()
        _in_folders[folder] = engine
        return engine


def refuse_settings(config: Mapping[str, object] | None, clock: Clock | None) -> None:
    if config is not None or clock is not None:
        raise TypeError("an engine that is open has its configuration and its clock already")


def chosen_engine(
    path: str | PathLike[str] | None,
    fsync: str | None,
    engine: Any,
    config: Mapping[str, object] | None,
    clock: Clock | None,
) -> Engine:
    """The engine that a client is to work on, with its housekeeping done."""
    if path is not None:
        if engine is not None:
            raise TypeError("an engine that is open is in a folder already, or in memory")
        engine = engine_in(fspath(path), fsync, config, clock)
    elif fsync is not None:
        raise TypeError("fsync is for an engine in a folder")
    elif engine is None:
        engine = new_engine(config, clock)
    else:
        refuse_settings(config, clock)
        engine = engine if isinstance(engine, Engine) else engine.engine
    keep_house(engine)
    return engine  # type: ignore[no-any-return]


def split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What redis-py's client takes, as what its pool takes and what is left for itself."""
    for name in options:
        if name not in OF_CONNECTIONS | OF_CLIENTS | OF_NETWORKS:
            raise TypeError(f"redis.Redis takes no {name!r}")
    for_pool = {name: value for name, value in options.items() if name in OF_CONNECTIONS}
    if for_pool.get("retry_on_error") is None:
        for_pool["retry_on_error"] = []
    for_pool.setdefault("max_connections", MOST_CONNECTIONS)
    for_pool.setdefault("socket_timeout", None)
    return for_pool, {name: value for name, value in options.items() if name in OF_CLIENTS}
