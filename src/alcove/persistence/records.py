"""The commands of an append-only file: effects written as requests of the protocol, and read again, strictly.

What a file holds is what a client would send, RESP arrays of bulk strings, with lines of notes between them that
begin with `#`. Nothing else is one of ours: reading stops at the first byte that does not belong.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from alcove.protocol.output import OutputBuffer

# How much of a file is read at a time.
_CHUNK: Final = 1 << 20
# The longest line of a count, a length or a note.
_LONGEST_LINE: Final = 128
# More digits than these no count or length has.
_MOST_DIGITS: Final = 10


class RecordWriter:
    """Effects in, the bytes to be appended out."""

    def __init__(self) -> None:
        self.out = OutputBuffer()
        # The database that whoever reads the file has selected by now; -1 for none.
        self.database = -1
        self._stamped_s = 0

    def add(self, batch: list[tuple[int, list[bytes]]]) -> None:
        """The effects of one command, or of several that are to be replayed all or none."""
        whole = len(batch) > 1
        if whole:
            self._select(batch[0][0])
            self._write([b"MULTI"])
        for number, argv in batch:
            self._select(number)
            self._write(argv)
        if whole:
            self._write([b"EXEC"])

    def _select(self, number: int) -> None:
        if number != self.database:
            self._write([b"SELECT", b"%d" % number])
            self.database = number

    def _write(self, argv: list[bytes]) -> None:
        out = self.out
        out.header(b"*", len(argv))
        for argument in argv:
            out.bulk(argument)

    def stamp(self, now_s: int) -> None:
        """A note of the time, once a second."""
        if now_s != self._stamped_s:
            self._stamped_s = now_s
            self.out.append(b"#TS:%d\r\n" % now_s)


class Damaged(Exception):
    """A file is no append-only file from here on."""

    def __init__(self, offset: int, truncated: bool, at: int = -1) -> None:
        what = "ends within a command" if truncated else "is damaged"
        super().__init__(f"the file {what} at offset {offset}")
        # Where the first command starts that is not whole.
        self.offset = offset
        # Whether the file is good as far as it goes; and if it is not, which byte is the first that is wrong.
        self.truncated = truncated
        self.at = at if at >= 0 else offset


class RecordReader:
    """A file in, its commands out."""

    def __init__(self, file: BinaryIO, offset: int = 0) -> None:
        self._file = file
        # The bytes in work, as an object and as what the compiled build walks, and up to where they are read.
        self._data = b""
        self._view = self._data
        self._pos = 0
        self._end = 0
        # The place in the file of the bytes in work.
        self._base = offset
        # How many more bytes the command in work needs at least, and what follows the header read last.
        self._wanted = 0
        self._behind = 0

    @property
    def offset(self) -> int:
        """Where in the file the next command starts."""
        return self._base + self._pos

    def next(self) -> list[bytes] | None:
        """The next command, None at the end. Raises `Damaged`."""
        while True:
            argv = self._parse()
            if argv is not None:
                return argv
            if not self._read_more():
                if self._pos == self._end:
                    return None
                raise Damaged(self.offset, truncated=True)

    def _read_more(self) -> bool:
        # At least as much as there is, so that a long command is not begun again too often.
        more = self._file.read(max(_CHUNK, self._wanted, self._end - self._pos))
        if not more:
            return False
        self._base += self._pos
        self._data = self._data[self._pos :] + more
        self._view = self._data
        self._end = len(self._data)
        self._pos = 0
        return True

    def _parse(self) -> list[bytes] | None:
        """The command at the place read next, stepping over it; None when there is not the whole of it yet."""
        view = self._view
        self._wanted = 0
        pos = self._pos
        while pos < self._end and view[pos] == 35:  # #
            pos = self._behind_note(pos)
            if pos < 0:
                return None
            self._pos = pos
        count = self._number(42, pos)  # *
        if count < 0:
            return None
        if count == 0:
            raise Damaged(self.offset, truncated=False)
        argv: list[bytes] = []
        for _ in range(count):
            size = self._number(36, self._behind)  # $
            if size < 0:
                return None
            pos = self._behind
            end = pos + size
            if end + 2 > self._end:
                self._wanted = end + 2 - self._end
                return None
            if view[end] != 13 or view[end + 1] != 10:
                raise self._damaged(end if view[end] != 13 else end + 1)
            argv.append(self._data[pos:end])
            self._behind = end + 2
        self._pos = self._behind
        return argv

    def _number(self, sign: int, pos: int) -> int:
        """The number of the header at `pos`, -1 when it is not whole yet; what follows is at `_behind` then."""
        view = self._view
        end = self._end
        if pos >= end:
            return -1
        if view[pos] != sign:
            raise self._damaged(pos)
        number = 0
        pos += 1
        start = pos
        while pos < end and 48 <= view[pos] <= 57 and pos - start < _MOST_DIGITS:
            number = number * 10 + view[pos] - 48
            pos += 1
        if pos + 1 >= end and (pos >= end or view[pos] == 13):
            return -1
        if pos == start or view[pos] != 13 or view[pos + 1] != 10:
            raise self._damaged(pos + 1 if view[pos] == 13 else pos)
        self._behind = pos + 2
        return number

    def _behind_note(self, pos: int) -> int:
        """Where the note at `pos` ends, -1 when it is not whole yet."""
        found = self._data.find(b"\n", pos, pos + _LONGEST_LINE)
        if found >= 0:
            return found + 1
        if self._end - pos >= _LONGEST_LINE:
            # Within a note there is nothing that could be wrong but what is no text.
            raise self._damaged(max(self._data.find(b"\0", pos, pos + _LONGEST_LINE), pos))
        return -1

    def _damaged(self, pos: int) -> Damaged:
        """What is to be raised because of a byte."""
        return Damaged(self.offset, False, self._base + pos)
