"""The COMMAND family: its replies in both protocols, and its argument trees beside those of real servers."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis

from alcove import commands
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.protocol.output import OutputBuffer
from alcove.protocol.writer import ReplyWriter
from alcove.values import Members, Status


@pytest.fixture(scope="module")
def engine() -> Engine:
    commands.load()
    return Engine()


@pytest.fixture
def call(engine: Engine) -> Any:
    session = engine.connect("embedded")

    def words(text: str) -> Any:
        return engine.execute(session, text.encode().split())

    yield words
    engine.disconnect(session)


def wire(value: Any, protocol: int) -> bytes:
    out = OutputBuffer()
    ReplyWriter(out, protocol).write(value)
    return out.peek(len(out))


GET_INFO = (
    b"*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~3\r\n+@read\r\n+@string\r\n+@fast\r\n"
    b"~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n"
    b"$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n"
    b"%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n"
)


def test_info_is_written_as_by_the_real_server(call: Any) -> None:
    info = call("COMMAND INFO get nosuch")
    assert wire(info, 3) == b"*2\r\n" + GET_INFO + b"_\r\n"
    # RESP2 knows neither sets nor maps: the latter are flat arrays of twice the length.
    flat = GET_INFO.replace(b"~", b"*")
    for pairs in (1, 2, 3):
        flat = flat.replace(b"%%%d" % pairs, b"*%d" % (2 * pairs))
    assert wire(info, 2) == b"*2\r\n" + flat + b"$-1\r\n"


def test_info_of_a_container_holds_its_subcommands(call: Any) -> None:
    [info] = call("COMMAND INFO command")
    assert info[:2] == [b"command", -1]
    assert [member[0] for member in info[9]] == [
        b"command|help",
        b"command|count",
        b"command|info",
        b"command|docs",
        b"command|list",
        b"command|getkeys",
        b"command|getkeysandflags",
    ]
    assert type(info[9]) is list
    [member] = call("COMMAND INFO COMMAND|Count")
    assert member[0] == b"command|count"
    assert type(member[9]) is Members


def test_info_of_key_specs_of_every_kind(call: Any) -> None:
    [bitop, lcs] = [info[8] for info in call("COMMAND INFO bitop lcs")]
    assert [spec[b"begin_search"][b"spec"] for spec in bitop] == [{b"index": 2}, {b"index": 3}]
    assert lcs[0][b"find_keys"] == {b"type": b"range", b"spec": {b"lastkey": 1, b"keystep": 1, b"limit": 0}}
    [msetex] = call("COMMAND INFO msetex")
    assert msetex[8][0][b"find_keys"] == {
        b"type": b"keynum",
        b"spec": {b"keynumidx": 0, b"firstkey": 1, b"keystep": 2},
    }


def test_without_names_every_command_is_answered(call: Any) -> None:
    count = call("COMMAND COUNT")
    everything = call("COMMAND")
    assert len(everything) == len(call("COMMAND INFO")) == len(call("COMMAND DOCS")) == count
    assert [info[0] for info in everything] == [info[0] for info in call("COMMAND INFO")]


def test_docs(call: Any) -> None:
    docs = call("COMMAND DOCS getset nosuch COMMAND|COUNT")
    assert list(docs) == [b"getset", b"command|count"]
    getset = docs[b"getset"]
    assert list(getset) == [
        b"summary",
        b"since",
        b"group",
        b"complexity",
        b"doc_flags",
        b"deprecated_since",
        b"replaced_by",
        b"arguments",
    ]
    assert getset[b"doc_flags"] == [b"deprecated"]
    assert type(getset[b"doc_flags"]) is Members
    assert type(getset[b"doc_flags"][0]) is Status
    assert getset[b"arguments"] == [
        {b"name": b"key", b"type": b"key", b"display_text": b"key", b"key_spec_index": 0},
        {b"name": b"value", b"type": b"string", b"display_text": b"value"},
    ]


def test_docs_of_options(call: Any) -> None:
    docs = call("COMMAND DOCS set")[b"set"]
    assert type(docs[b"history"]) is Members
    assert docs[b"history"][0] == [b"2.6.12", b"Added the `EX`, `PX`, `NX` and `XX` options."]
    [expiration] = [
        one for one in docs[b"arguments"] if any(part.get(b"token") == b"EX" for part in one.get(b"arguments", []))
    ]
    assert expiration[b"type"] == b"oneof"
    assert expiration[b"flags"] == [b"optional"]
    assert expiration[b"arguments"][0] == {
        b"name": b"seconds",
        b"type": b"integer",
        b"display_text": b"seconds",
        b"token": b"EX",
    }


def test_docs_number_the_key_specs(call: Any) -> None:
    def indexes(arguments: list[dict[bytes, Any]]) -> list[int]:
        found = []
        for argument in arguments:
            found += [argument[b"key_spec_index"]] if b"key_spec_index" in argument else []
            found += indexes(argument.get(b"arguments", []))
        return found

    docs = call("COMMAND DOCS lcs bitop mset")
    assert [indexes(docs[name][b"arguments"]) for name in (b"lcs", b"bitop", b"mset")] == [[0, 0], [0, 1], [0]]


def test_docs_of_a_container(call: Any) -> None:
    docs = call("COMMAND DOCS command")[b"command"]
    assert docs[b"subcommands"][b"command|count"][b"summary"] == b"Returns a count of commands."


def test_list(call: Any) -> None:
    names = call("COMMAND LIST")
    assert {b"get", b"command", b"command|count"} <= set(names)
    assert call("COMMAND LIST FILTERBY PATTERN COMMAND|get*") == [b"command|getkeys", b"command|getkeysandflags"]
    assert call("command list filterby pattern GETEX") == [b"getex"]
    assert call("COMMAND LIST FILTERBY MODULE nosuch") == []
    assert call("COMMAND LIST FILTERBY ACLCAT nosuch") == []
    strings = call("COMMAND LIST FILTERBY ACLCAT String")
    assert b"get" in strings
    assert b"del" not in strings


@pytest.mark.parametrize(
    "filtered", ["x", "FILTERBY", "FILTERBY x", "FILTERBY x y", "FILTERBY PATTERN a b", "x PATTERN a"]
)
def test_list_refuses_other_filters(call: Any, filtered: str) -> None:
    assert answer(call, f"COMMAND LIST {filtered}") == "ERR syntax error"


def answer(call: Any, text: str) -> Any:
    reply = call(text)
    return reply.text if isinstance(reply, CommandError) else reply


def test_help(call: Any) -> None:
    lines = call("COMMAND HELP")
    assert lines[:3] == [
        b"COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        b"(no subcommand)",
        b"    Returns detailed information about all commands.",
    ]
    assert b"DOCS [<command-name> [<command-name> ...]]" in lines
    assert lines[-2:] == [b"HELP", b"    Print this help."]
    assert {type(line) for line in lines} == {Status}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nosuch a", "ERR Invalid command specified"),
        ("command nosuch", "ERR Invalid command specified"),
        ("object", "ERR The command has no key arguments"),
        ("command count", "ERR The command has no key arguments"),
        ("multi", "ERR The command has no key arguments"),
        ("get", "ERR Invalid number of arguments specified for command"),
        ("get a b", "ERR Invalid number of arguments specified for command"),
        ("pfmerge a", "ERR Invalid arguments specified for command"),
        ("msetex 3 a 1 b 2", "ERR Invalid arguments specified for command"),
    ],
)
def test_getkeys_tells_why_there_are_none(call: Any, text: str, error: str) -> None:
    assert answer(call, f"COMMAND GETKEYS {text}") == error
    assert answer(call, f"COMMAND GETKEYSANDFLAGS {text}") == error


def test_getkeys(call: Any) -> None:
    assert call("COMMAND GETKEYS mset a 1 b 2") == [b"a", b"b"]
    assert call("COMMAND GETKEYS object encoding a") == [b"a"]


def test_getkeysandflags(call: Any) -> None:
    found = call("COMMAND GETKEYSANDFLAGS rename a b")
    assert found == [[b"a", [b"RW", b"access", b"delete"]], [b"b", [b"OW", b"update"]]]
    assert {type(flags) for _, flags in found} == {Members}


# COMMAND DOCS beside real servers

SERVERS = [path for path in map(shutil.which, ("redis-server", "valkey-server")) if path]

# Commands whose options have grown since those servers: what they have must be among what ours have.
GROWN = {
    "bgsave",
    "bitop",
    "client|kill",
    "client|list",
    "cluster|setslot",
    "expire",
    "expireat",
    "geosearch",
    "geosearchstore",
    "hscan",
    "pexpire",
    "pexpireat",
    "set",
    "xadd",
    "xreadgroup",
    "xtrim",
    "zinter",
    "zinterstore",
    "zrank",
    "zrevrank",
    "zscan",
    "zunion",
    "zunionstore",
}

# What a server documents otherwise than it behaves.
MISTAKEN = {
    "redis-server": {
        "bitcount",  # [start end [BYTE | BIT]], though a start alone was accepted once
        "bitop",  # the operation as a string
        "client|kill",  # SKIPME with a string
        "command|getkeys",  # no arguments at all
        "command|getkeysandflags",
        "debug",  # no arguments at all
        "config|get",  # a block around the repeated parameter
        "geohash",  # at least one member
        "geopos",
        "georadius",  # STORE and STOREDIST side by side
        "georadiusbymember",
        "migrate",  # AUTH and AUTH2 optional once more inside an optional choice
        "module|loadex",  # a block around the repeated argument
        "pfmerge",  # at least one source key
        "psubscribe",  # a block around the repeated pattern
        "shutdown",  # ABORT beside the others
        "xinfo|stream",  # FULL as the token of the count
    },
    "valkey-server": {
        "debug",
        "migrate",  # AUTH2 without a block around user name and password
    },
}


@contextmanager
def running(server: str) -> Iterator[redis.Redis]:
    """A real server on a socket of its own, in a folder whose path is short enough for one."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "socket")
        options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", folder]
        process = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL)
        try:
            while not path.exists() and process.poll() is None:
                time.sleep(0.01)
            with redis.Redis(unix_socket_path=str(path), protocol=3) as client:
                yield client
        finally:
            process.terminate()
            process.wait()


def docs_by_name(docs: dict[Any, Any]) -> dict[str, Any]:
    """COMMAND DOCS with subcommands among the commands, and texts as `str`."""
    plain = as_text(docs)
    for one in list(plain.values()):
        plain.update(one.get("subcommands", {}))
    return plain


def as_text(value: Any) -> Any:
    match value:
        case bytes():
            return value.decode()
        case dict():
            return {as_text(name): as_text(inner) for name, inner in value.items()}
        case list() | set() | frozenset():
            return [as_text(inner) for inner in value]
    return value


def meaning(arguments: list[dict[str, Any]], is_choice: bool = False) -> list[Any]:
    """An argument tree without what does not show.

    The token of a block stands before its first part, and a block that is neither optional, repeated nor one of
    several choices is no more than its parts. Names are left out.
    """
    parts: list[Any] = []
    for argument in arguments:
        flags = sorted(argument.get("flags", []))
        token = argument.get("token", "").upper()
        inner = meaning(argument.get("arguments", []), argument["type"] == "oneof")
        if argument["type"] == "block" and token:
            inner[0] = (token, *inner[0][1:])
            token = ""
        if argument["type"] == "block" and not flags and not is_choice:
            parts += inner
        else:
            parts.append((token, argument["type"], flags, inner))
    return parts


def leaves(parts: list[Any]) -> set[tuple[str, str]]:
    found = set()
    for token, kind, _, inner in parts:
        found |= leaves(inner) if inner else {(token, kind)}
    return found


def test_docs_agree_with_real_servers(call: Any) -> None:
    ours = docs_by_name(call("COMMAND DOCS"))
    wrong = []
    for server in SERVERS:
        with running(server) as client:
            theirs = docs_by_name(client.execute_command("COMMAND DOCS"))
        for name in sorted((ours.keys() & theirs.keys()) - MISTAKEN[Path(server).name]):
            mine, real = (meaning(docs[name].get("arguments", [])) for docs in (ours, theirs))
            agree = leaves(real) <= leaves(mine) if name in GROWN else mine == real
            wrong += [] if agree else [f"{name}\n  ours {mine}\n  {Path(server).name} {real}"]
    if wrong:
        pytest.fail("\n".join(wrong))
