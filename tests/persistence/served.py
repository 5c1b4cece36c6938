"""`alcove serve` on a folder, as a process of its own, with redis-py connected to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError
from redis.retry import Retry

import alcove
from tests.waiting import PATIENCE_S, eventually

SOURCE = Path(alcove.__file__).parents[1]


class Served:
    """One server. Its socket and its log are beside the data's folder, under a name of theirs."""

    def __init__(self, data: Path, *arguments: str, name: str = "") -> None:
        data.mkdir(exist_ok=True)
        self.data = data
        self.socket = data.parent / f"{name or data.name}.socket"
        self.socket.unlink(missing_ok=True)
        self._log = data.parent / f"{name or data.name}.log"
        words = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(data), *arguments]
        with self._log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "alcove", "serve", *words],
                cwd=data.parent,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(SOURCE)},
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def connect(self) -> Any:
        """A client, once there is somebody to connect to; the data may still be loaded."""
        eventually(lambda: self.socket.exists() or self.popen.poll() is not None)
        client = redis.Redis(
            unix_socket_path=str(self.socket),
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=PATIENCE_S,
        )
        eventually(lambda: self._answers(client))
        return client

    def _answers(self, client: Any) -> bool:
        try:
            client.execute_command("LASTSAVE")
        except redis.ConnectionError:
            assert self.popen.poll() is None, self.log
            return False
        return True

    def client(self) -> Any:
        """A client, once the data is loaded."""
        client = self.connect()
        eventually(lambda: not info(client, "loading"))
        return client

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self.popen.wait(PATIENCE_S)

    def terminate(self) -> None:
        """Ends it as a supervisor does."""
        self.popen.send_signal(signal.SIGTERM)
        assert self.wait() == 0, self.log

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def files(self) -> list[str]:
        """The names in the data's folder and in that of the append-only file."""
        inner = self.data / "appendonlydir"
        names = [f"{inner.name}/{path.name}" for path in inner.iterdir()] if inner.exists() else []
        return sorted(names + [path.name for path in self.data.iterdir() if path.is_file()])


def info(client: Any, field: str) -> Any:
    """One field of INFO persistence."""
    return client.info("persistence")[field]


def is_loading(call: Callable[[], object]) -> bool:
    """Whether a command is answered LOADING."""
    try:
        call()
    except BusyLoadingError:
        return True
    return False
