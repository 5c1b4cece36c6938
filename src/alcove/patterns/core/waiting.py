"""How long a command may block: less than the client waits for any answer."""

from __future__ import annotations

from typing import Any, Final

# A thread that blocks for longer notices late that it is to stop.
LONGEST_S: Final = 30.0
# How much of the client's patience is left to the network and the server.
_SHARE: Final = 0.6


def longest_wait(client: Any) -> float:
    """The seconds that a blocking command of this client may wait: `socket_timeout` bounds it (redis-py's is 5)."""
    place = getattr(client, "connection_pool", None) or getattr(client, "nodes_manager", None) or client
    options = getattr(place, "connection_kwargs", None) or {}
    timeout = options.get("socket_timeout")
    return LONGEST_S if timeout is None else min(LONGEST_S, timeout * _SHARE)
