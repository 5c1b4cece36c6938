"""MEMORY: what keys and the engine take."""

from __future__ import annotations

import gc
import sys

from alcove.commands.info import scripts_memory
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.engine.keyspace import footprint_of
from alcove.errors import SYNTAX, CommandError
from alcove.values import OK, Status, Verbatim

GROUP = "server"

container("MEMORY", since="4.0.0", group="server", summary="A container for memory diagnostics commands.")


@command("MEMORY USAGE key [SAMPLES count]", flags="readonly", keys="RO", since="4.0.0", complexity="O(1)")
def memory_usage(ctx: Context, key: bytes, *options: bytes) -> int | None:
    """Estimates the memory usage of a key.

    Every value keeps count of its bytes, so nothing has to be sampled; SAMPLES is checked and otherwise ignored.
    """
    arguments = Arguments(options)
    while arguments:
        if arguments.word() != b"SAMPLES" or arguments.integer() < 0:
            raise CommandError(SYNTAX)
    entry = ctx.keys.find(key)
    return None if entry is None else footprint_of(entry)


@command(
    "MEMORY STATS",
    since="4.0.0",
    complexity="O(1)",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def memory_stats(ctx: Context) -> dict[bytes, object]:
    """Returns details about memory usage."""
    space = ctx.keys.space
    memory = scripts_memory(ctx.engine)
    keys = sum(len(database) for database in space.databases)
    return {
        b"total.allocated": space.used,
        b"lua.caches": memory["used_memory_scripts_eval"],
        b"functions.caches": memory["used_memory_functions"],
        b"keys.count": keys,
        b"keys.bytes-per-key": space.used // keys if keys else 0,
    }


@command(
    "MEMORY PURGE",
    since="4.0.0",
    complexity="O(N) where N is the number of Python's tracked objects",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def memory_purge(ctx: Context) -> Status:
    """Asks the allocator to release memory."""
    gc.collect()
    return OK


@command(
    "MEMORY MALLOC-STATS",
    since="4.0.0",
    complexity="O(1)",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def memory_malloc_stats(ctx: Context) -> Verbatim:
    """Returns the allocator statistics."""
    return Verbatim(b"allocated blocks of Python's small-object allocator: %d\n" % sys.getallocatedblocks())
