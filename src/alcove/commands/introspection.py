"""The COMMAND family: what the server says of its own commands, all of it read from the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from alcove.engine.context import Context
from alcove.engine.declaration import CATEGORIES, FLAGS, NO_MANDATORY_KEYS, Command, Registry, command
from alcove.engine.glob import matches
from alcove.engine.keys import Found, has_keys, keys_of
from alcove.engine.synopsis import Argument, Index, KeyNum, KeySpec, Keyword, Range
from alcove.errors import (
    INVALID_ARGUMENT_COUNT,
    INVALID_ARGUMENTS,
    INVALID_COMMAND,
    NO_KEY_ARGUMENTS,
    SYNTAX,
    CommandError,
)
from alcove.values import Members, Status

GROUP: Final = "server"

# Types that only key positions need to tell apart.
DOCUMENTED_TYPES: Final = {"channel": "string"}


@command(
    "COMMAND",
    arity=-1,
    flags="loading stale",
    since="2.8.13",
    complexity="O(N) where N is the total number of commands",
    acl="+connection",
    tips="nondeterministic_output_order",
    help_since="5.0.0",
)
def command_all(ctx: Context) -> list[Any]:
    """Returns detailed information about all commands."""
    return [info_of(one) for one in ctx.engine.registry.commands]


@command("COMMAND COUNT", flags="loading stale", since="2.8.13", complexity="O(1)", acl="+connection")
def command_count(ctx: Context) -> int:
    """Returns a count of commands."""
    return len(ctx.engine.registry.commands)


@command(
    "COMMAND INFO [command-name [command-name ...]]",
    flags="loading stale",
    since="2.8.13",
    complexity="O(N) where N is the number of commands to look up",
    acl="+connection",
    tips="nondeterministic_output_order",
    history=(("7.0.0", "Allowed to be called with no argument to get info on all commands."),),
)
def command_info(ctx: Context, *names: bytes) -> list[Any]:
    """Returns information about one, multiple or all commands."""
    if not names:
        return command_all(ctx)
    found = [ctx.engine.registry.lookup(name) for name in names]
    return [None if one is None else info_of(one) for one in found]


@command(
    "COMMAND DOCS [command-name [command-name ...]]",
    flags="loading stale",
    since="7.0.0",
    complexity="O(N) where N is the number of commands to look up",
    acl="+connection",
    tips="nondeterministic_output_order",
)
def command_docs(ctx: Context, *names: bytes) -> dict[bytes, Any]:
    """Returns documentary information about one, multiple or all commands."""
    registry = ctx.engine.registry
    found = [registry.lookup(name) for name in names] if names else registry.commands
    return {one.name.encode(): docs_of(one) for one in found if one is not None}


@command(
    "COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    flags="loading stale",
    since="7.0.0",
    complexity="O(N) where N is the total number of commands",
    acl="+connection",
    tips="nondeterministic_output_order",
)
def command_list(ctx: Context, *filter_by: bytes) -> list[bytes]:
    """Returns a list of command names."""
    registry = ctx.engine.registry
    match [word.upper() for word in filter_by[:2]], filter_by[2:]:
        case [], ():
            chosen = list(registry)
        case [b"FILTERBY", b"MODULE"], (_,):
            chosen = []
        case [b"FILTERBY", b"ACLCAT"], (category,):
            chosen = in_category(registry, category)
        case [b"FILTERBY", b"PATTERN"], (pattern,):
            chosen = [one for one in registry if matches(pattern, one.name.encode(), nocase=True)]
        case _:
            raise CommandError(SYNTAX)
    return [one.name.encode() for one in chosen]


def in_category(registry: Registry, name: bytes) -> list[Command]:
    wanted = name.lower()
    bits = sum(1 << place for place, category in enumerate(CATEGORIES) if category.encode() == wanted)
    return [one for one in registry if one.categories & bits]


@command(
    "COMMAND GETKEYS command [arg [arg ...]]",
    flags="loading stale",
    since="2.8.13",
    complexity="O(N) where N is the number of arguments to the command",
    acl="+connection",
)
def command_getkeys(ctx: Context, *argv: bytes) -> list[bytes]:
    """Extracts the key names from an arbitrary command."""
    return [argv[place] for place, _ in keys_or_error(ctx.engine.registry, argv)]


@command(
    "COMMAND GETKEYSANDFLAGS command [arg [arg ...]]",
    flags="loading stale",
    since="7.0.0",
    complexity="O(N) where N is the number of arguments to the command",
    acl="+connection",
)
def command_getkeysandflags(ctx: Context, *argv: bytes) -> list[list[Any]]:
    """Extracts the key names and access flags for an arbitrary command."""
    return [[argv[place], statuses(flags)] for place, flags in keys_or_error(ctx.engine.registry, argv)]


def keys_or_error(registry: Registry, argv: Sequence[bytes]) -> list[Found]:
    """The keys of a whole command, or why there are none to be told."""
    one = registry.resolve(list(argv))
    if one is None:
        raise CommandError(INVALID_COMMAND)
    if not has_keys(one):
        raise CommandError(NO_KEY_ARGUMENTS)
    if not one.accepts(len(argv)):
        raise CommandError(INVALID_ARGUMENT_COUNT)
    found = keys_of(one, argv)
    if not found and not one.flags & NO_MANDATORY_KEYS:
        raise CommandError(INVALID_ARGUMENTS)
    return found


# What COMMAND and COMMAND INFO say of one command


def info_of(one: Command) -> list[Any]:
    facts = one.facts
    return [
        one.name.encode(),
        one.arity,
        statuses(name for name, bit in FLAGS.items() if one.flags & bit),
        one.first_key,
        one.last_key,
        one.step,
        statuses("@" + name for place, name in enumerate(CATEGORIES) if one.categories >> place & 1),
        Members(tip.encode() for tip in facts.tips),
        Members(spec_of(spec) for spec in facts.key_specs),
        [info_of(member) for member in one.members()] if one.subcommands else Members(),
    ]


def spec_of(spec: KeySpec) -> dict[bytes, Any]:
    return {b"flags": statuses(spec.flags), b"begin_search": begin_of(spec), b"find_keys": find_of(spec)}


def begin_of(spec: KeySpec) -> dict[bytes, Any]:
    match spec.begin:
        case Index(index):
            return rule(b"index", index=index)
        case Keyword(keyword, startfrom):
            return rule(b"keyword", keyword=keyword.encode(), startfrom=startfrom)
        case None:
            return rule(b"unknown")


def find_of(spec: KeySpec) -> dict[bytes, Any]:
    match spec.find:
        case Range(lastkey, keystep, limit):
            return rule(b"range", lastkey=lastkey, keystep=keystep, limit=limit)
        case KeyNum(keynumidx, firstkey, keystep):
            return rule(b"keynum", keynumidx=keynumidx, firstkey=firstkey, keystep=keystep)
        case None:
            return rule(b"unknown")


def rule(kind: bytes, **values: bytes | int) -> dict[bytes, Any]:
    return {b"type": kind, b"spec": {name.encode(): value for name, value in values.items()}}


def statuses(names: Iterable[str]) -> Members:
    return Members(Status(name.encode()) for name in names)


# What COMMAND DOCS says of one command


def docs_of(one: Command) -> dict[bytes, Any]:
    facts = one.facts
    docs: dict[bytes, Any] = {
        b"summary": facts.summary.encode(),
        b"since": facts.since.encode(),
        b"group": facts.group.encode(),
        b"complexity": facts.complexity.encode(),
    }
    if facts.deprecated is not None:
        since, replacement = facts.deprecated
        docs[b"doc_flags"] = statuses(["deprecated"])
        docs[b"deprecated_since"] = since.encode()
        docs[b"replaced_by"] = replacement.encode()
    if facts.history:
        docs[b"history"] = Members([since.encode(), change.encode()] for since, change in facts.history)
    if facts.arguments:
        indexes = key_spec_indexes(facts.key_specs)
        docs[b"arguments"] = [argument_docs(argument, indexes) for argument in facts.arguments]
    if one.subcommands:
        docs[b"subcommands"] = {member.name.encode(): docs_of(member) for member in one.members()}
    return docs


def argument_docs(argument: Argument, indexes: Iterator[int]) -> dict[bytes, Any]:
    """One node of the argument tree; `indexes` gives the key specs of the keys, as they come in the tree."""
    kind = DOCUMENTED_TYPES.get(argument.type, argument.type)
    docs: dict[bytes, Any] = {b"name": argument.name.encode(), b"type": kind.encode()}
    if not argument.arguments:
        docs[b"display_text"] = argument.name.encode()
    if argument.type == "key":
        docs[b"key_spec_index"] = next(indexes)
    if argument.token:
        # The empty string is written `""` in a synopsis.
        docs[b"token"] = argument.token.strip('"').encode()
    flags = [name for name in ("optional", "multiple", "multiple_token") if getattr(argument, name)]
    if flags:
        docs[b"flags"] = statuses(flags)
    if argument.arguments:
        docs[b"arguments"] = [argument_docs(part, indexes) for part in argument.arguments]
    return docs


def key_spec_indexes(specs: Sequence[KeySpec]) -> Iterator[int]:
    """Of each key argument the place of the spec that finds it; one spec finds both keys of LCS."""
    for place, spec in enumerate(specs):
        yield place
        match spec.find:
            case Range(lastkey) if lastkey > 0:
                yield from [place] * lastkey
