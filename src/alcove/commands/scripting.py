"""Scripts in Lua: EVAL, EVALSHA and their read-only forms; SCRIPT keeps the scripts."""

from __future__ import annotations

from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.engine.engine import Engine
from alcove.errors import (
    NEGATIVE_NUMKEYS,
    NO_SCRIPT,
    NOT_AN_INTEGER,
    NUMKEYS_TOO_HIGH,
    SCRIPT_DEBUG_OPTIONS,
    SCRIPT_FLUSH_OPTIONS,
    CommandError,
)
from alcove.numeric import INT64_MAX, INT64_MIN, parse_bounded
from alcove.scripting.runtime import Script, runtime_of
from alcove.values import OK

DIGEST_DIGITS = 40
FLAGS = "noscript stale skip_monitor no_mandatory_keys"


@command(
    "EVAL script numkeys [key [key ...]] [arg [arg ...]]",
    flags=FLAGS,
    keys="RW access update",
    since="2.6.0",
    complexity="Depends on the script that is executed.",
)
def eval_(ctx: Context, script: bytes, numkeys: bytes, *words: bytes) -> object:
    """Executes a server-side Lua script."""
    keys = count_of_keys(numkeys, words)
    return run(ctx, b"EVAL", runtime_of(ctx.engine).script_of(script), script, keys, words, False)


@command(
    "EVALSHA sha1 numkeys [key [key ...]] [arg [arg ...]]",
    flags=FLAGS,
    keys="RW access update",
    since="2.6.0",
    complexity="Depends on the script that is executed.",
)
def evalsha(ctx: Context, sha1: bytes, numkeys: bytes, *words: bytes) -> object:
    """Executes a server-side Lua script by SHA1 digest."""
    check_digest(sha1)
    keys = count_of_keys(numkeys, words)
    return run(ctx, b"EVALSHA", known_script(ctx, sha1), sha1, keys, words, False)


@command(
    "EVAL_RO script numkeys [key [key ...]] [arg [arg ...]]",
    flags=f"{FLAGS} readonly",
    keys="RO access",
    since="7.0.0",
    complexity="Depends on the script that is executed.",
)
def eval_ro(ctx: Context, script: bytes, numkeys: bytes, *words: bytes) -> object:
    """Executes a read-only server-side Lua script."""
    keys = count_of_keys(numkeys, words)
    return run(ctx, b"EVAL_RO", runtime_of(ctx.engine).script_of(script), script, keys, words, True)


@command(
    "EVALSHA_RO sha1 numkeys [key [key ...]] [arg [arg ...]]",
    flags=f"{FLAGS} readonly",
    keys="RO access",
    since="7.0.0",
    complexity="Depends on the script that is executed.",
)
def evalsha_ro(ctx: Context, sha1: bytes, numkeys: bytes, *words: bytes) -> object:
    """Executes a read-only server-side Lua script by SHA1 digest."""
    check_digest(sha1)
    keys = count_of_keys(numkeys, words)
    return run(ctx, b"EVALSHA_RO", known_script(ctx, sha1), sha1, keys, words, True)


def count_of_keys(numkeys: bytes, words: tuple[bytes, ...]) -> int:
    """How many of the words behind `numkeys` are keys."""
    keys = parse_bounded(numkeys, INT64_MIN, INT64_MAX, NOT_AN_INTEGER)
    if keys > len(words):
        raise CommandError(NUMKEYS_TOO_HIGH)
    if keys < 0:
        raise CommandError(NEGATIVE_NUMKEYS)
    return keys


def check_digest(sha1: bytes) -> None:
    """What has not the length of a digest is refused before the rest is looked at."""
    if len(sha1) != DIGEST_DIGITS:
        raise CommandError(NO_SCRIPT)


def known_script(ctx: Context, sha1: bytes) -> Script:
    script = runtime_of(ctx.engine).find(sha1)
    if script is None:
        raise CommandError(NO_SCRIPT)
    return script


def run(
    ctx: Context, name: bytes, script: Script, given: bytes, keys: int, words: tuple[bytes, ...], read_only: bool
) -> object:
    """Runs a script for the command `name`, which monitors, who note all, see before the commands that it calls."""
    engine: Engine = ctx.engine
    if not engine.notable_us and engine.monitors.sessions and (command := engine.registry.find(name)) is not None:
        engine.show(ctx.session, command, [name, given, b"%d" % keys, *words])
    return runtime_of(engine).run(ctx, script.runner, script.sha, script.rules, read_only, keys, words)


container(
    "SCRIPT",
    since="2.6.0",
    group="scripting",
    summary="A container for Lua scripts management commands.",
    help_since="5.0.0",
)


@command(
    "SCRIPT LOAD script",
    flags="noscript stale",
    since="2.6.0",
    complexity="O(N) with N being the length in bytes of the script body.",
)
def script_load(ctx: Context, script: bytes) -> bytes:
    """Loads a server-side Lua script to the script cache."""
    return runtime_of(ctx.engine).load(script).sha


@command(
    "SCRIPT EXISTS sha1 [sha1 ...]",
    flags="noscript",
    since="2.6.0",
    complexity="O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
)
def script_exists(ctx: Context, *sha1s: bytes) -> list[int]:
    """Determines whether server-side Lua scripts exist in the script cache."""
    runtime = runtime_of(ctx.engine)
    return [int(runtime.find(sha1) is not None) for sha1 in sha1s]


@command(
    "SCRIPT FLUSH [ASYNC | SYNC]",
    flags="noscript",
    since="2.6.0",
    complexity="O(N) with N being the number of scripts in cache",
    history=(("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers."),),
)
def script_flush(ctx: Context, *options: bytes) -> object:
    """Removes all server-side Lua scripts from the script cache."""
    if len(options) > 1 or (options and options[0].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SCRIPT_FLUSH_OPTIONS)
    runtime_of(ctx.engine).flush()
    return OK


@command("SCRIPT KILL", flags="noscript allow_busy", since="2.6.0", complexity="O(1)")
def script_kill(ctx: Context) -> object:
    """Terminates a server-side Lua script during execution."""
    runtime_of(ctx.engine).kill()
    return OK


@command("SCRIPT SHOW sha1", flags="noscript", since="valkey 8.0.0", complexity="O(1).")
def script_show(ctx: Context, sha1: bytes) -> bytes:
    """Shows the text of a server-side Lua script in the script cache."""
    return known_script(ctx, sha1).body


@command("SCRIPT DEBUG <YES | SYNC | NO>", flags="noscript", since="3.2.0", complexity="O(1)")
def script_debug(ctx: Context, mode: bytes) -> object:
    """Sets the debug mode of server-side Lua scripts."""
    if mode.upper() not in (b"YES", b"SYNC", b"NO"):
        raise CommandError(SCRIPT_DEBUG_OPTIONS)
    return OK
