"""The server as an object: start it, in a thread or in this one, ask where it listens, stop it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from alcove.commands.info import stats_section
from alcove.engine.conf_file import load_options
from alcove.engine.config import Config
from alcove.engine.config_kinds import Refused
from alcove.engine.engine import Engine, EngineClosed
from alcove.engine.session import do_nothing
from alcove.engine.settings import Settings
from alcove.errors import SHUTDOWN_FAILED, CommandError
from alcove.persistence.durability import Durability
from alcove.server.listeners import CannotListen, Listener, listen_tcp, listen_unix
from alcove.server.loop import Loop

# What stands for all addresses in `bind`, and how a client on this machine reaches them.
_EVERYWHERE = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::*": "::1", "::": "::1"}

LIMITS = (
    "client-output-buffer-limit client-query-buffer-limit proto-max-bulk-len "
    "commandlog-request-larger-than commandlog-reply-larger-than"
)

log = logging.getLogger(__name__)


class Server:
    """Lets network clients use an engine. One engine can have users in the process and a server at the same time.

    Where it listens is what the engine's configuration says; `port` and `bind` overrule that, and `port=0` chooses a
    port that is free. Used in a `with` statement it runs in a thread of its own:

        with Server(engine, port=0) as server:
            client = redis.Redis(port=server.port)
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        config: Config | None = None,
        port: int | None = None,
        bind: Iterable[str] | None = None,
    ) -> None:
        """Without `engine` it is a new one in memory, with `config`, which ends with the server."""
        self.engine = engine or Engine(config)
        self._owns_engine = engine is None
        self._port = port
        self._bind = bind if bind is None else tuple(bind)
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self._tcp: list[Listener] = []
        self._unix: list[Listener] = []
        self._others_sooner: Callable[[], None] = do_nothing
        self._watching = False

    # Where it is

    @property
    def port(self) -> int:
        """The TCP port that it listens on; 0 for none."""
        return self._tcp[0].port if self._tcp else 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port for a client on this machine."""
        if not self._tcp:
            raise RuntimeError("the server does not listen on TCP")
        host = self._tcp[0].host
        return _EVERYWHERE.get(host, host), self.port

    @property
    def unix_path(self) -> str | None:
        """The path of the Unix socket that it listens on."""
        return self._unix[0].host if self._unix else None

    @property
    def url(self) -> str:
        """What `redis.from_url` takes."""
        if not self._tcp:
            return f"unix://{self.unix_path}"
        host, port = self.address
        return f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}"

    @property
    def running(self) -> bool:
        return self._loop is not None

    # Its life

    def listen(self) -> None:
        """Opens the sockets; clients that connect wait until the server runs. Raises `CannotListen`, an OSError."""
        if self._loop is not None:
            raise RuntimeError("the server is running already")
        config = self.engine.config
        port = config.port if self._port is None else self._port
        if self._bind is not None:
            config.put(Settings.bind, self._bind)
        if port or self._port is not None:
            self._tcp = listen_tcp(config.bind, port, config.tcp_backlog, config.socket_mark_id)
            config.put(Settings.port, self.port)
        try:
            if config.unixsocket:
                self._unix = [
                    listen_unix(config.unixsocket, config.unixsocketperm, config.unixsocketgroup, config.tcp_backlog)
                ]
        except CannotListen:
            for listener in self._tcp:
                listener.close()
            self._tcp = []
            raise
        self._loop = Loop(self.engine)
        self._loop.listen(self._tcp + self._unix)
        self._join_engine()

    def start(self) -> Self:
        """Runs the server in a thread of its own; it listens when this returns."""
        self.listen()
        self._thread = threading.Thread(target=self._run, name="alcove-server", daemon=True)
        self._thread.start()
        return self

    def serve_forever(self) -> None:
        """Runs the server in this thread until `stop` is called, in another or in a signal handler."""
        if self._loop is None:
            self.listen()
        self._run()

    def stop(self) -> None:
        """Ends the server: it sends what it owes, closes all connections and removes the Unix socket."""
        loop = self._loop
        if loop is not None:
            loop.stop()
            if not loop.agenda.thread and self._thread is None:
                self._end(loop)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
            self._thread = None

    def post(self, function: Callable[[Any], None], argument: Any) -> None:
        """Has the running server call `function(argument)` under the engine's lock; from any thread."""
        self._running_loop.agenda.post(function, argument)

    def alarm_fd(self) -> int:
        """A descriptor for `signal.set_wakeup_fd`, which ends the server's rest so that Python runs its handlers."""
        return self._running_loop.alarm_fd()

    @property
    def _running_loop(self) -> Loop:
        if self._loop is None:
            raise RuntimeError("the server is not running")
        return self._loop

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        loop = self._running_loop
        loop.begin()
        try:
            # Here, and not in the compiled loop, Python runs signal handlers.
            while loop.turn():
                pass
        except EngineClosed as why:
            log.info("The server ends: %s", why)
        finally:
            self._end(loop)

    def _end(self, loop: Loop) -> None:
        self._leave_engine()
        loop.finish()
        self._loop = None
        self._tcp = []
        self._unix = []
        if self._owns_engine:
            self.engine.close("the server has been stopped")

    # What the engine and the server know of each other

    def _join_engine(self) -> None:
        engine = self.engine
        self._others_sooner = engine.on_sooner
        engine.on_sooner = self._sooner
        engine.on_shutdown = self._shutdown
        engine.client_bytes = self._running_loop.held_bytes
        engine.info_sections["stats"] = self._statistics
        if not self._watching:
            self._watching = True
            engine.config.watch(LIMITS, self._limits_changed)
            engine.config.watch("port bind", self._place_changed)

    def _leave_engine(self) -> None:
        engine = self.engine
        if engine.on_sooner == self._sooner:
            engine.on_sooner = self._others_sooner
        engine.on_shutdown = None
        engine.client_bytes = int
        del engine.info_sections["stats"]

    def _sooner(self) -> None:
        self._others_sooner()
        if self._loop is not None:
            self._loop.wake()

    def _shutdown(self, save: bool | None, force: bool) -> None:
        """The SHUTDOWN command, under the engine's lock. Whoever keeps the data makes it safe first."""
        log.warning("User requested shutdown...")
        if self.engine.persistence is not None:
            try:
                self.engine.persistence.finish(save)
            except CommandError as error:
                log.warning("Errors trying to shut down the server: %s", error)
                if not force:
                    raise CommandError(SHUTDOWN_FAILED) from None
        if self._loop is not None:
            self._loop.stop()

    def _statistics(self, engine: Engine) -> dict[str, object]:
        loop = self._running_loop
        return {
            **stats_section(engine),
            "total_net_input_bytes": loop.agenda.input_bytes,
            "total_net_output_bytes": loop.agenda.output_bytes,
            "rejected_connections": loop.rejected,
            "evicted_clients": loop.evicted,
        }

    def _limits_changed(self) -> None:
        if self._loop is not None:
            self._loop.settings_changed()

    def _place_changed(self) -> None:
        """CONFIG SET port or bind. When it is refused this is called again, with the old values."""
        if self._loop is None:
            return
        config = self.engine.config
        self._loop.unlisten(self._tcp)
        self._tcp = []
        if config.port:
            try:
                self._tcp = listen_tcp(config.bind, config.port, config.tcp_backlog, config.socket_mark_id)
            except CannotListen as error:
                log.warning("%s", error.strerror)
                raise Refused("Unable to listen on this port. Check server logs.") from error
            self._loop.listen(self._tcp)


def keep_as_configured(engine: Engine) -> None:
    """Has a new engine's data kept on disk if its configuration says so, and loads what is there. Raises `CannotLoad`,
    `FolderInUse`, or OSError.
    """
    durability = Durability(engine)
    config = engine.config
    if config.appendonly or config.save or "dir" in config.stated:
        durability.open_folder()


def serve(
    port: int = 0,
    *,
    engine: Engine | None = None,
    bind: Iterable[str] = ("127.0.0.1", "-::1"),
    **settings: object,
) -> Server:
    """A server that runs in a thread of its own, on this machine's own addresses unless `bind` says otherwise.

    Port 0 chooses one that is free. `engine` is the one to serve, a new one if there is none; `settings` are
    directives of redis.conf for the new one, such as `maxmemory="1gb"`. It keeps its data in memory alone unless they
    say more, such as `dir="data", appendonly="yes"`; in a `dir` that has an append-only file it goes on with that. End
    it by `stop()`, or use it in a `with` statement:

        with alcove.serve() as server:
            client = redis.Redis(port=server.port)
    """
    if engine is not None and settings:
        raise TypeError("an engine has its settings already: " + ", ".join(settings))
    config = Config()
    config.put(Settings.save, ())
    load_options(config, settings)
    server = Server(engine, config=config, port=port, bind=bind)
    if engine is None:
        keep_as_configured(server.engine)
    return server.start()
