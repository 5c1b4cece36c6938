"""The configuration beside real servers: names, defaults, printed values and errors, directive by directive."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from alcove.engine import events
from alcove.engine.conf_file import BAD_DIRECTIVE, ConfError, load_file, rewritten
from alcove.engine.config import Config
from alcove.engine.config_kinds import IMMUTABLE, Directive, Refused
from alcove.engine.settings import DIRECTIVES, NAMES, Settings
from alcove.errors import CommandError

SERVERS = [name for name in ("redis-server", "valkey-server") if shutil.which(name)]

# What the server below is told at its start, and the directory that it is started in.
TOLD = {"port", "unixsocket", "dir"}

# Directives of the real servers that Alcove has not, and accepts in files only.
LEFT_OUT = {
    "cluster-announce-client-ipv4",
    "cluster-announce-client-ipv6",
    "cluster-blacklist-ttl",
    "dual-channel-replication-enabled",
    "events-per-io-thread",
    "extended-redis-compatibility",
    "io-threads-do-reads",
    "prefetch-batch-max-size",
}
# Directives of Alcove that redis-server 7.0 or valkey-server 8.0 has not: those of newer releases and our own.
NEWER = {
    "redis-server": {
        "aof-load-corrupt-tail-max-size",
        "aof-rewrite-cpulist",
        "availability-zone",
        "bgsave-cpulist",
        "bio-cpulist",
        "cluster-announce-human-nodename",
        "cluster-slot-migration-handoff-max-lag-bytes",
        "cluster-slot-migration-write-pause-timeout",
        "cluster-slot-stats-enabled",
        "commandlog-execution-slower-than",
        "commandlog-large-reply-max-len",
        "commandlog-large-request-max-len",
        "commandlog-reply-larger-than",
        "commandlog-request-larger-than",
        "commandlog-slow-execution-max-len",
        "hide-user-data-from-log",
        "locale-collate",
        "max-new-connections-per-cycle",
        "max-new-tls-connections-per-cycle",
        "primaryauth",
        "primaryuser",
        "rdb-write-version",
        "replica-full-sync-buffer-limit",
        "server-cpulist",
        "set-max-listpack-entries",
        "set-max-listpack-value",
        "unixsocketgroup",
    },
    "valkey-server": {
        "aof-disable-auto-gc",
        "aof-load-corrupt-tail-max-size",
        "cluster-slot-migration-handoff-max-lag-bytes",
        "cluster-slot-migration-write-pause-timeout",
        "commandlog-execution-slower-than",
        "commandlog-large-reply-max-len",
        "commandlog-large-request-max-len",
        "commandlog-reply-larger-than",
        "commandlog-request-larger-than",
        "commandlog-slow-execution-max-len",
        "rdb-write-version",
        "replica-full-sync-buffer-limit",
    },
}
# Defaults that are meant to differ: our own name, and Valkey's where it went another way than Redis.
OTHER_DEFAULTS = {
    "redis-server": {"syslog-ident": ("redis", "alcove")},
    "valkey-server": {
        "syslog-ident": ("valkey", "alcove"),
        "hide-user-data-from-log": ("yes", "no"),
        "lazyfree-lazy-eviction": ("yes", "no"),
        "lazyfree-lazy-expire": ("yes", "no"),
        "lazyfree-lazy-server-del": ("yes", "no"),
        "lazyfree-lazy-user-del": ("yes", "no"),
        "lazyfree-lazy-user-flush": ("yes", "no"),
        "replica-lazy-flush": ("yes", "no"),
        "slave-lazy-flush": ("yes", "no"),
        "repl-backlog-size": ("10485760", "1048576"),
    },
}
# What CONFIG SET of these does to the machine or to our connection is no matter of the configuration alone.
SIDE_EFFECTS = {
    "activedefrag",
    "appendonly",
    "bind",
    "locale-collate",
    "maxclients",
    "oom-score-adj",
    "port",
    "tls-cluster",
    "tls-port",
    "tls-replication",
}
# Where 64 bits wrap around on the real server and stay at their limit here.
WRAPPED = {
    ("maxmemory-clients", value) for value in ("9223372036854775808", "99999999999999999999", "18446744073709551616")
}
# Bounds and words that a newer release changed.
CHANGED = {
    "redis-server": {"loglevel", "maxmemory-policy", "maxmemory-samples", "notify-keyspace-events"},
    "valkey-server": {"cluster-announce-human-nodename", "maxmemory-policy", "notify-keyspace-events"},
}

WORDS = """
yes NO on zzz 0 1 -1 5 007 +5 -0 1_0 0x10 99 101 500 501 64 65 65535 65536 1048575 1048576 2147483647 2147483648
-2147483648 9223372036854775807 9223372036854775808 99999999999999999999 18446744073709551616 5% 100% 101% % -5% 05%
1k 1Kb 1mb 1tb 1.5gb gb 1b 0.1 100 100.1 99.999999999 1e1 nan inf
Everysec always no local clients optional noeviction Allkeys-LRU volatile-ttl NOTICE warning local7 swapdb disabled
hostname ip panic relative allchannels default save nosave now force
KEA Kx$ mn AKEm Q g$lshzxetd {title} {port} {{ { a/b a.b-c a_b caf\u00e9
"""
VALUES = [
    *WORDS.split(),
    "",
    " ",
    " 5",
    "5 ",
    "a b",
    "save now",
    "now SAVE save",
    "save nosave",
    "save  now",
    "900 1",
    "900 1 300 10",
    "900  1",
    "1 2 3",
    "0 0 0",
    "-2000 0 2000",
    "-2001 0 0",
    "1 2 3 4",
    "50 99.9 100",
    "0.123456789 33.3333333333",
    "normal 1 2 3",
    "slave 1mb 2k 3 pubsub 4 5 6",
    "Replica 1 2 3",
    "master 1 2 3",
    "normal 1 2 3 normal 4 5 6",
    "normal 1 2",
    "normal 1 2 ",
    "normal 1 2 -3",
    "normal x 2 3",
    "{title} {listen-addr} {server-mode} {port} {tls-port} {unixsocket} {config-file}",
    "quotes \" and ' and \\",
    "x" * 255,
    "x" * 256,
]


class Server:
    """A real server on a Unix socket, with the configuration as its only business."""

    def __init__(self, program: str, folder: Path, *arguments: str) -> None:
        self.program = program
        socket = str(folder / "s")
        command = [program, *arguments, "--port", "0", "--unixsocket", socket]
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        self.client = redis.Redis(unix_socket_path=socket, encoding_errors="surrogateescape")
        deadline = time.monotonic() + 20
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError((folder / "log").read_text())
            time.sleep(0.005)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def get(self) -> dict[str, str]:
        return dict(self.client.config_get("*"))

    def set(self, *words: str) -> str:
        try:
            return str(self.client.execute_command("CONFIG", "SET", *words).decode())
        except redis.ResponseError as error:
            return str(error)

    def stop(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    server = Server(request.param, tmp_path)
    yield server
    server.stop()


def get(config: Config) -> dict[str, str]:
    return {name.decode(): value.decode("utf-8", "surrogateescape") for name, value in config.matching([b"*"]).items()}


def put(config: Config, *words: str) -> str:
    """CONFIG SET as redis-py shows its reply."""
    given = [word.encode() for word in words]
    try:
        config.set(list(zip(given[::2], given[1::2], strict=True)))
    except CommandError as error:
        return error.text.removeprefix("ERR ")
    return "OK"


def test_names(server: Server) -> None:
    ours, theirs = get(Config()).keys(), server.get().keys()
    assert theirs - ours == LEFT_OUT & theirs
    assert ours - theirs == NEWER[server.program]


def test_defaults(server: Server) -> None:
    ours, theirs = get(Config()), server.get()
    differing = {name: (theirs[name], ours[name]) for name in (ours.keys() & theirs.keys()) - TOLD}
    assert {name: pair for name, pair in differing.items() if pair[0] != pair[1]} == OTHER_DEFAULTS[server.program]


def test_every_directive_takes_refuses_and_prints_the_same(server: Server) -> None:
    config = Config()
    for name, (theirs, _) in OTHER_DEFAULTS[server.program].items():
        directive = NAMES[name.encode()]
        config.put(directive, directive.from_value(theirs.encode(), directive.default))
    config.put(Settings.dir, server.get()["dir"])
    skipped = LEFT_OUT | SIDE_EFFECTS | CHANGED[server.program]
    # Our connection is to survive limits on the memory of clients.
    server.client.execute_command("CLIENT", "NO-EVICT", "ON")
    differences = []
    for name in sorted((get(config).keys() & server.get().keys()) - skipped):
        if NAMES[name.encode()].flags & IMMUTABLE:
            assert put(config, name, "1") == server.set(name, "1")
            continue
        for value in VALUES:
            if (name, value) in WRAPPED:
                continue
            replies = put(config, name, value), server.set(name, value)
            shown = config.matching([name.encode()])[name.encode()].decode(), server.client.config_get(name)[name]
            if replies[0] != replies[1] or shown[0] != shown[1]:
                differences.append((name, value, replies, shown))
    assert differences == []


ACCEPTED = [
    b"save 900 1\nsave 300 10\n",
    b'save 900 1\nsave ""\nsave 60 5',
    b'save 900 1\nsave ""',
    b'client-output-buffer-limit normal 1gb 2mb 3\nclient-output-buffer-limit "replica 0 0 0 pubsub 1 1 1"',
    b'# comment\n\tMaxMemory "1\\x30mb" \r\nhz 9999\nslave-priority 5\nlist-max-ziplist-entries 3\ninclude none*.conf',
    b'shutdown-on-sigint save now\nshutdown-on-sigterm "nosave force"\nlatency-tracking-info-percentiles 0.5 99.99',
    b'latency-tracking-info-percentiles ""\nnotify-keyspace-events AK\nreplicaof no one\nmaxmemory-clients 5%',
    b"dir inner\ninclude inner.conf\noom-score-adj-values -5 0 5\nrequirepass ''\nmasterauth 'a\\'b'",
]
REFUSED = [
    b"foo bar",
    b"# x\n\nmaxmemory 1 2",
    b"maxmemory",
    b"  maxmemory abc \r",
    b'maxmemory "1gb',
    b'maxmemory "1gb"x',
    b"save 900",
    b"SAVE 900 1 # comment",
    b"list-max-ziplist-entries 3 4",
    b"sentinel monitor x",
    b"rename-command get",
    b"user",
    b"a.b",
    b"unixsocketperm 999",
    b"unixsocketperm 1777",
    b"databases 0",
    b"port 70000",
    b"tcp-backlog -1",
    b"io-threads 129",
    b"dir /nosuch",
    b"appendfilename a/b",
    b'appendfilename ""',
    b"appenddirname a/b",
    b'appenddirname ""',
    b"dbfilename a/b",
    b"bind 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8",
    b"replicaof a",
    b"replicaof a 99999",
    b"replicaof a b",
    b"enable-debug-command maybe",
    b"supervised maybe",
    b"syslog-facility maybe",
    b"latency-tracking-info-percentiles a",
    b"client-output-buffer-limit normal 1 2",
    b"shutdown-on-sigint save nosave",
    b'shutdown-on-sigint ""',
    b"notify-keyspace-events K E",
    b'""',
    b'"" 5',
    b"hz 5\ninclude inner/bad.conf",
    b"hz 5\ncluster-enabled yes\nreplicaof a 5",
]
# Reasons that are meant to differ: Alcove has no modules to give a directive to, and keeps Redis's words.
OTHER_REASONS = {
    "Module config specified without value": BAD_DIRECTIVE,
    "Invalid primary port": "Invalid master port",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where both sides read their files, from inside, with something to include."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "inner.conf").write_text("maxmemory 7mb")
    (tmp_path / "inner" / "bad.conf").write_text("\nmaxmemory x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compare(program: str, path: Path, config: Config) -> None:
    """Starts a server with a file and finds in it what the configuration says."""
    server = Server(program, path.parent, str(path))
    try:
        theirs, ours = server.get(), get(config)
    finally:
        server.stop()
    silent = TOLD - {"dir"} | OTHER_DEFAULTS[program].keys()
    names = (ours.keys() & theirs.keys()) - silent
    assert {name: ours[name] for name in names} == {name: theirs[name] for name in names}


@pytest.mark.parametrize("program", SERVERS)
@pytest.mark.parametrize("text", ACCEPTED)
def test_files_mean_the_same(program: str, text: bytes, folder: Path) -> None:
    path = folder / "my.conf"
    path.write_bytes(text)
    config = Config()
    load_file(config, str(path))
    compare(program, path, config)


@pytest.mark.parametrize("program", SERVERS)
def test_errors_in_files_are_the_same(program: str, folder: Path) -> None:
    path = folder / "my.conf"
    for text in REFUSED:
        path.write_bytes(text)
        with pytest.raises(ConfError) as error:
            load_file(Config(), str(path))
        run = subprocess.run(
            [program, str(path), "--port", "0"], capture_output=True, text=True, timeout=20, check=False
        )
        assert run.returncode == 1
        ours = str(error.value).replace(f" of {error.value.file}\n", "\n").split("\n")[1:]
        theirs = run.stderr.strip().split("\n")[1:]
        assert ours == [*theirs[:-1], OTHER_REASONS.get(theirs[-1], theirs[-1])]


@pytest.mark.parametrize("program", SERVERS)
def test_a_real_server_reads_what_we_rewrite(program: str, folder: Path) -> None:
    """Every directive, each with a value that is not its default but for those that the test itself needs."""
    needed: dict[str, Any] = {
        "aclfile": "",
        "client-output-buffer-limit": Settings.client_output_buffer_limit.parse(
            [b"pubsub", b"1", b"2", b"3"], Settings.client_output_buffer_limit.default
        ),
        "cluster-enabled": False,
        "daemonize": False,
        "dbfilename": "other.rdb",
        "dir": str(folder / "inner"),
        "logfile": "/dev/null",
        "maxmemory-clients": -5,
        "notify-keyspace-events": events.ALL | events.KEYSPACE | events.MISS,
        "pidfile": "",
        "replicaof": None,
        "requirepass": b"",
        "supervised": "no",
        "unixsocket": "",
        "unixsocketgroup": "",
        "unixsocketperm": 0o777,
    }
    config = Config()
    for directive in DIRECTIVES.values():
        name = directive.name.decode()
        if name not in NEWER[program] | SIDE_EFFECTS:
            config.put(directive, needed[name] if name in needed else another(directive))
    path = folder / "my.conf"
    path.write_bytes(rewritten(config, b""))
    compare(program, path, config)


def another(directive: Directive[Any]) -> Any:
    """A value that is not the default."""
    for value in VALUES:
        try:
            parsed = directive.from_value(value.encode(), directive.default)
        except Refused:
            continue
        if parsed != directive.default:
            return parsed
    raise AssertionError(directive.name)
