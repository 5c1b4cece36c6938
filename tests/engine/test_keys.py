"""Finding the keys of a call: by key specs, and by the finders of the commands that specs cannot describe."""

from __future__ import annotations

from typing import Any

import pytest

from alcove.engine.declaration import Registry
from alcove.engine.keys import has_keys, keys_of

DECLARED: list[tuple[str, str, Any]] = [
    ("GET key", "readonly", None),
    ("SET key value [NX | XX] [GET]", "write", "RW access update variable_flags"),
    ("DELEX key [IFEQ value]", "write", "RW delete variable_flags"),
    ("MSET key value [key value ...]", "write", "OW update"),
    ("MSETEX numkeys key value [key value ...] [NX | XX]", "write", "OW update"),
    ("DEL key [key ...]", "write", "RM delete"),
    ("BLPOP key [key ...] timeout", "write", "RW access delete"),
    ("LCS key1 key2 [LEN]", "readonly", None),
    ("BITOP <AND | OR> destkey key [key ...]", "write", None),
    ("BITFIELD key [GET encoding offset]", "write", "RW access update variable_flags"),
    ("PFMERGE destkey [sourcekey [sourcekey ...]]", "write", ("RW access insert", "RO access")),
    ("ZUNIONSTORE destination numkeys key [key ...]", "write", None),
    ("ZUNION numkeys key [key ...]", "readonly", None),
    ("EVAL script numkeys [key [key ...]] [arg [arg ...]]", "no_mandatory_keys", None),
    ("SORT key [STORE destination]", "write", ("RO access", "unknown RO access", "unknown OW update")),
    ("SORT_RO key [BY pattern]", "readonly", ("RO access", "unknown RO access")),
    ("GEORADIUS key longitude latitude radius <M | KM> [ASC | DESC] [STORE key | STOREDIST key]", "write", "RO"),
    ("GEORADIUSBYMEMBER key member radius <M | KM> [ASC | DESC] [STORE key | STOREDIST key]", "write", "RO"),
    ('MIGRATE host port <key | ""> destination-db timeout [COPY] [KEYS key [key ...]]', "write", "RW access delete"),
    ("XREAD [COUNT count] STREAMS key [key ...] id [id ...]", "readonly", None),
    ("XREADGROUP GROUP group consumer [NOACK] STREAMS key [key ...] id [id ...]", "write", "RO access"),
    ("SSUBSCRIBE shardchannel [shardchannel ...]", "pubsub", None),
    ("PUBLISH channel message", "pubsub", None),
]


def handler(ctx: Any, *argv: bytes) -> None:
    """Does nothing."""


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = Registry()
    for synopsis, flags, keys in DECLARED:
        made.command(synopsis, flags=flags, keys=keys, since="1.0.0", complexity="O(1)", group="generic")(handler)
    return made


# A call, and its keys with the flags of their access, as redis-server 7.0 and valkey-server 8.0 have it where they
# know the command. '' is an empty argument.
CALLS = [
    ("get a", "a RO access"),
    ("set a 1", "a OW update"),
    ("set a 1 XX get", "a RW access update"),
    ("set get get", "get OW update"),
    ("delex a", "a RM delete"),
    ("delex a IFEQ 1", "a RW access delete"),
    ("mset a 1 b 2", "a OW update, b OW update"),
    ("mset a 1 b", "a OW update, b OW update"),
    ("msetex 2 a 1 b 2 NX", "a OW update, b OW update"),
    ("msetex 3 a 1 b 2", ""),
    ("msetex 1x a 1", ""),
    ("msetex 0 a 1", ""),
    ("msetex -1 a 1", ""),
    ("del a b", "a RM delete, b RM delete"),
    ("blpop a b 0", "a RW access delete, b RW access delete"),
    ("lcs a b LEN", "a RO access, b RO access"),
    ("bitop and d a b", "d OW update, a RO access, b RO access"),
    ("bitfield a", "a RO access"),
    ("bitfield a get u8 0 overflow wrap", "a RO access"),
    ("bitfield a overflow wrap get u8 0", "a RO access"),
    ("bitfield a get u8 0 incrby u8 0 1", "a RW access update"),
    ("bitfield a get u8", "a RW access update"),
    ("pfmerge a", ""),
    ("pfmerge a b", "a RW access insert, b RO access"),
    ("zunionstore d 2 a b WEIGHTS 1 2", "d OW update, a RO access, b RO access"),
    ("zunionstore d 3 a b", ""),
    ("zunion 9223372036854775807 a b", ""),
    ("eval x 0", ""),
    ("eval x 1 a b", "a RW access update"),
    ("sort a", "a RO access"),
    ("sort a by store get store store d limit 1 store", "a RO access, d OW update"),
    ("sort a store d store e", "a RO access, e OW update"),
    ("sort a limit 0 1 store", "a RO access"),
    ("sort_ro a by b* get c*", "a RO access"),
    ("georadius a 1 2 3 m", "a RO access"),
    ("georadius a 1 2 3 m store d", "a RO access, d OW update"),
    ("georadius a 1 2 3 m storedist d desc store e", "a RO access, d OW update, e OW update"),
    ("georadius a 1 2 3 m store", "a RO access"),
    ("georadiusbymember a store 3 m store d", "a RO access, d OW update"),
    ("migrate h 1 a 0 9", "a RW access delete"),
    ("migrate h 1 '' 0 9 copy keys a b", "a RW access delete, b RW access delete"),
    ("migrate h 1 a 0 9 auth keys", "a RW access delete"),
    ("migrate h 1 '' 0 9 auth2 keys keys keys a", "a RW access delete"),
    ("migrate h 1 a 0 9 keys b", ""),
    ("xread streams a 0", "a RO access"),
    ("xread count 1 block 0 streams a b 0 0", "a RO access, b RO access"),
    ("xread streams a b 0", ""),
    ("xread count 2 a 0", ""),
    ("xreadgroup group streams streams streams a 0", "a RO access"),
    ("xreadgroup group g c count 1 noack streams a b > >", "a RO access, b RO access"),
    ("publish a b", ""),
    ("ssubscribe a", ""),
]


@pytest.mark.parametrize(("text", "expected"), CALLS)
def test_keys_of_a_call(registry: Registry, text: str, expected: str) -> None:
    argv = [b"" if word == "''" else word.encode() for word in text.split()]
    command = registry.resolve(argv)
    assert command is not None
    found = keys_of(command, argv)
    assert ", ".join(" ".join([argv[place].decode(), *flags]) for place, flags in found) == expected


def test_sharded_channels_count_for_slots_only(registry: Registry) -> None:
    command = registry.find(b"ssubscribe")
    assert command is not None
    assert not has_keys(command)
    assert keys_of(command, [b"SSUBSCRIBE", b"a", b"b"], with_channels=True) == [(1, ("not_key",)), (2, ("not_key",))]


def test_commands_with_and_without_keys(registry: Registry) -> None:
    without = [command.name for command in registry if not has_keys(command)]
    assert without == ["ssubscribe", "publish"]


def test_a_keyword_is_searched_from_its_side() -> None:
    made = Registry()
    for synopsis in (
        "FORWARD [A value] [B key] [C value]",
        "BACKWARD [A value] [B key [key ...]]",
    ):
        made.command(synopsis, flags="readonly", since="1.0.0", complexity="O(1)", group="generic")(handler)
    forward, backward = made
    assert [place for place, _ in keys_of(forward, b"FORWARD b 1 B 2".split())] == [2]
    assert [place for place, _ in keys_of(backward, b"BACKWARD B 1 b 2".split())] == [4]
    assert keys_of(forward, b"FORWARD A 1".split()) == []
    assert keys_of(backward, b"BACKWARD A B".split()) == []
