"""The declaration of commands: what is derived equals what the real servers report, and the registry finds it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alcove import commands
from alcove.engine import declaration
from alcove.engine.declaration import CATEGORIES, FLAGS, REGISTRY, Command, DeclarationError, Registry, help_lines
from alcove.engine.keys import FINDERS
from alcove.engine.synopsis import Index, KeyNum, KeySpec, Keyword, Range

commands.load()

DATA = Path(__file__).parents[1] / "data" / "commands.jsonl"
FACTS: dict[str, dict[str, Any]] = {row["name"]: row for row in map(json.loads, DATA.read_text().splitlines())}

READ = "readonly fast"
WRITE = "write denyoom fast"
MARKS = "[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]"
ORDER = "[BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]"
WEIGHED = "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]"
SCRIPTS = "noscript stale skip_monitor no_mandatory_keys"
FOUND_BY = (
    "<FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM> | BYBOX width height <M | KM>>"
)

# Synopses of commands that differ in all that can differ: with flags, and what their declaration has to say more.
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("GET key", READ, {}),
    (
        "SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]",
        "write denyoom",
        {"keys": "RW access update variable_flags"},
    ),
    ("MSET key value [key value ...]", "write denyoom", {"keys": "OW update"}),
    ("MSETNX key value [key value ...]", "write denyoom", {"keys": "OW insert"}),
    ("MSETEX numkeys key value [key value ...] [NX | XX] [EX seconds]", "write denyoom", {"keys": "OW update"}),
    ("LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", "readonly", {}),
    ("STRLEN key", READ, {"keys": "RO"}),
    ("DEL key [key ...]", "write", {"keys": "RM delete"}),
    ("RENAME key newkey", "write", {"keys": ("RW access delete", "OW update")}),
    (
        "COPY source destination [DB destination-db] [REPLACE]",
        "write denyoom",
        {"keys": ("RO access", "OW update")},
    ),
    ("KEYS pattern", "readonly", {"acl": "+dangerous"}),
    ("OBJECT FREQ key", "readonly", {"keys": "RO"}),
    (
        f"SORT key {ORDER} [STORE destination]",
        "write denyoom",
        {
            "keys": ("RO access", "unknown RO access", "unknown OW update"),
            "acl": "-keyspace +list +set +sortedset +dangerous",
        },
    ),
    (
        f"SORT_RO key {ORDER}",
        "readonly",
        {"keys": ("RO access", "unknown RO access"), "acl": "-keyspace +list +set +sortedset +dangerous"},
    ),
    (
        'MIGRATE host port <key | ""> destination-db timeout [COPY] [REPLACE] '
        "[AUTH password | AUTH2 username password] [KEYS key [key ...]]",
        "write",
        {"keys": "RW access delete", "acl": "+dangerous"},
    ),
    ("WAIT numreplicas timeout", "blocking", {"acl": "-keyspace +connection"}),
    ("SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]", "readonly", {}),
    ("LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>", "write denyoom", {}),
    ("RPOPLPUSH source destination", "write denyoom", {}),
    ("BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout", "write denyoom blocking", {}),
    ("BLPOP key [key ...] timeout", "write blocking", {"keys": "RW access delete"}),
    (
        "BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        "write blocking",
        {"keys": "RW access delete"},
    ),
    ("LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", "write", {"keys": "RW access delete"}),
    ("LINSERT key <BEFORE | AFTER> pivot element", "write denyoom", {"keys": "RW insert"}),
    ("HSET key field value [field value ...]", WRITE, {}),
    ("HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]", WRITE, {}),
    ("SADD key member [member ...]", WRITE, {"keys": "RW insert"}),
    ("SMOVE source destination member", "write fast", {}),
    ("SUNIONSTORE destination key [key ...]", "write denyoom", {}),
    ("SINTERCARD numkeys key [key ...] [LIMIT limit]", "readonly", {}),
    ("ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]", WRITE, {}),
    ("ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]", "write denyoom", {}),
    (f"ZUNIONSTORE destination {WEIGHED}", "write denyoom", {}),
    (f"ZUNION {WEIGHED} [WITHSCORES]", "readonly", {}),
    ("BZPOPMIN key [key ...] timeout", "write fast blocking", {"keys": "RW access delete"}),
    ("XADD key [NOMKSTREAM] <* | id> field value [field value ...]", WRITE, {}),
    ("XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]", "readonly blocking", {}),
    (
        "XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
        "write blocking",
        {"keys": "RO access"},
    ),
    ("XGROUP CREATE key group <id | $> [MKSTREAM]", "write denyoom", {"keys": "RW insert"}),
    ("XINFO STREAM key [FULL [COUNT count]]", "readonly", {}),
    ("BITOP <AND | OR | XOR | NOT> destkey key [key ...]", "write denyoom", {}),
    ("BITCOUNT key [start end [BYTE | BIT]]", "readonly", {}),
    ("PFCOUNT key [key ...]", "readonly", {"keys": "RW access"}),
    ("PFMERGE destkey [sourcekey [sourcekey ...]]", "write denyoom", {"keys": ("RW access insert", "RO access")}),
    ("GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]", "write denyoom", {}),
    (
        f"GEORADIUS key longitude latitude radius <M | KM> {MARKS} [STORE key | STOREDIST key]",
        "write denyoom",
        {"keys": ("RO access", "OW update", "OW update")},
    ),
    (
        f"GEORADIUSBYMEMBER key member radius <M | KM> {MARKS} [STORE key | STOREDIST key]",
        "write denyoom",
        {"keys": ("RO access", "OW update", "OW update")},
    ),
    (f"GEOSEARCH key {FOUND_BY} {MARKS}", "readonly", {}),
    (f"GEOSEARCHSTORE destination source {FOUND_BY} {MARKS} [STOREDIST]", "write denyoom", {}),
    ("EVAL script numkeys [key [key ...]] [arg [arg ...]]", SCRIPTS, {}),
    ("EVAL_RO script numkeys [key [key ...]] [arg [arg ...]]", f"{SCRIPTS} readonly", {}),
    ("FCALL function numkeys [key [key ...]] [arg [arg ...]]", SCRIPTS, {}),
    ("SUBSCRIBE channel [channel ...]", "pubsub noscript loading stale", {}),
    ("SSUBSCRIBE shardchannel [shardchannel ...]", "pubsub noscript loading stale", {}),
    ("PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]", "pubsub loading stale", {}),
    ("WATCH key [key ...]", "noscript loading stale fast allow_busy", {"keys": "RO"}),
    ("EXEC", "noscript loading stale skip_slowlog", {}),
    ("QUIT", "allow_busy noscript loading stale fast no_auth", {"arity": -1}),
    (
        "HELLO [protover [AUTH username password] [SETNAME clientname]]",
        "noscript loading stale fast no_auth allow_busy",
        {},
    ),
    ("CLIENT SETNAME connection-name", "noscript loading stale", {}),
    ("CLIENT NO-EVICT <ON | OFF>", "admin noscript loading stale", {}),
    ("REPLICAOF <host port | NO ONE>", "admin noscript stale no_async_loading", {}),
    ("FLUSHALL [ASYNC | SYNC]", "write", {"acl": "+keyspace +dangerous"}),
    ("MEMORY USAGE key [SAMPLES count]", "readonly", {"keys": "RO"}),
    ("CONFIG SET parameter value [parameter value ...]", "admin noscript loading stale", {}),
    ("ROLE", "noscript loading stale fast", {"acl": "+admin +dangerous"}),
]

CONTAINERS = ("OBJECT", "XGROUP", "XINFO", "PUBSUB", "CLIENT", "MEMORY", "CONFIG")


def handler(ctx: Any, *argv: bytes) -> list[bytes]:
    """Answers its arguments.

    This paragraph is no part of the summary.
    """
    return list(argv)


def small_registry() -> Registry:
    registry = Registry()
    registry.container("CLIENT", since="2.4.0", group="connection", summary="Has subcommands.", help_since="5.0.0")
    registry.command("CLIENT ID", since="5.0.0", complexity="O(1)", group="connection")(handler)
    registry.command("GET key", flags=READ, since="1.0.0", complexity="O(1)", group="string")(handler)
    return registry


def row_name(command: Command) -> str:
    return command.name.upper().replace("|", " ")


def differences(command: Command) -> Iterator[str]:
    """Where a command differs from its row in the table of facts."""
    row = FACTS[row_name(command)]
    facts = command.facts
    derived: dict[str, Any] = {
        "group": facts.group,
        "since": facts.since,
        "arity": command.arity,
        "flags": sorted(name for name, bit in FLAGS.items() if command.flags & bit),
        "acl": sorted("@" + name for place, name in enumerate(CATEGORIES) if command.categories >> place & 1),
        "first_key": command.first_key,
        "last_key": command.last_key,
        "step": command.step,
    }
    # The rows that were composed from documents do not all have key specs.
    if "key_specs" in row or not row.get("derived"):
        derived["key_specs"] = [as_row(spec) for spec in facts.key_specs]
    for column, value in derived.items():
        expected = row.get(column, [])
        if value != expected:
            yield f"{row_name(command)} {column}: {value} should be {expected}"


def as_row(spec: KeySpec) -> dict[str, Any]:
    begin: Any = "unknown"
    find: Any = "unknown"
    match spec.begin:
        case Index(index):
            begin = {"index": index}
        case Keyword(keyword, startfrom):
            begin = {"keyword": keyword, "startfrom": startfrom}
    match spec.find:
        case Range(lastkey, keystep, limit):
            find = {"lastkey": lastkey, "keystep": keystep, "limit": limit}
        case KeyNum(keynumidx, firstkey, keystep):
            find = {"keynumidx": keynumidx, "firstkey": firstkey, "keystep": keystep}
    return {"flags": list(spec.flags), "begin": begin, "find": find}


@pytest.mark.parametrize(("synopsis", "flags", "more"), CASES, ids=lambda value: str(value)[:24])
def test_what_follows_from_a_synopsis(synopsis: str, flags: str, more: dict[str, Any]) -> None:
    registry = Registry()
    first, second, *_ = [*synopsis.split(), ""]
    name = f"{first} {second}" if first in CONTAINERS else first
    row = FACTS[name]
    if first in CONTAINERS:
        registry.container(first, since="", group=row["group"], summary="", help_since=None)
    registry.command(synopsis, flags=flags, since=row["since"], complexity="", group=row["group"], **more)(handler)
    [*_, command] = registry
    assert list(differences(command)) == []


def test_registry_matches_the_facts() -> None:
    found = [line for command in REGISTRY if row_name(command) in FACTS for line in differences(command)]
    if found:
        pytest.fail("\n".join(found))


def test_commands_without_facts_are_our_own() -> None:
    strangers = [command for command in REGISTRY if row_name(command) not in FACTS]
    assert [command.name for command in strangers if not command.facts.since.startswith(("alcove ", "valkey "))] == []


def test_every_command_is_documented() -> None:
    bare = [command.name for command in REGISTRY if not (command.facts.summary and command.facts.complexity)]
    assert bare == []


def test_handlers_take_as_many_arguments_as_the_arity_admits() -> None:
    wrong = []
    for command in REGISTRY:
        if command.handler is None:
            continue
        least, most = command.least - command.words, command.most - command.words
        parameters = list(inspect.signature(command.handler).parameters.values())[1:]
        required = sum(1 for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD and one.default is one.empty)
        is_open = any(one.kind is one.VAR_POSITIONAL for one in parameters)
        if required > least or (not is_open and len(parameters) < most and command.name != "command"):
            wrong.append(command.name)
    assert wrong == []


def test_keys_that_specs_cannot_tell_have_a_finder() -> None:
    vague = {"incomplete", "variable_flags"}
    unsure = [
        command.name
        for command in REGISTRY
        if any(spec.begin is None or vague & set(spec.flags) for spec in command.facts.key_specs)
    ]
    assert set(unsure) <= set(FINDERS)
    assert unsure


def test_find_is_blind_to_case() -> None:
    registry = small_registry()
    get = registry.find(b"get")
    assert get is not None
    assert get is registry.find(b"GET")
    assert get is registry.find(b"gEt")
    assert registry.find(b"gett") is None
    assert registry.find(b"") is None


def test_resolve_takes_the_subcommand_of_a_container() -> None:
    registry = small_registry()
    container = registry.find(b"client")
    assert container is not None
    assert registry.resolve([b"CLIENT"]) is container
    assert registry.resolve([b"client", b"iD"]) is container.find(b"ID")
    assert registry.resolve([b"client", b"nosuch"]) is None
    assert registry.resolve([b"GET", b"id"]) is registry.find(b"get")
    assert registry.lookup(b"CLIENT|id") is container.find(b"id")
    assert registry.lookup(b"client") is container
    assert registry.lookup(b"client|") is None
    assert registry.lookup(b"get|id") is None


def test_registry_lists_subcommands_behind_their_container() -> None:
    registry = small_registry()
    assert [command.name for command in registry] == ["client", "client|help", "client|id", "get"]
    assert [command.id for command in registry] == [0, 1, 2, 3]
    assert len(registry) == 4
    assert [command.name for command in registry.commands] == ["client", "get"]


def test_a_copy_counts_for_itself() -> None:
    registry = small_registry()
    registry.command("CLIENT LIST", since="2.4.0", complexity="O(N)", group="connection")(handler)
    copy = registry.copy()
    here, there = registry.find(b"get"), copy.find(b"get")
    assert here is not None
    assert there is not None
    there.calls += 1
    assert here.calls == 0
    assert [(one.name, one.id, one.facts) for one in copy] == [(one.name, one.id, one.facts) for one in registry]
    subcommand = copy.resolve([b"client", b"id"])
    assert subcommand is not None
    assert subcommand.container is copy.find(b"client")


def test_arity_bounds() -> None:
    registry = small_registry()
    get = registry.find(b"get")
    assert get is not None
    assert [argc for argc in range(5) if get.accepts(argc)] == [2]
    container = registry.find(b"client")
    assert container is not None
    assert [argc for argc in range(5) if container.accepts(argc)] == [2, 3, 4]


def test_help_is_laid_out_as_on_the_servers() -> None:
    registry = small_registry()
    registry.command(
        "CLIENT TRACKING <ON | OFF> [REDIRECT client-id]", since="6.0.0", complexity="O(1)", group="connection"
    )(handler)
    expected = [
        b"CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        b"ID",
        b"    Answers its arguments.",
        b"TRACKING (ON|OFF) [REDIRECT <client-id>]",
        b"    Answers its arguments.",
        b"HELP",
        b"    Print this help.",
    ]
    container = registry.find(b"client")
    assert container is not None
    assert help_lines(container) == expected
    helper = container.find(b"help")
    assert helper is not None
    assert helper.handler(None) == expected


@pytest.mark.parametrize(
    ("synopsis", "more"),
    [
        ("GET key", {}),
        ("NEW key", {"keys": ("RO", "RO")}),
        ("NEW key", {"keys": "read"}),
        ("NEW source destination", {"keys": ("RO",)}),
        ("NEW key", {"acl": "dangerous"}),
    ],
)
def test_contradictions_are_refused(synopsis: str, more: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError):
        small_registry().command(synopsis, since="1.0.0", complexity="O(1)", group="string", **more)(handler)


def test_a_command_needs_a_summary() -> None:
    with pytest.raises(DeclarationError, match="docstring"):
        small_registry().command("NEW", since="1.0.0", complexity="O(1)", group="string")(lambda ctx: None)


def test_group_and_summary_come_from_the_module_and_the_docstring() -> None:
    assert declaration.group_of(handler) == "test-declaration"
    assert declaration.summary_of(handler) == "Answers its arguments."
