"""A line on a terminal that says how far something is."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

_REDRAW_S: Final = 0.1
_WIDTH: Final = 30


class Progress:
    """Draws a bar on the standard error, if that is a terminal; elsewhere it does nothing."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._drawn_s = 0.0
        self._is_drawn = False
        self._is_terminal = self._stream.isatty()

    def __call__(self, what: str, done: int, total: int) -> None:
        """`done` of `total`; a total of 0 stands for one that is not known."""
        now_s = time.monotonic()
        if not self._is_terminal or now_s - self._drawn_s < _REDRAW_S:
            return
        self._drawn_s = now_s
        if total:
            full = min(done, total) * _WIDTH // total
            text = f"[{'#' * full}{'.' * (_WIDTH - full)}] {min(done, total) * 100 // total:3d}% {what}"
        else:
            text = f"{done:,} {what}"
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()
        self._is_drawn = True

    def clear(self) -> None:
        """Takes the bar away, so that something else can be written."""
        if self._is_drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._is_drawn = False
