"""What string commands cause besides their reply: what is recorded, and the events."""

from __future__ import annotations

import pytest

from tests.commands.watched import Watched


@pytest.mark.parametrize(
    ("command", "recorded"),
    [
        ("SET k w", ["SET k w"]),
        ("SET k w KEEPTTL", ["SET k w KEEPTTL"]),
        ("SET k w GET", ["SET k w"]),
        ("SET k w IFEQ v", ["SET k w"]),
        ("SET k w IFEQ x", []),
        ("SET k w NX", []),
        ("SET k w KEEPTTL KEEPTTL", ["SET k w KEEPTTL"]),
        ("SET k w EX 10", ["SET k w PXAT 1700000010000"]),
        ("SET k w EX x EX 10", ["SET k w PXAT 1700000010000"]),
        ("SET k w EX 10 PX 10", []),
        ("SETEX k 10 w", ["SET k w PXAT 1700000010000"]),
        ("GETEX k PX 500", ["PEXPIREAT k 1700000000500"]),
        ("GETEX k PERSIST", ["PERSIST k"]),
        ("GETEX k EXAT 1", ["DEL k"]),
        ("GETEX k", []),
        ("GETDEL k", ["DEL k"]),
        ("GETSET k w", ["SET k w"]),
        ("MSETEX 2 k w l x KEEPTTL", ["SET k w KEEPTTL", "SET l x KEEPTTL"]),
        ("MSETEX 1 k w NX", []),
        ("APPEND k x", ["APPEND k x"]),
        ("INCRBYFLOAT n 0.5", ["SET n 0.5 KEEPTTL"]),
        ("DELEX k IFEQ v", ["DEL k"]),
        ("DELIFEQ k v", ["DEL k"]),
        ("DELIFEQ k x", []),
        ("EXPIRE k 10", ["PEXPIREAT k 1700000010000"]),
        ("EXPIRE k -1", ["DEL k"]),
        ("PEXPIRE k 10 GT", []),
    ],
)
def test_what_is_recorded(command: str, recorded: list[str]) -> None:
    run = Watched()
    run("SET k v EX 1000")
    run(command)
    assert [b" ".join(argv).decode() for argv in run.recorded] == recorded


def test_what_keeps_its_deadline() -> None:
    run = Watched()
    run("SET k 1 EX 1000")
    for command in ("INCR k", "APPEND k 2", "SETRANGE k 0 3", "SET k 5 KEEPTTL", "INCRBYFLOAT k 1"):
        run(command)
        assert run("TTL k") == 1000, command
    run("SET k 1")
    assert run("TTL k") == -1
