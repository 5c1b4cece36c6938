"""The log in the real server's format and with its levels."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Final

# Between DEBUG and INFO, which is the real server's "notice".
VERBOSE: Final = 15

LEVELS: Final = {
    "debug": logging.DEBUG,
    "verbose": VERBOSE,
    "notice": logging.INFO,
    "warning": logging.WARNING,
    "nothing": logging.CRITICAL + 1,
}


class ServerFormatter(logging.Formatter):
    """`pid:role date sign message`, as programs that read the real server's log expect."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%d %b %Y %H:%M:%S", time.localtime(record.created))
        text = printable(record.getMessage())
        line = f"{os.getpid()}:M {moment}.{int(record.msecs):03d} {sign(record.levelno)} {text}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def printable(text: str) -> str:
    """The text on one line, as bytes that any file takes: clients have a say in it."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\r", "\\r").replace("\n", "\\n")


def sign(level: int) -> str:
    """What stands for a level in a line."""
    if level < VERBOSE:
        return "."
    if level < logging.INFO:
        return "-"
    return "*" if level < logging.WARNING else "#"


def set_up(level: str, path: str) -> None:
    """Logs to a file, or to the standard output when `path` is empty."""
    handler: logging.Handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stdout)
    handler.setFormatter(ServerFormatter())
    logger = logging.getLogger("alcove")
    logger.handlers = [handler]
    logger.propagate = False
    set_level(level)


def set_level(level: str) -> None:
    logging.getLogger("alcove").setLevel(LEVELS[level])
