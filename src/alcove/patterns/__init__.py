"""The toolkit: what applications build on Redis, made safe, for any redis-py client.

    board = alcove.patterns.Leaderboard(client)
    board.update_score("chess", "ann", 1500)

The client may be one of `alcove.open()`, or redis-py's to an Alcove server, a Redis, a Valkey or a cluster of them.
Here are the blocking classes; `alcove.patterns.asyncio` has the same ones with `await`. What stands here is imported
when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alcove.patterns import asyncio as asyncio
    from alcove.patterns.blocking.leaderboard import Leaderboard as Leaderboard
    from alcove.patterns.core.codecs import JSON as JSON
    from alcove.patterns.core.codecs import MSGPACK as MSGPACK
    from alcove.patterns.core.codecs import Codec as Codec
    from alcove.patterns.core.codecs import Compressed as Compressed
    from alcove.patterns.core.codecs import Json as Json
    from alcove.patterns.core.codecs import MessagePack as MessagePack
    from alcove.patterns.core.errors import CannotDecode as CannotDecode
    from alcove.patterns.core.errors import CannotEncode as CannotEncode
    from alcove.patterns.core.errors import InvalidArgument as InvalidArgument
    from alcove.patterns.core.errors import OutcomeUnknown as OutcomeUnknown
    from alcove.patterns.core.errors import PatternError as PatternError
    from alcove.patterns.core.keys import Keys as Keys
    from alcove.patterns.core.leaderboard import Page as Page
    from alcove.patterns.core.leaderboard import Row as Row
    from alcove.patterns.core.leaderboard import ScoreOutOfRange as ScoreOutOfRange
    from alcove.patterns.core.leaderboard import Submission as Submission

# The classes that there are twice: written in this module of `alcove.patterns.asyncio`, derived in `blocking`.
HOMES = {
    "Leaderboard": "leaderboard",
}
# What both share, by its module in `alcove.patterns.core`.
SHARED = {
    "CannotDecode": "errors",
    "CannotEncode": "errors",
    "Codec": "codecs",
    "Compressed": "codecs",
    "InvalidArgument": "errors",
    "JSON": "codecs",
    "Json": "codecs",
    "Keys": "keys",
    "MSGPACK": "codecs",
    "MessagePack": "codecs",
    "OutcomeUnknown": "errors",
    "Page": "leaderboard",
    "PatternError": "errors",
    "Row": "leaderboard",
    "ScoreOutOfRange": "leaderboard",
    "Submission": "leaderboard",
}


def __getattr__(name: str) -> Any:
    if name == "asyncio":
        return importlib.import_module("alcove.patterns.asyncio")
    if name in HOMES:
        home = f"alcove.patterns.blocking.{HOMES[name]}"
    elif name in SHARED:
        home = f"alcove.patterns.core.{SHARED[name]}"
    else:
        raise AttributeError(f"module 'alcove.patterns' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*HOMES, *SHARED, "asyncio"})
