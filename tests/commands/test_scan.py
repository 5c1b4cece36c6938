"""The options of SCAN, SSCAN, HSCAN and ZSCAN, which belong to one another; errors are valkey-server's."""

from __future__ import annotations

import pytest

from tests.commands.watched import Watched

COMMANDS = {"SCAN": "SCAN 0", "SSCAN": "SSCAN set 0", "HSCAN": "HSCAN hash 0", "ZSCAN": "ZSCAN zset 0"}
# An option, and what it answers where it belongs; elsewhere it is an error of its own.
OWN = [
    ("HSCAN", "NOVALUES", [b"0", [b"field"]], "ERR NOVALUES option can only be used in HSCAN"),
    ("ZSCAN", "noscores", [b"0", [b"member"]], "ERR NOSCORES option can only be used in ZSCAN"),
    ("SCAN", "TYPE HASH", [b"0", [b"hash"]], "ERR syntax error"),
]


@pytest.fixture
def run() -> Watched:
    watched = Watched()
    watched("SADD set member")
    watched("HSET hash field value")
    watched("ZADD zset 1 member")
    return watched


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("owner", "option", "reply", "error"), OWN)
def test_some_options_are_of_one_command(
    run: Watched, command: str, owner: str, option: str, reply: list[object], error: str
) -> None:
    assert run(f"{COMMANDS[command]} {option}") == (reply if command == owner else error)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("COUNT 0", "ERR syntax error"),
        ("COUNT -1 NOVALUES", "ERR syntax error"),
        ("COUNT x", "ERR value is not an integer or out of range"),
        ("COUNT", "ERR syntax error"),
        ("MATCH", "ERR syntax error"),
        ("MATCH * TYPE", "ERR syntax error"),
        ("FOO", "ERR syntax error"),
    ],
)
def test_bad_options(run: Watched, command: str, options: str, error: str) -> None:
    assert run(f"{COMMANDS[command]} {options}") == error


def test_types_that_there_are_none_of(run: Watched) -> None:
    assert run("SCAN 0 TYPE Foo COUNT 0") == "ERR unknown type name 'Foo'"
    assert run("SCAN 0 COUNT 0 TYPE Foo") == "ERR syntax error"
    assert run("SCAN 0 TYPE hash TYPE List") == [b"0", []]
