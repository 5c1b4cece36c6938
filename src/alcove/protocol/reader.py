"""Finds whole commands in the bytes received: multibulk requests and inline lines, whatever pieces they come in.

Every byte is looked at once. What has come of an unfinished line or bulk is kept apart and grows with what was
really received, and the arguments before it are kept as they are; so the cost is linear in the size, and an
announced count or length allocates nothing.
"""

from __future__ import annotations

from typing import Final

from alcove.errors import (
    INVALID_BULK,
    INVALID_MULTIBULK,
    TOO_BIG_BULK_COUNT,
    TOO_BIG_INLINE,
    TOO_BIG_MULTIBULK_COUNT,
    UNAUTHENTICATED_BULK,
    UNAUTHENTICATED_MULTIBULK,
    UNBALANCED_QUOTES,
    CommandError,
    expected_bulk,
)
from alcove.numeric import try_int
from alcove.quoting import split_words

# The longest inline line, and the longest line of a count or length, without its end.
_MAX_LINE: Final = 64 * 1024

# What may be sent before authentication: enough for AUTH and HELLO.
_MAX_COUNT_UNAUTHENTICATED: Final = 10
_MAX_BULK_UNAUTHENTICATED: Final = 16384

# Pieces of an unfinished bulk that are shorter than this are kept in one buffer, not one by one.
_SMALL_PIECE: Final = 4096

# When commands read ahead take more bytes than this, no more are.
_AHEAD_BYTES: Final = 64 * 1024

# Longer names of commands are not remembered.
_LONGEST_NAME: Final = 64

# More digits than these are left to the strict and slower way.
_QUICK_DIGITS: Final = 9


class ProtocolError(CommandError):
    """The peer does not speak the protocol; itself the last reply before the connection is closed."""


class RequestReader:
    """Bytes in by `feed`, commands out by `next`."""

    __slots__ = (
        "_args",
        "_bulk",
        "_chunks",
        "_data",
        "_end",
        "_failure",
        "_gathered",
        "_held",
        "_later",
        "_missing",
        "_name",
        "_pos",
        "_small",
        "_start",
        "_tail",
        "_view",
        "authenticated",
        "max_bulk",
        "max_multibulk",
    )

    def __init__(self) -> None:
        self.max_bulk = 512 * 1024 * 1024
        self.max_multibulk = 2**31 - 1
        # While False, commands are limited to what AUTH and HELLO need.
        self.authenticated = True
        # The bytes in work, as an object and as what the compiled build walks; read up to `_pos`, which is one
        # beyond the end while the LF of a header has not come.
        self._data = b""
        self._view = self._data
        self._pos = 0
        self._end = 0
        # The bytes fed before those in work were read.
        self._later: bytearray | None = None
        # What has come of an unfinished line.
        self._tail: bytearray | None = None
        # The command in work: its arguments so far, how many are missing, the length of the bulk in work (-1 not
        # known yet), how much of it was gathered in pieces, those pieces, and the last of them when it still grows;
        # where the command starts in the bytes in work, and how many of its bytes came before them.
        self._args: list[bytes] | None = None
        self._missing = 0
        self._bulk = -1
        self._gathered = 0
        self._chunks: list[bytes | bytearray] = []
        self._small: bytearray | None = None
        self._start = 0
        self._held = 0
        # The name of the command before.
        self._name = b""
        self._failure: str | None = None

    @property
    def buffered(self) -> int:
        """The bytes held: not yet read, or read of a command that is not whole."""
        waiting = 0 if self._later is None else len(self._later)
        if self._missing > 0 or self._tail is not None:
            return self._held + self._end - self._start + waiting
        return max(self._end - self._pos, 0) + waiting

    def wants(self) -> int:
        """How many bytes the bulk in work still needs, so that a big one can be received in big pieces."""
        if self._bulk < 0:
            return 0
        return self._bulk + 2 - self._gathered

    def feed(self, data: bytes) -> None:
        """Takes bytes as they were received. After a `ProtocolError` there is no telling what they mean."""
        if self._failure is not None:
            return
        if self._later is not None:
            self._later += data
        elif self._pos < self._end:
            self._later = bytearray(data)
        else:
            self._turn_to(data)

    def next(self) -> list[bytes] | None:
        """The next command, never an empty one; None when more bytes are needed."""
        if self._missing == 0 and not self._begin():
            return None
        if self._missing != 0 and not self._collect():
            return None
        args = self._args
        self._args = None
        return args

    def read_ahead(self, most: int) -> list[list[bytes]]:
        """The next commands, at most so many and as far as they have come; none when more bytes are needed.

        An error behind whole commands is raised by the call after this.
        """
        commands: list[list[bytes]] = []
        size = 0
        try:
            while len(commands) < most and size < _AHEAD_BYTES:
                args = self.next()
                if args is None:
                    break
                commands.append(args)
                size += self._held + self._pos - self._start
        except ProtocolError:
            if not commands:
                raise
        return commands

    def _begin(self) -> bool:
        """Reads the start of a command: the count of its arguments, or the whole of an inline one."""
        while True:
            while self._pos >= self._end:
                if not self._refill():
                    return False
            if self._tail is None:
                self._start = self._pos
                self._held = 0
                first = self._view[self._pos]
            else:
                first = self._tail[0]
            if first == 42:  # *
                if not self._read_count():
                    continue
                if self._missing > 0:
                    self._args = []
                    return True
            else:
                line = self._line(b"\n", TOO_BIG_INLINE)
                if line is None:
                    continue
                args = split_words(line.removesuffix(b"\r"))
                if args is None:
                    raise self._fail(UNBALANCED_QUOTES)
                if args:
                    self._args = args
                    return True

    def _read_count(self) -> bool:
        """Sets how many arguments come; none for a count of zero or below. False when the line is not whole yet."""
        count = self._quick_number()
        if count < 0:
            line = self._line(b"\r", TOO_BIG_MULTIBULK_COUNT)
            if line is None:
                return False
            self._pos += 1
            number = try_int(line[1:])
            if number is None:
                raise self._fail(INVALID_MULTIBULK)
            count = number
        if count > self.max_multibulk:
            raise self._fail(INVALID_MULTIBULK)
        if count > _MAX_COUNT_UNAUTHENTICATED and not self.authenticated:
            raise self._fail(UNAUTHENTICATED_MULTIBULK)
        self._missing = max(count, 0)
        return True

    def _collect(self) -> bool:
        """Reads the arguments that are missing; False when they have not all come."""
        args = self._args
        assert args is not None
        while self._missing > 0:
            if self._bulk < 0 and not self._read_length():
                return False
            pos = self._pos
            bulk = self._bulk
            if self._gathered == 0 and self._end - pos >= bulk + 2:
                args.append(self._view[pos : pos + bulk] if args else self._name_at(pos, bulk))
                self._pos = pos + bulk + 2
            elif not self._gather():
                return False
            self._bulk = -1
            self._missing -= 1
        return True

    def _name_at(self, pos: int, size: int) -> bytes:
        """The first word of a command. One that comes again is the same object again, which knows its hash."""
        if size > _LONGEST_NAME:
            return self._data[pos : pos + size]
        if size != len(self._name) or not self._data.startswith(self._name, pos):
            self._name = self._data[pos : pos + size]
        return self._name

    def _read_length(self) -> bool:
        """Sets the length of the next bulk; False when its line is not whole yet."""
        while self._pos >= self._end:
            if not self._refill():
                return False
        length = self._quick_number() if self._view[self._pos] == 36 else -1  # $
        if length < 0:
            line = self._line(b"\r", TOO_BIG_BULK_COUNT)
            while line is None:
                if not self._refill():
                    return False
                line = self._line(b"\r", TOO_BIG_BULK_COUNT)
            self._pos += 1
            if line[:1] != b"$":
                got = (line[:1] or b"\r").decode("utf-8", "surrogateescape")
                raise self._fail(expected_bulk(got))
            number = try_int(line[1:])
            if number is None or number < 0:
                raise self._fail(INVALID_BULK)
            length = number
        if length > self.max_bulk:
            raise self._fail(INVALID_BULK)
        if length > _MAX_BULK_UNAUTHENTICATED and not self.authenticated:
            raise self._fail(UNAUTHENTICATED_BULK)
        self._bulk = length
        return True

    def _quick_number(self) -> int:
        """The number of the header that starts at the place read next, stepping over its line.

        -1 without a step when the header is not whole, not canonical, long or negative: `_line` takes it then.
        """
        if self._tail is not None:
            return -1
        view = self._view
        end = self._end
        start = pos = self._pos + 1
        number = 0
        while pos < end:
            digit = view[pos] - 48
            if digit < 0 or digit > 9:
                break
            number = number * 10 + digit
            pos += 1
            if pos - start > _QUICK_DIGITS:
                return -1
        if pos == start or pos + 1 >= end or view[pos] != 13 or (view[start] == 48 and pos - start > 1):
            return -1
        self._pos = pos + 2
        return number

    def _line(self, terminator: bytes, too_big: str) -> bytes | None:
        """The line that starts in the tail, or else at the place read next, stepping over it and its terminator.

        When it is not whole yet the tail keeps what there is. Whether a line is too big does not depend on the
        pieces in which it comes.
        """
        found = self._data.find(terminator, self._pos)
        rest = self._data[self._pos : found if found >= 0 else self._end]
        tail = self._tail if self._tail is not None else bytearray()
        if len(tail) + len(rest) > _MAX_LINE:
            raise self._fail(too_big)
        tail += rest
        if found < 0:
            self._tail = tail
            self._pos = self._end
            return None
        self._tail = None
        self._pos = found + 1
        return bytes(tail)

    def _gather(self) -> bool:
        """Keeps what has come of a bulk; with its last byte the bulk becomes an argument."""
        while self._gathered < self._bulk + 2:
            while self._pos >= self._end:
                if not self._refill():
                    return False
            taken = min(self._bulk + 2 - self._gathered, self._end - self._pos)
            wanted = min(self._bulk - self._gathered, taken)
            if wanted > 0:
                self._keep(self._data[self._pos : self._pos + wanted])
            self._pos += taken
            self._gathered += taken
        assert self._args is not None
        self._args.append(b"".join(self._chunks))
        self._drop_pieces()
        return True

    def _keep(self, piece: bytes) -> None:
        """Small pieces run together, lest a peer that sends byte by byte make objects many times their size."""
        if len(piece) >= _SMALL_PIECE:
            self._chunks.append(piece)
            self._small = None
        elif self._small is None:
            self._small = bytearray(piece)
            self._chunks.append(self._small)
        else:
            self._small += piece

    def _drop_pieces(self) -> None:
        self._gathered = 0
        self._chunks = []
        self._small = None

    def _refill(self) -> bool:
        """Lets go of the bytes in work, all of them read, for those fed meanwhile; False when there are none."""
        if self._failure is not None:
            raise ProtocolError(self._failure)
        later = self._later
        self._later = None
        self._turn_to(b"" if later is None else bytes(later))
        return later is not None

    def _turn_to(self, data: bytes) -> None:
        self._held += self._end - self._start
        self._start = 0
        self._pos -= self._end
        self._data = data
        self._view = data
        self._end = len(data)

    def _fail(self, text: str) -> ProtocolError:
        """The error to raise, now and at every `next` to come; the bytes held are let go."""
        self._failure = text
        self._args = self._tail = self._later = None
        self._missing = 0
        self._bulk = -1
        self._drop_pieces()
        self._pos = self._end
        self._turn_to(b"")
        return ProtocolError(text)
