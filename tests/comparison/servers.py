"""Real servers to compare with: started on a Unix socket in a folder of their own, ended by their process."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from alcove.protocol.replies import ReplyReader
from alcove.values import NO_REPLY
from tests.waiting import eventually

BINARIES = {"redis": "redis-server", "valkey": "valkey-server"}


def packed(argv: list[bytes]) -> bytes:
    """A command as clients send it."""
    parts = [b"*%d\r\n" % len(argv)]
    for word in argv:
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


class Wire:
    """A connection that sends whole commands and reads reply values."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._reader = ReplyReader()

    def run(self, commands: list[list[bytes]]) -> list[Any]:
        """Runs commands as one pipeline."""
        self._socket.sendall(b"".join(map(packed, commands)))
        return [self._next() for _ in commands]

    def _next(self) -> Any:
        while (value := self._reader.next()) is NO_REPLY:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._reader.feed(data)
        return value

    def close(self) -> None:
        self._socket.close()


class RealServer:
    """One real server of a kind that is installed here."""

    def __init__(self, kind: str, *arguments: str) -> None:
        binary = shutil.which(BINARIES[kind])
        assert binary is not None
        self.kind = kind
        self._folder = Path(tempfile.mkdtemp(prefix="alcove-real-"))
        self.path = self._folder / "socket"
        # These servers end a wait in the round of housekeeping after its timeout: many rounds, so that none waits long.
        settings = ["--save", "", "--dir", str(self._folder), "--enable-debug-command", "yes", "--hz", "500"]
        self._process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", str(self.path), *settings, *arguments],
            stdout=subprocess.DEVNULL,
        )
        eventually(self._answers)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def connect(self) -> Wire:
        return Wire(self.path)

    def stop(self) -> None:
        # Nothing is to be saved, and a server that is busy with a script would not end otherwise.
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
