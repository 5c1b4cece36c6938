# Derived from alcove/patterns/asyncio/near.py by derive_blocking.py: change it there.
"""Who hears what has changed of a cache, for its near-cache: a connection of its own to each node, and a task with it.

A connection that broadcasts its tracking to itself, and subscribes to where that is told: when it is lost, both end.
"""

from __future__ import annotations

import logging
from logging import DEBUG, WARNING
from typing import Any
from weakref import ref

from redis import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from alcove.patterns.blocking.runtime import monotonic, sleep, spawn
from alcove.patterns.core.near import CHANNEL, PATIENCE_S, PULSE_S, Near, node_names, own_connection

log = logging.getLogger("alcove.patterns")

# How long it takes to connect again: at first, and at most.
SHORT_PAUSE_S = 0.05
LONG_PAUSE_S = 2.0


def listen(client: Redis, near: Near) -> None:
    """Has somebody listen to each node that holds keys, for as long as there is the near-cache."""
    for node in near.claimed(node_names(client)):
        near.tasks[node] = spawn("alcove near-cache", _listen, client, ref(near), node)


def _listen(client: Redis, near: ref[Near], node: str) -> None:
    pause = SHORT_PAUSE_S
    try:
        while _is_wanted(near, node):
            began = monotonic()
            try:
                _follow(client, near, node)
            except (RedisError, OSError) as error:
                if (known := near()) is not None:
                    known.lost(node)
                del known
                if monotonic() - began > LONG_PAUSE_S:
                    pause = SHORT_PAUSE_S
                log.log(WARNING if pause == SHORT_PAUSE_S else DEBUG, "the near-cache is off: %s", error)
                sleep(pause)
                pause = min(pause * 2, LONG_PAUSE_S)
    finally:
        if (known := near()) is not None:
            known.left(node)


def _follow(client: Redis, near: ref[Near], node: str) -> None:
    """Passes on what a node tells, and asks it for a sign of life at each pulse."""
    connection: Any = own_connection(client, node)
    try:
        connection.connect()
        own = _answer(connection, "CLIENT", "ID")
        known = near()
        if known is None:
            return
        _answer(connection, "CLIENT", "TRACKING", "ON", "REDIRECT", own, "BCAST", "PREFIX", known.prefix)
        asked, is_answered = monotonic(), True
        _answer(connection, "SUBSCRIBE", CHANNEL)
        known.heard(node, asked)
        del known
        while _is_wanted(near, node):
            message = _next(connection)
            if message is not None and message[0] == b"pong":
                is_answered = True
            if message is not None and (known := near()) is not None:
                known.note(node, message, asked)
                del known
            if monotonic() - asked > PATIENCE_S and not is_answered:
                raise RedisTimeoutError(f"no sign of life within {PATIENCE_S} seconds")
            if monotonic() - asked >= PULSE_S and is_answered:
                asked, is_answered = monotonic(), False
                connection.send_command("PING", check_health=False)
    finally:
        connection.disconnect()


def _is_wanted(near: ref[Near], node: str) -> bool:
    known = near()
    return known is not None and known.is_wanted(node)


def _answer(connection: Any, *words: Any) -> Any:
    connection.send_command(*words, check_health=False)
    answer = connection.read_response(timeout=PATIENCE_S)
    if answer is None:
        raise RedisTimeoutError(f"no answer to {words[0]} within {PATIENCE_S} seconds")
    return answer


def _next(connection: Any) -> Any:
    """The next message, or None when there is none for the time of a pulse."""
    try:
        return connection.read_response(timeout=PULSE_S, disconnect_on_error=False)
    except RedisTimeoutError:
        return None
