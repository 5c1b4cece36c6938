"""`alcove serve`: the server as a process of its own, with redis-server's command line, signals and log."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable
from types import FrameType
from typing import Final

from alcove.commands import load as load_commands
from alcove.engine import table
from alcove.engine.conf_file import ConfError, load_arguments
from alcove.engine.config import Config
from alcove.engine.config_kinds import Refused
from alcove.engine.declaration import REGISTRY, Registry
from alcove.engine.engine import Engine
from alcove.engine.settings import Settings
from alcove.errors import CommandError
from alcove.persistence.durability import Durability
from alcove.persistence.folder_lock import FolderInUse
from alcove.persistence.loading import CannotLoad
from alcove.server import logs
from alcove.server.listeners import CannotListen
from alcove.server.server import Server
from alcove.version import REDIS_VERSION, VERSION

# Descriptors for everything that is no client.
RESERVED_FILES: Final = 32

# Parameters of glibc's mallopt: how much free memory is kept, and what is too large to come from it.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
KEPT_FREE_BYTES: Final = 64 * 1024 * 1024
LARGEST_HEAP_BLOCK_BYTES: Final = 8 * 1024 * 1024

BANNER: Final = """
  Alcove {version} ({build}), with the commands of Redis {redis}, process {pid}

    redis-cli     {cli}
    redis-py      redis.from_url("{url}")
"""

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Runs a server until it is told to end: `[FILE] [--directive value ...]`. Answers the exit status."""
    config = Config()
    load_commands()
    registry = REGISTRY.copy()
    try:
        load_arguments(config, arguments, {b"rename-command": lambda words: rename(registry, words)})
    except ConfError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    if config.daemonize:
        go_to_background()
    logs.set_up(config.loglevel, os.path.join(config.dir, config.logfile) if config.logfile else "")
    say_hello(config, arguments)
    allow_open_files(config)
    keep_freed_memory()
    engine = Engine(config, registry=registry)
    durability = Durability(engine)
    server = Server(engine, port=None if config.port or config.unixsocket else 0)
    try:
        durability.data.take()
        server.listen()
    except CannotLoad as error:
        return fail(str(error))
    except OSError as error:
        return fail(told(error))
    try:
        return run(server, durability)
    finally:
        engine.close("the server has been stopped")


def run(server: Server, durability: Durability) -> int:
    """Loads the data and serves until the end, with what surrounds a server that is a process."""
    config = server.engine.config
    failures: list[str] = []

    def cannot_load(why: str) -> None:
        fail(why)
        failures.append(why)
        server.stop()

    durability.begin_loading(cannot_load)
    config.watch("loglevel", lambda: logs.set_level(config.loglevel))
    config.watch("maxclients", lambda: raise_open_files(config))
    if config.pidfile:
        with open(config.pidfile, "w") as file:
            file.write(f"{os.getpid()}\n")
    try:
        with Signals(server):
            say_ready(server)
            server.serve_forever()
    finally:
        if config.pidfile:
            log.info("Removing the pid file.")
            os.unlink(config.pidfile)
    log.warning("Alcove is now ready to exit, bye bye...")
    return 1 if failures else 0


def fail(why: str) -> int:
    """Says why there can be no server: the exit status."""
    log.warning("%s", why)
    print(f"alcove: {why}", file=sys.stderr)
    return 1


def told(error: OSError) -> str:
    """What an error of the system is about; those of ours say it themselves."""
    if isinstance(error, CannotListen | FolderInUse) or not error.filename:
        return error.strerror or str(error)
    return f"{error.filename}: {error.strerror}"


def rename(registry: Registry, words: list[bytes]) -> None:
    """`rename-command`: another name for a command, or an empty one to take it away."""
    old, new = words[0].lower(), words[1].lower()
    command = registry.table.get(old)
    if command is None:
        raise Refused("No such command in rename-command")
    if new in registry.table:
        raise Refused("Target command name already exists")
    for name in (old, old.upper()):
        del registry.table[name]
    if new:
        registry.table[new] = registry.table[new.upper()] = command
    else:
        registry.commands.remove(command)


# What it says


def build_name() -> str:
    return "pure" if table.__file__.endswith(".py") else "compiled"


def say_hello(config: Config, arguments: list[str]) -> None:
    log.warning(
        "Alcove version=%s, redis=%s, bits=64, build=%s, pid=%d, just started",
        VERSION,
        REDIS_VERSION,
        build_name(),
        os.getpid(),
    )
    if arguments:
        log.warning("Configuration loaded")
    else:
        log.warning(
            "Warning: no config file specified, using the default config. "
            "In order to specify a config file use alcove serve /path/to/redis.conf"
        )


def say_ready(server: Server) -> None:
    config = server.engine.config
    log.info("Running mode=standalone, port=%d.", server.port)
    log.warning("Server initialized")
    if server.port:
        log.info("Ready to accept connections tcp")
    if server.unix_path:
        log.info("The server is now ready to accept connections at %s", server.unix_path)
    if not config.logfile and (config.always_show_logo or sys.stdout.isatty()):
        cli = f"redis-cli -p {server.port}" if server.port else f"redis-cli -s {server.unix_path}"
        banner = BANNER.format(
            version=VERSION, build=build_name(), redis=REDIS_VERSION, pid=os.getpid(), cli=cli, url=server.url
        )
        print(banner, flush=True)
    tell_supervisor(config)


def tell_supervisor(config: Config) -> None:
    """systemd's protocol: a datagram to the socket that it names."""
    path = os.environ.get("NOTIFY_SOCKET")
    if config.supervised not in ("systemd", "auto") or not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        # An @ stands for the NUL of the abstract namespace.
        supervisor.connect("\0" + path[1:] if path.startswith("@") else path)
        supervisor.send(b"STATUS=Ready to accept connections\nREADY=1\n")


# What it needs


def go_to_background() -> None:
    """The process ends and a child without terminal goes on."""
    if os.fork():
        os._exit(0)
    os.setsid()
    with open(os.devnull, "r+b") as nothing:
        for fd in (0, 1, 2):
            os.dup2(nothing.fileno(), fd)


def allow_open_files(config: Config) -> None:
    """Raises the limit of open files as `maxclients` needs, or else lowers `maxclients`."""
    wanted = config.maxclients
    possible = open_files(wanted + RESERVED_FILES) - RESERVED_FILES
    if possible >= wanted:
        return
    if possible <= 0:
        raise SystemExit(
            f"alcove: your current 'ulimit -n' of {possible + RESERVED_FILES} is not enough for the server to start"
        )
    config.put(Settings.maxclients, possible)
    log.warning(
        "You requested maxclients of %d requiring at least %d max file descriptors.", wanted, wanted + RESERVED_FILES
    )
    log.warning(
        "Current maximum open files is %d. maxclients has been reduced to %d to compensate for low ulimit. "
        "If you need higher maxclients increase 'ulimit -n'.",
        possible + RESERVED_FILES,
        possible,
    )


def raise_open_files(config: Config) -> None:
    """CONFIG SET maxclients."""
    possible = open_files(config.maxclients + RESERVED_FILES) - RESERVED_FILES
    if possible < config.maxclients:
        raise Refused(
            f"The operating system is not able to handle the specified number of clients, try with {possible}"
        )


def open_files(wanted: int) -> int:
    """How many files the process may open, after an attempt to make it as many as `wanted`."""
    if os.name != "posix":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    highest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    for limits in ((wanted, max(wanted, hard)), (highest, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        except (OSError, ValueError) as error:
            log.debug("Cannot set maximum open files to %d: %s", limits[0], error)
        else:
            return limits[0]
    return soft


def keep_freed_memory() -> bool:
    """Has glibc's allocator keep what was freed for the next large value, instead of giving it back each time.

    Replies and values above 100 KB otherwise come from fresh pages, which costs three times as much processor time
    as all the rest of GET or SET. False where the allocator is another.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES) and mallopt(M_MMAP_THRESHOLD, LARGEST_HEAP_BLOCK_BYTES))


# Its end


class Signals:
    """SIGTERM and SIGINT end the server cleanly, a second one at once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._asked = False

    def __enter__(self) -> None:
        # The loop's rest ends with a signal, so that Python comes to run the handler.
        signal.set_wakeup_fd(self._server.alarm_fd(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._received)
        if hasattr(signal, "SIGHUP"):
            # The terminal it was started from may go.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def __exit__(self, *raised: object) -> None:
        signal.set_wakeup_fd(-1)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            log.warning("You insist... exiting now.")
            os._exit(1)
        self._asked = True
        config = self._server.engine.config
        name, options = "SIGTERM", config.shutdown_on_sigterm
        if number == signal.SIGINT:
            name, options = "SIGINT", config.shutdown_on_sigint
        log.warning("Received %s scheduling shutdown...", name)
        self._server.post(self._shutdown, options)

    def _shutdown(self, options: Iterable[str]) -> None:
        """As the SHUTDOWN command; refused when the data cannot be saved."""
        on_shutdown = self._server.engine.on_shutdown
        assert on_shutdown is not None
        try:
            on_shutdown("save" in options if {"save", "nosave"} & {*options} else None, "force" in options)
        except CommandError as error:
            log.warning("%s", error)
            self._asked = False
