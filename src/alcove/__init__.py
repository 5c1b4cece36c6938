"""Redis, as a Python library: `open` an engine in this process, or `serve` one to any Redis client.

    r = alcove.open()
    r.set("greeting", "hello")

`r` is a redis-py client. What stands here is imported when it is first asked for, so that a server does without the
client and a client without the server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from alcove.version import VERSION as __version__

if TYPE_CHECKING:
    from alcove import asyncio
    from alcove.client.clients import Redis
    from alcove.client.local import from_url, open
    from alcove.server.server import Server, serve

__all__ = ["Redis", "Server", "__version__", "asyncio", "from_url", "open", "serve"]

_HOMES = {
    "Redis": "alcove.client.clients",
    "Server": "alcove.server.server",
    "from_url": "alcove.client.local",
    "open": "alcove.client.local",
    "serve": "alcove.server.server",
}


def __getattr__(name: str) -> Any:
    if name == "asyncio":
        return importlib.import_module("alcove.asyncio")
    if name not in _HOMES:
        raise AttributeError(f"module 'alcove' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
