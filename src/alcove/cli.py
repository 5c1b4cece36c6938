"""The command line: `alcove serve` runs a server, `alcove cli` sends commands to one and prints its replies.

`alcove check`, `dump` and `load` are carried out by `alcove.tools`, `worker` by `alcove.patterns`.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from alcove.errors import CommandError
from alcove.numeric import format_double, try_int
from alcove.protocol.output import OutputBuffer
from alcove.protocol.reader import ProtocolError
from alcove.protocol.replies import ReplyReader
from alcove.protocol.writer import ReplyWriter
from alcove.quoting import quoted, split_words
from alcove.values import NO_REPLY, BigNumber, Members, NullArray, Pairs, Push, Status, Verbatim
from alcove.version import REDIS_VERSION, VERSION

USAGE: Final = """\
usage: alcove serve [redis.conf] [-] [--directive value ...]
       alcove cli [options] [command [argument ...]]
       alcove check path ... [--fix [--yes]]
       alcove dump [--from place] [-n number] [file]
       alcove load file [--into place] [--replace]
       alcove worker module:name [--until-empty]
       alcove --version | --help

serve runs a server. Files and directives are those of redis-server, such as
  alcove serve --port 7000 --bind 127.0.0.1 --unixsocket /tmp/alcove.sock

cli sends the command in its arguments, or each line of its standard input. Its options are those of redis-cli:
  -h host        where the server is (127.0.0.1)
  -p port        its TCP port (6379)
  -s socket      its Unix socket
  -a password    password, instead of that in REDISCLI_AUTH
  --user name    user that the password is for
  -n number      database
  -3             speak RESP3
  -r count       send the command so many times
  --raw          print replies as they are, as for a file
  --no-raw       print replies for people, as on a terminal
The exit status is 1 when a command failed, 2 when the command line makes no sense.

check says whether files of data are good and what is in them: a snapshot, a manifest, an append-only file, or all that
is in a folder. With --fix it cuts an append-only file where the damage begins, after asking or with --yes, and keeps
beside it what it cuts; and it writes the keys that it can read of a damaged snapshot to a new one beside it, named
*.recovered. The exit status is 0 for good, 1 for damaged, 2 for repaired, 3 when nothing could be checked.

dump writes all keys as lines of JSON, to a file or the standard output (-), and load puts them back. A place is the URL
of a server (redis://127.0.0.1:6379), a folder, or to dump from also a file of data.
  -n number      only the keys of that database
  --replace      replace the keys that are there, instead of leaving them alone
The exit status is 1 when something could not be dumped, or not be loaded as asked.

worker carries out the jobs of queues: `name` in a Python module is a Worker of alcove.patterns, or of
alcove.patterns.asyncio, or a function that makes one. SIGTERM and SIGINT let it end the jobs that it has begun.
  --until-empty  end when there is no job left
"""

# Commands whose replies are text for people on RESP2 too, where nothing else says so.
TEXTS: Final = frozenset(
    [
        (b"info",),
        (b"lolwut",),
        (b"client", b"list"),
        (b"client", b"info"),
        (b"cluster", b"nodes"),
        (b"cluster", b"info"),
        (b"latency", b"doctor"),
        (b"latency", b"graph"),
        (b"memory", b"doctor"),
        (b"memory", b"malloc-stats"),
    ]
)
# Commands that are followed by messages without end.
ENDLESS: Final = frozenset([b"subscribe", b"psubscribe", b"ssubscribe", b"monitor"])

RECEIVE_BYTES: Final = 64 * 1024


class UsageError(Exception):
    """The command line makes no sense; the text says why."""


def main(arguments: list[str] | None = None) -> int:
    """Carries out a command line; answers the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    first = words[0] if words else "--help"
    try:
        if first == "serve":
            return serve(words[1:])
        if first == "cli":
            return cli(words[1:])
        if first == "check":
            return check(words[1:])
        if first in ("dump", "load"):
            return dump(words[1:]) if first == "dump" else load(words[1:])
        if first == "worker":
            return worker(words[1:])
        if first in ("--version", "-v"):
            print(f"alcove {VERSION} (commands of Redis {REDIS_VERSION})")
        elif first in ("--help", "-h", "help"):
            print(USAGE, end="")
        else:
            raise UsageError(f"there is no command '{first}'; try alcove --help")
    except UsageError as error:
        print(f"alcove: {error}", file=sys.stderr)
        return 2
    return 0


def serve(words: list[str]) -> int:
    from alcove.server import process

    if words in (["--help"], ["-h"]):
        print(USAGE, end="")
        return 0
    return process.main(words)


# alcove check, dump and load


def parse_words(
    words: list[str], switches: tuple[str, ...], texts: tuple[str, ...]
) -> tuple[list[str], dict[str, str]]:
    """Paths, and options by name: a switch is there or not, a text has a value. Options stand anywhere."""
    paths: list[str] = []
    options: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in switches:
            options[word] = word
        elif word in texts:
            if not rest:
                raise UsageError(f"{word} needs a value")
            options[word] = rest.pop(0)
        elif word.startswith("-") and word != "-":
            raise UsageError(f"there is no option {word}; try alcove --help")
        else:
            paths.append(word)
    return paths, options


def check(words: list[str]) -> int:
    from alcove.tools import check as tool

    if words == ["--help"]:
        print(USAGE, end="")
        return 0
    try:
        paths, options = parse_words(words, ("--fix", "--yes"), ())
        if not paths:
            raise UsageError("check what? Name a file or a folder")
    except UsageError as error:
        # The status 2 is taken here.
        print(f"alcove: {error}", file=sys.stderr)
        return tool.NOT_CHECKED
    return tool.check(paths, "--fix" in options, "--yes" in options)


def dump(words: list[str]) -> int:
    from alcove.tools import exchange

    if words == ["--help"]:
        print(USAGE, end="")
        return 0
    paths, options = parse_words(words, (), ("--from", "-n"))
    if len(paths) > 1:
        raise UsageError("dump writes one file")
    database = number("-n", options["-n"]) if "-n" in options else None
    return exchange.dump_to(paths[0] if paths else "-", options.get("--from"), database)


def load(words: list[str]) -> int:
    from alcove.tools import exchange

    if words == ["--help"]:
        print(USAGE, end="")
        return 0
    paths, options = parse_words(words, ("--replace",), ("--into",))
    if len(paths) != 1:
        raise UsageError("load reads one file; - is the standard input")
    return exchange.load_from(paths[0], options.get("--into"), "--replace" in options)


def worker(words: list[str]) -> int:
    from alcove.patterns import worker_cli

    if words == ["--help"]:
        print(USAGE, end="")
        return 0
    places, options = parse_words(words, ("--until-empty",), ())
    if len(places) != 1:
        raise UsageError("which worker? Name it as module:name")
    try:
        worker_cli.run(places[0], "--until-empty" in options)
    except worker_cli.NoWorker as error:
        raise UsageError(str(error)) from error
    return 0


# alcove cli


@dataclass
class Options:
    host: str = "127.0.0.1"
    port: int = 6379
    path: str = ""
    user: str = ""
    password: str = field(default_factory=lambda: os.environ.get("REDISCLI_AUTH", ""))
    database: int = 0
    protocol: int = 2
    repeat: int = 1
    raw: bool = field(default_factory=lambda: not sys.stdout.isatty())
    command: list[bytes] = field(default_factory=list)


def parse_options(words: list[str]) -> Options:
    options = Options()
    texts = {"-h": "host", "-s": "path", "-a": "password", "--pass": "password", "--user": "user"}
    numbers = {"-p": "port", "-n": "database", "-r": "repeat"}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in texts or word in numbers:
            if not rest:
                raise UsageError(f"{word} needs a value")
            value = rest.pop(0)
            setattr(options, texts.get(word) or numbers[word], number(word, value) if word in numbers else value)
        elif word in ("-2", "-3"):
            options.protocol = int(word[1])
        elif word in ("--raw", "--no-raw"):
            options.raw = word == "--raw"
        else:
            raise UsageError(f"there is no option {word}; try alcove --help")
    options.command = [os.fsencode(word) for word in rest]
    return options


def number(option: str, text: str) -> int:
    value = try_int(os.fsencode(text))
    if value is None or value < 0:
        raise UsageError(f"{option} needs a number, not '{text}'")
    return value


def cli(words: list[str]) -> int:
    if words == ["--help"]:
        print(USAGE, end="")
        return 0
    options = parse_options(words)
    if not options.command and sys.stdin.isatty():
        raise UsageError("give a command, or commands on the standard input")
    where = options.path or f"{options.host}:{options.port}"
    try:
        with Client(options) as client:
            client.introduce(options)
            failures = [not send(client, command, options) for command in commands(options)]
    except (OSError, EOFError) as error:
        print(f"Could not talk to the server at {where}: {error}", file=sys.stderr)
        return 1
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return int(any(failures))


def commands(options: Options) -> Iterator[list[bytes]]:
    """The command of the arguments, or those of the standard input; an empty one stands for what is none."""
    if options.command:
        for _ in range(options.repeat):
            yield options.command
        return
    for line in sys.stdin.buffer:
        words = split_words(line)
        if words is None:
            yield []
        elif words:
            yield words


def send(client: Client, command: list[bytes], options: Options) -> bool:
    """Sends a command and prints what comes; False if it failed."""
    if not command:
        print("Invalid argument(s)", flush=True)
        return False
    reply = client.call(command)
    show(reply, command, options)
    if command[0].lower() in ENDLESS and not isinstance(reply, CommandError):
        while True:
            show(client.receive(), command, options)
    return not isinstance(reply, CommandError)


def show(reply: Any, command: list[bytes], options: Options) -> None:
    name = tuple(word.lower() for word in command[:2])
    if options.raw or ((name in TEXTS or name[:1] in TEXTS) and isinstance(reply, bytes)):
        text = raw(reply)
        end = b"" if text.endswith(b"\n") and not options.raw else b"\n"
    else:
        text, end = for_people(reply), b""
    sys.stdout.buffer.write(text + end)
    sys.stdout.buffer.flush()


class Client:
    """A connection to a server, for one command at a time."""

    def __init__(self, options: Options) -> None:
        if options.path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.connect(options.path)
        else:
            self._socket = socket.create_connection((options.host, options.port))
        self._reader = ReplyReader()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self._socket.close()

    def introduce(self, options: Options) -> None:
        """Authenticates, and selects protocol and database. Raises the `CommandError` of what was refused."""
        steps = []
        if options.password:
            credentials = [options.user, options.password] if options.user else [options.password]
            steps.append([b"AUTH", *map(os.fsencode, credentials)])
        if options.protocol == 3:
            steps.append([b"HELLO", b"3"])
        if options.database:
            steps.append([b"SELECT", b"%d" % options.database])
        for step in steps:
            reply = self.call(step)
            if isinstance(reply, CommandError):
                raise CommandError(f"{step[0].decode()} failed: {reply}")

    def call(self, command: list[bytes]) -> Any:
        """The reply to a command; messages that come before it are passed over."""
        request = OutputBuffer()
        ReplyWriter(request).write(command)
        self._socket.sendall(request.take(len(request)))
        reply = self.receive()
        while isinstance(reply, Push) and command[0].lower() not in ENDLESS:
            reply = self.receive()
        return reply

    def receive(self) -> Any:
        """The next reply or message. Raises EOFError when the server has closed the connection."""
        try:
            reply = self._reader.next()
            while reply is NO_REPLY:
                data = self._socket.recv(RECEIVE_BYTES)
                if not data:
                    raise EOFError("Server closed the connection")
                self._reader.feed(data)
                reply = self._reader.next()
        except ProtocolError as error:
            raise EOFError(str(error)) from error
        return reply


# What replies look like


def raw(value: Any) -> bytes:
    """A reply for programs: its plain text, elements on lines of their own."""
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, dict | Pairs):
        pairs = value.items() if isinstance(value, dict) else value
        return b"\n".join(raw(key) + b" " + raw(item) for key, item in pairs)
    if isinstance(value, list):
        return b"\n".join(map(raw, value))
    if value is None or isinstance(value, NullArray):
        return b""
    if isinstance(value, CommandError):
        return value.line + b"\n"
    return plain(value)


def plain(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"(true)" if value else b"(false)"
    return format_double(value) if isinstance(value, float) else b"%d" % value


def for_people(value: Any, prefix: bytes = b"") -> bytes:
    """A reply as redis-cli shows it on a terminal, with its type. Lines behind the first begin with `prefix`."""
    if isinstance(value, list | dict):
        return elements_for_people(value, prefix)
    if isinstance(value, CommandError):
        return b"(error) " + value.line + b"\n"
    if value is None or isinstance(value, NullArray):
        return b"(nil)\n"
    if isinstance(value, Status | Verbatim | BigNumber):
        return value + b"\n"
    if isinstance(value, bytes):
        return quoted(value) + b"\n"
    if isinstance(value, bool):
        return plain(value) + b"\n"
    return (b"(double) " if isinstance(value, float) else b"(integer) ") + plain(value) + b"\n"


def elements_for_people(value: Any, prefix: bytes) -> bytes:
    sign, name = b")", b"array"
    if isinstance(value, dict | Pairs):
        sign, name = b"#", b"hash"
    elif isinstance(value, Members):
        sign, name = b"~", b"set"
    elif isinstance(value, Push):
        sign, name = b">", b"push"
    if not value:
        return b"(empty %b)\n" % name
    width = len(str(len(value)))
    inner = prefix + b" " * (width + 2)
    lines = []
    for index, element in enumerate(value.items() if isinstance(value, dict) else value, 1):
        lines.append((prefix if index > 1 else b"") + b"%*d%b " % (width, index, sign))
        if sign == b"#":
            key, element = element
            lines.append(for_people(key, inner)[:-1] + b" => ")
        text = for_people(element, inner)
        if sign == b"#" and isinstance(element, list | dict) and text.count(b"\n") > 1:
            # Several lines begin on one of their own.
            lines.append(b"\n" + inner)
        lines.append(text)
    return b"".join(lines)
