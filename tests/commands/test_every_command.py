"""What holds for every command, drawn from the registry: arity, wrong types, HELP, and that errors change nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.declaration import REGISTRY, Command
from alcove.engine.synopsis import Index
from alcove.errors import WRONG_TYPE, exec_refused, wrong_arity
from tests.commands.watched import Watched

# A value of each type, and the groups whose commands read it.
VALUES = {
    "string": "SET {key} value",
    "list": "RPUSH {key} value",
    "set": "SADD {key} value",
    "sorted-set": "ZADD {key} 1 value",
    "hash": "HSET {key} field value",
    "stream": "XADD {key} 1-1 field value",
}
READS = {"geo": {"sorted-set"}, "bitmap": {"string"}, "hyperloglog": {"string"}}
# Commands that overwrite whatever there is, MGET which answers null for what is no string, and LCS with its own error.
ANY_TYPE = {"set", "setex", "psetex", "setnx", "mset", "msetnx", "msetex", "delex", "mget", "lcs"}


def runnable() -> Iterator[Command]:
    for command in REGISTRY:
        if command.handler is not None:
            yield command


def words_of(command: Command) -> list[str]:
    return command.name.split("|")


@pytest.mark.parametrize("command", [one for one in runnable() if one.least > one.words], ids=lambda one: one.name)
def test_too_few_arguments(command: Command) -> None:
    run = Watched()
    words = [*words_of(command), *["1"] * (command.least - 1 - command.words)]
    assert run(*words) == wrong_arity(command.name)
    assert run.changes == 0


@pytest.mark.parametrize("command", [one for one in runnable() if one.most < 1000], ids=lambda one: one.name)
def test_too_many_arguments(command: Command) -> None:
    run = Watched()
    words = [*words_of(command), *["1"] * (command.most + 1 - command.words)]
    refusal = wrong_arity(command.name)
    # An EXEC that is refused ends its transaction, and says so.
    assert run(*words) == (exec_refused(refusal) if command.name == "exec" else refusal)
    assert run.changes == 0


def typed_commands() -> Iterator[tuple[str, str]]:
    """Commands of the typed groups whose key is their first argument, with each type that is not theirs."""
    for command in runnable():
        group = command.facts.group
        if (group not in VALUES and group not in READS) or command.name in ANY_TYPE:
            continue
        specs = command.facts.key_specs
        if not specs or specs[0].begin != Index(1) or "not_key" in specs[0].flags or command.first_key != 1:
            continue
        if any("OW" in spec.flags for spec in specs[:1]):
            continue
        for kind in VALUES:
            if kind not in READS.get(group, {group}):
                yield command.name, kind


EXAMPLES = {
    "append": "k v",
    "bitfield": "k GET u8 0",
    "bitfield_ro": "k GET u8 0",
    "blmove": "k other LEFT RIGHT 0.01",
    "blpop": "k 0.01",
    "brpop": "k 0.01",
    "brpoplpush": "k other 0.01",
    "bzpopmax": "k 0.01",
    "bzpopmin": "k 0.01",
    "lmove": "k other LEFT RIGHT",
    "linsert": "k BEFORE a b",
    "geodist": "k a b",
    "georadius": "k 15 37 200 km",
    "georadius_ro": "k 15 37 200 km",
    "georadiusbymember": "k m 200 km",
    "georadiusbymember_ro": "k m 200 km",
    "geosearch": "k FROMLONLAT 15 37 BYRADIUS 200 km",
    "geoadd": "k 15 37 m",
    "getex": "k PERSIST",
    "incrbyfloat": "k 1.5",
    "hincrbyfloat": "k f 1.5",
    "zrangebylex": "k - +",
    "zrevrangebylex": "k + -",
    "zlexcount": "k - +",
    "zremrangebylex": "k - +",
    "zincrby": "k 1 m",
    "xadd": "k * f v",
    "xtrim": "k MAXLEN 1",
    "xclaim": "k g c 0 1-1",
    "xautoclaim": "k g c 0 0",
    "xdelex": "k IDS 1 1-1",
    "xackdel": "k g IDS 1 1-1",
    "smove": "k other m",
}
"""Arguments where plain ones would fail before the type is looked at. The others take `k` and ones."""


def example(name: str) -> list[str]:
    command = REGISTRY.lookup(name.encode())
    assert command is not None
    if name in EXAMPLES:
        return [*name.split("|"), *EXAMPLES[name].split()]
    words = [*name.split("|"), "k"]
    if "EXPIRE" in name.upper() and name.startswith("h"):
        return [*words, *(["100"] if "expireat" in name or name in ("hexpire", "hpexpire") else []), "FIELDS", "1", "f"]
    return words + ["1"] * (command.least - len(words))


@pytest.mark.parametrize(("name", "kind"), list(typed_commands()))
def test_wrong_type(name: str, kind: str) -> None:
    run = Watched()
    assert not isinstance(run(VALUES[kind].format(key="k")), str)
    before = run("COPY k before"), run("OBJECT ENCODING k")
    assert run(*example(name)) == WRONG_TYPE
    assert (run.changes, run.recorded, run.events) == (0, [], [])
    assert before[1] == run("OBJECT ENCODING k")


@pytest.mark.parametrize("command", [one for one in REGISTRY if one.subcommands], ids=lambda one: one.name)
def test_containers_have_help_and_refuse_the_unknown(command: Command) -> None:
    run = Watched()
    if "help" in {member.name.partition("|")[2] for member in command.members()}:
        assert run(command.name, "HELP")[0].startswith(command.name.upper().encode())
    assert run(command.name, "NOSUCH").startswith("ERR unknown subcommand 'NOSUCH'")


# The groups that are complete up to this release of Redis; of the others some commands are still to come.
COMPLETE = {"string", "hash", "list", "set", "sorted-set", "stream", "bitmap", "hyperloglog", "geo", "transactions"}
RELEASE = (8, 4, 0)


def test_the_complete_groups_have_every_command() -> None:
    rows = [json.loads(line) for line in (Path(__file__).parent.parent / "data/commands.jsonl").open()]
    known = {command.name.upper().replace("|", " ") for command in REGISTRY}
    missing = [
        row["name"]
        for row in rows
        if row["group"] in COMPLETE and row["name"] not in known and is_released(row["since"])
    ]
    assert missing == []


def is_released(since: str) -> bool:
    """Valkey's own commands are all meant."""
    return since.startswith("valkey") or tuple(map(int, since.split("."))) <= RELEASE
