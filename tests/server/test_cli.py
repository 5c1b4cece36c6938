"""`alcove cli`: what it sends, what replies look like, beside redis-cli where that is installed."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from alcove import cli
from alcove.errors import CommandError
from alcove.server.server import Server
from alcove.values import NULL_ARRAY, OK, BigNumber, Members, Pairs, Push, Verbatim
from alcove.version import VERSION

Run = Callable[..., tuple[int, str, str]]
Start = Callable[..., Server]


@pytest.fixture
def run(server: Server, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `alcove cli` against the server: exit status, output, errors."""
    monkeypatch.delenv("REDISCLI_AUTH", raising=False)

    def run(*words: str, sent: bytes | None = None, port: int = server.port) -> tuple[int, str, str]:
        if sent is not None:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(sent), isatty=lambda: False))
        status = cli.main(["cli", "-p", str(port), *words])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return run


# Replies


@pytest.mark.parametrize(
    ("value", "people", "raw"),
    [
        (OK, "OK\n", "OK"),
        (b'a"\n\x00\xff', '"a\\"\\n\\x00\\xff"\n', None),
        (-3, "(integer) -3\n", "-3"),
        (1.5, "(double) 1.5\n", "1.5"),
        (True, "(true)\n", "(true)"),
        (False, "(false)\n", "(false)"),
        (None, "(nil)\n", ""),
        (NULL_ARRAY, "(nil)\n", ""),
        (BigNumber(b"12"), "12\n", "12"),
        (Verbatim(b"text\nof lines"), "text\nof lines\n", "text\nof lines"),
        (CommandError("ERR no"), "(error) ERR no\n", "ERR no\n"),
        ([], "(empty array)\n", ""),
        ({}, "(empty hash)\n", ""),
        (Members(), "(empty set)\n", ""),
        (Push(), "(empty push)\n", ""),
        ([1, [b"a", None]], '1) (integer) 1\n2) 1) "a"\n   2) (nil)\n', "1\na\n"),
        ([0] * 10, "".join(f"{n:2}) (integer) 0\n" for n in range(1, 11)), "\n".join("0" * 10)),
        ({b"k": [1, 2]}, '1# "k" => \n   1) (integer) 1\n   2) (integer) 2\n', "k 1\n2"),
        (Pairs([([1], 2)]), "1# 1) (integer) 1 => (integer) 2\n", "1 2"),
        ({b"k": {1: []}}, '1# "k" => 1# (integer) 1 => (empty array)\n', "k 1 "),
        ({b"k": Members([1])}, '1# "k" => 1~ (integer) 1\n', "k 1"),
        (Members([1]), "1~ (integer) 1\n", "1"),
        (Push([b"message"]), '1> "message"\n', "message"),
    ],
)
def test_replies_for_people_and_programs(value: object, people: str, raw: str | None) -> None:
    assert cli.for_people(value).decode() == people
    if raw is not None:
        assert cli.raw(value).decode() == raw


COMMANDS = [
    *(["debug", "protocol", kind] for kind in ("string", "integer", "double", "null", "array", "set", "map")),
    *(["debug", "protocol", kind] for kind in ("true", "false", "verbatim")),
    ["set", "key", "value"],
    ["set", "key"],
    ["config", "get", "maxm*"],
    ["command", "docs", "get", "set"],
    ["command", "docs", "ping"],
    ["command", "info", "get", "nosuch"],
    ["echo", 'a"\n\té'],
    ["client", "help"],
    ["type", "key"],
]


@pytest.mark.parametrize("options", [["--raw"], ["--no-raw"], ["-3", "--raw"], ["-3", "--no-raw"]], ids=" ".join)
def test_it_prints_what_redis_cli_prints(start: Start, run: Run, options: list[str]) -> None:
    theirs = shutil.which("redis-cli")
    if theirs is None:
        pytest.skip("redis-cli is not installed")
    port = start(enable_debug_command="yes").port
    for command in COMMANDS:
        wanted = subprocess.run([theirs, "-p", str(port), *options, *command], capture_output=True, check=True).stdout
        status, out, _ = run(*options, *command, port=port)
        assert out == wanted.decode(), command
        assert status == (command == ["set", "key"])


# What it does


def test_a_command_may_be_repeated(run: Run) -> None:
    assert run("-r", "3", "--no-raw", "incr", "n") == (0, "(integer) 1\n(integer) 2\n(integer) 3\n", "")


def test_commands_come_from_standard_input(run: Run) -> None:
    lines = b'set key "a b"\n\nget key\nget "key\nincr key\n'
    out = "OK\na b\nInvalid argument(s)\nERR value is not an integer or out of range\n\n"
    assert run("--raw", sent=lines) == (1, out, "")
    assert run("-n", "1", "--raw", sent=b"get key\n") == (0, "\n", "")


def test_text_is_printed_as_it_is_on_a_terminal(run: Run) -> None:
    for options in ([], ["-3"]):
        status, out, _ = run(*options, "--no-raw", "info", "server")
        assert status == 0
        assert out.startswith("# Server\r\nredis_version:")
        assert not out.endswith("\n\n")


def test_authentication_and_database(start: Start, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    port = start(requirepass="secret").port
    assert run("get", "key", port=port) == (1, "NOAUTH Authentication required.\n\n", "")
    assert run("-a", "wrong", "ping", port=port)[::2] == (
        1,
        "AUTH failed: WRONGPASS invalid username-password pair or user is disabled.\n",
    )
    assert run("-a", "secret", "-3", "-n", "2", "set", "key", "value", port=port) == (0, "OK\n", "")
    assert run("--user", "default", "--pass", "secret", "ping", port=port) == (0, "PONG\n", "")
    monkeypatch.setenv("REDISCLI_AUTH", "secret")
    assert run("-n", "2", "get", "key", port=port) == (0, "value\n", "")
    assert run("-n", "99", "ping", port=port) == (1, "", "SELECT failed: ERR DB index is out of range\n")


def test_a_unix_socket(start: Start, run: Run, tmp_path: object) -> None:
    path = start(unixsocket=f"{tmp_path}/s").unix_path
    assert path is not None
    assert run("-s", path, "ping") == (0, "PONG\n", "")


def test_nobody_is_there(run: Run) -> None:
    status, out, err = run("-s", "/nowhere", "ping")
    assert (status, out) == (1, "")
    assert err.startswith("Could not talk to the server at /nowhere: ")


def test_the_server_closes_the_connection(run: Run) -> None:
    status, _, err = run(sent=b"quit\nping\n")
    assert status == 1
    assert "Could not talk to the server" in err


def test_messages_without_end_end_with_the_connection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "ENDLESS", frozenset([b"quit"]))
    assert run("--raw", "quit")[:2] == (1, "OK\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["cli", "--nosuch"], "there is no option --nosuch"),
        (["cli", "-p"], "-p needs a value"),
        (["cli", "-p", "1_0"], "-p needs a number, not '1_0'"),
        (["sing"], "there is no command 'sing'"),
    ],
)
def test_a_command_line_that_makes_no_sense(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    assert why in capsys.readouterr().err


def test_a_terminal_is_no_list_of_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert cli.main(["cli"]) == 2
    assert "give a command" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], [], ["cli", "--help"], ["serve", "--help"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    assert capsys.readouterr().out == cli.USAGE


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"alcove {VERSION} ")
