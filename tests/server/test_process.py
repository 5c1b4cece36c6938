"""`python -m alcove serve` as a process: its command line, its log, its signals, and the real servers' tools on it."""

from __future__ import annotations

import logging
import os
import platform
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alcove.engine.conf_file import ConfError, load_arguments
from alcove.engine.config import Config
from alcove.engine.config_kinds import Refused
from alcove.engine.declaration import REGISTRY
from alcove.server import logs, process
from alcove.values import OK, PONG
from tests.server.wire import Client
from tests.waiting import PATIENCE_S, eventually

SOURCE = Path(process.__file__).parents[2]


class Process:
    """A server's process, its log in a file."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "alcove", "serve", *arguments],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(SOURCE)},
            )

    def wait(self) -> int:
        return self.popen.wait(PATIENCE_S)

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    @property
    def port(self) -> int:
        """The port it has found for itself, once it accepts connections."""
        eventually(lambda: self.says("eady to accept connections") or self.popen.poll() is not None)
        found = re.search(r"port=(\d+)\.", self.log.read_text())
        assert found, self.log.read_text()
        return int(found[1])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts `alcove serve` with arguments; port 0 is one that is free."""
    started: list[Process] = []

    def run(*arguments: str) -> Process:
        started.append(Process(tmp_path, list(arguments)))
        return started[-1]

    yield run
    for one in started:
        one.popen.kill()
        one.popen.wait()


@pytest.fixture
def tool() -> Callable[..., str]:
    """Runs a tool of the real servers, where it is installed."""

    def call(name: str, *arguments: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(run: Callable[..., Process], tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "s"
    server = run("--port", "0", "--unixsocket", str(path), "--pidfile", str(tmp_path / "pid"))
    eventually(lambda: server.says("The server is now ready to accept connections at"))
    assert (tmp_path / "pid").read_text() == f"{server.popen.pid}\n"
    with Client(str(path)) as client:
        server.popen.send_signal(signal.SIGHUP)
        assert client.call("PING") == PONG
        server.popen.send_signal(number)
        assert client.is_closed()
    assert server.wait() == 0
    assert not path.exists()
    assert not (tmp_path / "pid").exists()
    for line in (f"# Received {number.name} scheduling shutdown...", "# User requested shutdown...", "bye bye..."):
        assert server.says(line)


def test_a_second_signal_ends_it_at_once(run: Callable[..., Process]) -> None:
    server = run("--port", "0", "--enable-debug-command", "yes")
    with Client(server.port) as client:
        client.socket.sendall(b"MULTI\r\nDEBUG LOG asleep\r\nDEBUG SLEEP 1000\r\nEXEC\r\n")
        eventually(lambda: server.says("asleep"))
        server.popen.send_signal(signal.SIGTERM)
        eventually(lambda: server.says("Received SIGTERM"))
        server.popen.send_signal(signal.SIGTERM)
        assert server.wait() == 1
    assert server.says("You insist... exiting now.")


def test_the_shutdown_command_ends_it(run: Callable[..., Process]) -> None:
    server = run("--port", "0")
    with Client(server.port) as client:
        client.send("SHUTDOWN")
        assert client.is_closed()
    assert server.wait() == 0


def test_lines_of_the_log_are_those_of_the_real_server(run: Callable[..., Process]) -> None:
    server = run("--port", "0", "--loglevel", "verbose")
    with Client(server.port) as client:
        assert client.call("CONFIG", "SET", "loglevel", "warning") == OK
        server.popen.terminate()
    assert server.wait() == 0
    lines = server.log.read_text().splitlines()
    shape = re.compile(r"\d+:M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.\-*#] .+")
    assert all(shape.fullmatch(line) for line in lines), lines
    assert any(" - Accepted 127.0.0.1:" in line for line in lines)
    assert lines[-1].endswith("# Alcove is now ready to exit, bye bye...")
    assert not any(" - Client closed" in line for line in lines)


def test_a_log_file_in_its_directory(run: Callable[..., Process], tmp_path: Path) -> None:
    server = run("--port", "0", "--logfile", "alcove.log")
    eventually(lambda: (tmp_path / "alcove.log").exists() and "accept" in (tmp_path / "alcove.log").read_text())
    server.popen.terminate()
    assert server.wait() == 0
    assert server.log.read_text() == ""


def test_a_configuration_file_and_renamed_commands(run: Callable[..., Process], tmp_path: Path) -> None:
    conf = tmp_path / "redis.conf"
    conf.write_text("port 0\nmaxmemory 1mb\nrename-command FLUSHALL wipe\n")
    with Client(run(str(conf), "--maxclients", "50").port) as client:
        assert client.call("CONFIG", "GET", "maxclients") == [b"maxclients", b"50"]
        assert client.call("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"1048576"]
        assert client.error("FLUSHALL").startswith("ERR unknown command 'FLUSHALL'")
        assert client.call("WIPE") == OK


def test_a_port_in_use(run: Callable[..., Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = run("--port", str(port), "--bind", "127.0.0.1")
        assert server.wait() == 1
        assert server.says(f"127.0.0.1:{port}: Address already in use")


def test_a_bad_directive(run: Callable[..., Process]) -> None:
    server = run("--port", "seven")
    assert server.wait() == 1
    assert server.says("*** FATAL CONFIG FILE ERROR")
    assert server.says(">>> 'port \"seven\"'")


def test_a_banner_says_how_to_connect(run: Callable[..., Process]) -> None:
    server = run("--port", "0", "--always-show-logo", "yes")
    port = server.port
    eventually(lambda: server.says(f"redis-cli -p {port}"))
    assert server.says(f'redis.from_url("redis://127.0.0.1:{port}")')


def test_a_supervisor_is_told(run: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        run("--port", "0", "--supervised", "systemd")
        assert supervisor.recv(100) == b"STATUS=Ready to accept connections\nREADY=1\n"


def test_in_the_background(run: Callable[..., Process], tmp_path: Path) -> None:
    path, pidfile = tmp_path / "s", tmp_path / "pid"
    server = run(
        *["--port", "0", "--unixsocket", str(path), "--daemonize", "yes", "--pidfile", str(pidfile)],
        *["--logfile", str(tmp_path / "alcove.log")],
    )
    assert server.wait() == 0
    eventually(lambda: path.exists() and pidfile.exists() and pidfile.read_text())
    pid = int(pidfile.read_text())
    assert pid != server.popen.pid
    with Client(str(path)) as client:
        assert f"process_id:{pid}".encode() in client.call("INFO", "server")
        client.send("SHUTDOWN")
        assert client.is_closed()
    eventually(lambda: not pidfile.exists())


# Its parts


def test_commands_are_renamed() -> None:
    registry = REGISTRY.copy()
    process.rename(registry, [b"flushall", b"Wipe"])
    process.rename(registry, [b"KEYS", b""])
    assert registry.find(b"WIPE") is registry.find(b"wipe") is registry.lookup(b"wIPE") is not None
    assert registry.find(b"FLUSHALL") is registry.find(b"keys") is None
    assert all(command.name != "keys" for command in registry)
    with pytest.raises(Refused, match="No such command"):
        process.rename(registry, [b"flushall", b"x"])
    with pytest.raises(Refused, match="already exists"):
        process.rename(registry, [b"get", b"SET"])


def test_a_renamed_command_in_a_file_that_makes_no_sense(tmp_path: Path) -> None:
    conf = tmp_path / "redis.conf"
    conf.write_text("rename-command NOSUCH x\n")
    registry = REGISTRY.copy()
    with pytest.raises(ConfError, match="No such command in rename-command"):
        load_arguments(Config(), [str(conf)], {b"rename-command": lambda words: process.rename(registry, words)})


class Limits:
    """The system's limits of open files, soft and hard; the hard one stays."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)

    def getrlimit(self, kind: int) -> tuple[int, int]:
        return self.now

    def setrlimit(self, kind: int, limits: tuple[int, int]) -> None:
        if limits[1] > self.now[1]:
            raise ValueError("not allowed to raise maximum limit")
        self.now = limits


@pytest.mark.parametrize(
    ("soft", "hard", "maxclients", "then"),
    [(1024, 20000, 10000, 10032), (20000, 20000, 10000, 20000), (1024, 4096, 4064, 4096), (100, 100, 68, 100)],
)
def test_open_files_and_maxclients(
    soft: int, hard: int, maxclients: int, then: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", limits.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", limits.setrlimit)
    config = Config()
    process.allow_open_files(config)
    assert (config.maxclients, limits.now[0]) == (maxclients, then)
    assert ("maxclients has been reduced" in caplog.text) == (maxclients < 10000)
    config.put(Config.maxclients, hard)
    with pytest.raises(Refused, match=f"try with {hard - 32}"):
        process.raise_open_files(config)


def test_too_few_open_files_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(30, 30)
    monkeypatch.setattr(resource, "getrlimit", limits.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", limits.setrlimit)
    with pytest.raises(SystemExit, match="'ulimit -n' of 30 is not enough"):
        process.allow_open_files(Config())


def test_the_allocator_is_told_to_keep_memory() -> None:
    assert process.keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_what_clients_say_stays_on_one_line_of_the_log() -> None:
    record = logging.LogRecord("alcove", logging.INFO, "", 0, "name=%s", ("a\r\n1:M\udcff\u20ac",), None)
    assert logs.ServerFormatter().format(record).endswith(" * name=a\\r\\n1:M\\udcff\u20ac")


@pytest.mark.parametrize(
    ("level", "sign"), [("debug", "."), ("verbose", "-"), ("notice", "*"), ("warning", "#"), ("nothing", "#")]
)
def test_signs_of_levels(level: str, sign: str) -> None:
    assert logs.sign(logs.LEVELS[level]) == sign


# Tools of the real servers


def test_redis_cli(run: Callable[..., Process], tool: Callable[..., str]) -> None:
    port = str(run("--port", "0").port)
    assert tool("redis-cli", "-p", port, "set", "key", "value") == "OK\n"
    assert tool("redis-cli", "-p", port, "-3", "get", "key") == "value\n"
    assert tool("redis-cli", "-p", port, "--no-raw", "incr", "n") == "(integer) 1\n"


def test_redis_benchmark(run: Callable[..., Process], tool: Callable[..., str]) -> None:
    port = str(run("--port", "0").port)
    said = tool("redis-benchmark", "-p", port, "-t", "ping,set,get,incr,mset", "-P", "16", "-n", "20000", "-q")
    assert [line.split(":")[0].strip() for line in said.replace("\r", "\n").splitlines() if "per second" in line] == [
        "PING_INLINE",
        "PING_MBULK",
        "SET",
        "GET",
        "INCR",
        "MSET (10 keys)",
    ]
    with Client(int(port)) as client:
        assert b"unexpected_error_replies:0\r\ntotal_error_replies:0\r\n" in client.call("INFO", "stats")
