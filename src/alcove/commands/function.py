"""Functions: FUNCTION keeps the libraries that define them, FCALL and FCALL_RO call them."""

from __future__ import annotations

from typing import Final

from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.engine.glob import matches
from alcove.errors import (
    BAD_NUMKEYS,
    FUNCTION_FLUSH_OPTIONS,
    FUNCTION_NOT_FOUND,
    LIBRARY_NAME_NOT_GIVEN,
    NEGATIVE_NUMKEYS,
    NUMKEYS_TOO_HIGH,
    RESTORE_POLICY,
    CommandError,
    unknown_list_argument,
    unknown_load_option,
    wrong_subcommand,
)
from alcove.integers import try_int
from alcove.scripting.functions import Function, Library, functions_of
from alcove.scripting.runtime import runtime_of
from alcove.values import OK, Members, Status

GROUP = "scripting"

FLAGS: Final = "noscript stale skip_monitor no_mandatory_keys"
POLICIES: Final = (b"FLUSH", b"APPEND", b"REPLACE")


@command(
    "FCALL function numkeys [key [key ...]] [arg [arg ...]]",
    flags=FLAGS,
    keys="RW access update",
    since="7.0.0",
    complexity="Depends on the function that is executed.",
)
def fcall(ctx: Context, function: bytes, numkeys: bytes, *words: bytes) -> object:
    """Invokes a function."""
    return call(ctx, b"FCALL", function, numkeys, words, False)


@command(
    "FCALL_RO function numkeys [key [key ...]] [arg [arg ...]]",
    flags=f"{FLAGS} readonly",
    keys="RO access",
    since="7.0.0",
    complexity="Depends on the function that is executed.",
)
def fcall_ro(ctx: Context, function: bytes, numkeys: bytes, *words: bytes) -> object:
    """Invokes a read-only function."""
    return call(ctx, b"FCALL_RO", function, numkeys, words, True)


def call(
    ctx: Context, name: bytes, function: bytes, numkeys: bytes, words: tuple[bytes, ...], read_only: bool
) -> object:
    """Runs a function for the command `name`, which monitors see before the commands that it calls."""
    engine = ctx.engine
    functions = functions_of(engine)
    found = functions.find(function)
    if found is None:
        raise CommandError(FUNCTION_NOT_FOUND)
    keys = try_int(numkeys)
    if keys is None:
        raise CommandError(BAD_NUMKEYS)
    if keys > len(words):
        raise CommandError(NUMKEYS_TOO_HIGH)
    if keys < 0:
        raise CommandError(NEGATIVE_NUMKEYS)
    argv = [name, function, numkeys, *words]
    command = engine.registry.find(name)
    if engine.monitors.sessions and command is not None:
        engine.show(ctx.session, command, argv)
    functions.running = argv
    try:
        return runtime_of(engine).run(ctx, found.runner, found.name, found.rules, read_only, keys, words)
    finally:
        functions.running = []


container(
    "FUNCTION",
    since="7.0.0",
    group="scripting",
    summary="A container for function commands.",
    help_since="7.0.0",
)


@command(
    "FUNCTION LOAD [REPLACE] function-code",
    flags="noscript write denyoom",
    since="7.0.0",
    complexity="O(1) (considering compilation time is redundant)",
    tips="request_policy:all_shards response_policy:all_succeeded",
    arity=-3,
)
def function_load(ctx: Context, *words: bytes) -> bytes:
    """Creates a library."""
    for word in words[:-1]:
        if word.upper() != b"REPLACE":
            raise CommandError(unknown_load_option(word))
    name = functions_of(ctx.engine).load(ctx.engine, words[-1], replace=len(words) > 1)
    changed(ctx)
    return name


@command(
    "FUNCTION DELETE library-name",
    flags="noscript write",
    since="7.0.0",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def function_delete(ctx: Context, library_name: bytes) -> Status:
    """Deletes a library and its functions."""
    functions_of(ctx.engine).delete(library_name)
    changed(ctx)
    return OK


@command(
    "FUNCTION FLUSH [ASYNC | SYNC]",
    flags="noscript write",
    since="7.0.0",
    complexity="O(N) where N is the number of functions deleted",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def function_flush(ctx: Context, *options: bytes) -> Status:
    """Deletes all libraries and functions."""
    if len(options) > 1:
        raise CommandError(wrong_subcommand("FUNCTION", "FLUSH"))
    if options and options[0].upper() not in (b"ASYNC", b"SYNC"):
        raise CommandError(FUNCTION_FLUSH_OPTIONS)
    functions_of(ctx.engine).flush()
    changed(ctx)
    return OK


@command(
    "FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]",
    flags="noscript",
    since="7.0.0",
    complexity="O(N) where N is the number of functions",
    tips="nondeterministic_output_order",
)
def function_list(ctx: Context, *options: bytes) -> list[object]:
    """Returns information about all libraries."""
    pattern: bytes | None = None
    with_code = False
    rest = iter(options)
    for option in rest:
        word = option.upper()
        if word == b"WITHCODE" and not with_code:
            with_code = True
        elif word == b"LIBRARYNAME" and pattern is None:
            pattern = next(rest, None)
            if pattern is None:
                raise CommandError(LIBRARY_NAME_NOT_GIVEN)
        else:
            raise CommandError(unknown_list_argument(option))
    libraries = functions_of(ctx.engine).libraries.by_name.values()
    return [
        described(library, with_code)
        for library in libraries
        if pattern is None or matches(pattern, library.name, nocase=True)
    ]


def described(library: Library, with_code: bool) -> dict[bytes, object]:
    facts: dict[bytes, object] = {
        b"library_name": library.name,
        b"engine": b"LUA",
        b"functions": [facts_of(function) for function in library.functions.values()],
    }
    if with_code:
        facts[b"library_code"] = library.code
    return facts


def facts_of(function: Function) -> dict[bytes, object]:
    return {
        b"name": function.name,
        b"description": function.description,
        b"flags": Members([Status(flag) for flag in function.flags()]),
    }


@command("FUNCTION DUMP", flags="noscript", since="7.0.0", complexity="O(N) where N is the number of functions")
def function_dump(ctx: Context) -> bytes:
    """Dumps all libraries into a serialized binary payload."""
    return functions_of(ctx.engine).dump(ctx.config.rdb_write_version)


@command(
    "FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]",
    flags="noscript write denyoom",
    since="7.0.0",
    complexity="O(N) where N is the number of functions on the payload",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def function_restore(ctx: Context, serialized_value: bytes, *options: bytes) -> Status:
    """Restores all libraries from a payload."""
    if len(options) > 1:
        raise CommandError(wrong_subcommand("FUNCTION", "RESTORE"))
    policy = options[0].upper() if options else b"APPEND"
    if policy not in POLICIES:
        raise CommandError(RESTORE_POLICY)
    functions_of(ctx.engine).restore(ctx.engine, serialized_value, policy)
    changed(ctx)
    return OK


def changed(ctx: Context) -> None:
    """Has the command recorded as it came: libraries are no keys, but they are replayed."""
    ctx.keys.space.dirty += 1


@command(
    "FUNCTION STATS",
    flags="noscript allow_busy",
    since="7.0.0",
    complexity="O(1)",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def function_stats(ctx: Context) -> dict[bytes, object]:
    """Returns information about a function during execution."""
    functions = functions_of(ctx.engine)
    runtime = runtime_of(ctx.engine)
    libraries = functions.libraries.by_name.values()
    running: dict[bytes, object] | None = None
    if runtime.running:
        if not functions.running:
            raise CommandError(runtime.busy())
        elapsed_us = ctx.engine.clock.monotonic_us() - runtime.started_us
        running = {b"name": runtime.running, b"command": functions.running, b"duration_ms": elapsed_us // 1000}
    counts = {
        b"libraries_count": len(libraries),
        b"functions_count": sum(len(library.functions) for library in libraries),
    }
    return {b"running_script": running, b"engines": {b"LUA": counts}}


@command(
    "FUNCTION KILL",
    flags="noscript allow_busy",
    since="7.0.0",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:one_succeeded",
)
def function_kill(ctx: Context) -> Status:
    """Terminates a function during execution."""
    runtime_of(ctx.engine).kill(is_function=True)
    return OK
