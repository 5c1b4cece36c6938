"""RDB files: written key by key in any order, and read key by key in pieces of bounded size.

A file is `REDIS` and four digits of version (Valkey's own `VALKEY` and three), then records, each behind a byte:

| byte        | what follows                                                                                 |
|-------------|----------------------------------------------------------------------------------------------|
| 250         | a name and a value that say something of the file                                            |
| 245         | the code of a library of functions                                                           |
| 254, 251    | the number of the database of the keys that follow; how many those are, and with a deadline  |
| 252, 253    | the next key's deadline: 8 bytes, milliseconds; 4 bytes, seconds                             |
| 248, 249    | the next key's idle time, seconds, a length; its access frequency, one byte                  |
| 244         | three lengths that a cluster's node says of a slot                                           |
| 247         | what a module keeps besides keys                                                             |
| 255         | the checksum of all before it, 8 bytes, 0 for none: the end                                  |
| any other   | a key and its value of that kind (see codec/values.py)                                       |

Source: `rdb.c` and `rdb.h` of Valkey.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Final

from alcove.codec.crc64 import crc64
from alcove.codec.payload import LATEST_VERSION, VALKEY_VERSIONS, is_known
from alcove.codec.primitives import Decoder, Encoder, Malformed, Truncated
from alcove.codec.values import Unfinished, begin_decoding, encode, encode_steps, is_empty, kind_of
from alcove.engine.keyspace import LFU_INITIAL, Database, Keyspace
from alcove.engine.snapshot import is_long
from alcove.engine.table import Entry, key_of, value_of
from alcove.types.hash import Hash
from alcove.types.limits import Limits
from alcove.version import REDIS_VERSION

# How files begin that Redis wrote, and those of Valkey since version 80.
MAGIC: Final = b"REDIS"
VALKEY_MAGIC: Final = b"VALKEY"
_HEADER: Final = 9

_SLOT_INFO: Final = 244
_FUNCTION: Final = 245
_FUNCTION_EARLY: Final = 246
_MODULE_AUX: Final = 247
_IDLE: Final = 248
_FREQUENCY: Final = 249
_AUX: Final = 250
_RESIZE: Final = 251
_EXPIRE_MS: Final = 252
_EXPIRE_S: Final = 253
_SELECT: Final = 254
_END: Final = 255
_STRING: Final = 0
# The first byte that is no kind of value, and the kinds that only modules understand.
_FIRST_OPCODE: Final = 240
_MODULE: Final = 6
_MODULE_2: Final = 7
# What a module's data is made of: its end, numbers, a float, a double, a string.
_MODULE_SIZES: Final = {3: 4, 4: 8}
_MODULE_STRING: Final = 5

# The version from which on files end in a checksum.
_FIRST_WITH_CHECKSUM: Final = 5
_NOT_GIVEN: Final = -1
# Where a reader is.
_AT_END: Final = 0
_AT_KEY: Final = 1
_WITHIN_KEY: Final = 2
_UINT32: Final = struct.Struct("<I")

# How much is gathered before it is handed on.
FLUSH_AT: Final = 1 << 16
# How much `RdbReader.load` reads at a time, if the keys are long.
READ_AT_ONCE: Final = 1 << 16


class BadRdb(Exception):
    """A file cannot be read from here on."""

    def __init__(self, why: str, offset: int, truncated: bool = False) -> None:
        super().__init__(f"{why} at offset {offset}")
        self.offset = offset
        # Whether the file is good as far as it goes.
        self.truncated = truncated


def standard_aux(now_ms: int, used_memory: int, aof_base: bool) -> list[tuple[bytes, bytes]]:
    """What the real server says of its files in front."""
    return [
        (b"redis-ver", REDIS_VERSION.encode()),
        (b"redis-bits", b"64" if sys.maxsize > 1 << 32 else b"32"),
        (b"ctime", b"%d" % (now_ms // 1000)),
        (b"used-mem", b"%d" % used_memory),
        (b"aof-base", b"%d" % aof_base),
    ]


class RdbWriter:
    """Makes a file: `begin`, then libraries and databases as they are known, keys in any order, `end`.

    `write` is given the bytes in portions; what it raises comes out of the method that was called. An entry is taken
    as it is at the moment. `idle_from_s`, the present time in seconds, has the keys' idle times kept, as the real
    server does under an LRU policy; `frequencies` their access counters, as under an LFU policy.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        version: int = 11,
        compress: bool = True,
        checksum: bool = True,
        idle_from_s: int = 0,
        frequencies: bool = False,
    ) -> None:
        self._write = write
        self._version = version
        self._checksum = checksum
        self._idle_from_s = idle_from_s
        self._frequencies = frequencies
        self._crc = 0
        self._out = Encoder(compress)
        # What came while a big container was written in steps; it follows behind that.
        self._aside = Encoder(compress)
        self._stepping = False
        # The database of the key written last.
        self._number = -1
        # How many keys were written, and how many bytes were handed on.
        self.keys = 0
        self.size = 0

    def begin(self, aux: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """The header; `aux` is what is to be said of the file, such as `standard_aux`."""
        version = self._version
        self._out.raw(VALKEY_MAGIC + b"%03d" % version if version in VALKEY_VERSIONS else MAGIC + b"%04d" % version)
        for name, value in aux:
            self._out.byte(_AUX)
            self._out.string(name)
            self._out.string(value)

    def function(self, code: bytes) -> None:
        """A library of functions. They come before all keys."""
        self._out.byte(_FUNCTION)
        self._out.string(code)

    def database(self, number: int, keys: int, volatile: int) -> None:
        """How many keys a database has, and how many with a deadline, for who reads to make room. May be left out."""
        self._select(self._out, number)
        self._out.byte(_RESIZE)
        self._out.length(keys)
        self._out.length(volatile)

    @property
    def aside(self) -> int:
        """How many bytes wait until the big container in work is written."""
        return len(self._aside)

    def entry(self, number: int, entry: Entry) -> None:
        """A key of the database `number`."""
        encoder = self._aside if self._stepping else self._out
        value = value_of(entry)
        kind = self._open(encoder, number, entry, value)
        if kind == _STRING and is_long(value):
            # Somebody waits for it, and to compress it would take ten times as long.
            encoder.length(len(value))
            encoder.raw(bytes(value))
        else:
            encode(encoder, kind, value)
        if not self._stepping and len(encoder) >= FLUSH_AT:
            self.flush()

    def steps(self, number: int, entry: Entry) -> Iterator[None]:
        """A key with a big container, a step with each iteration, in between which other entries may be written.

        The container must not change before the last step. One is written at a time.
        """
        value = value_of(entry)
        kind = self._open(self._out, number, entry, value)
        self._stepping = True
        for _ in encode_steps(self._out, kind, value):
            if len(self._out) >= FLUSH_AT:
                self.flush()
            yield
        self._stepping = False
        self._out.raw(self._aside.take())

    def end(self) -> None:
        """The end of the file. Everything was handed on then."""
        self._out.byte(_END)
        self.flush()
        self._out.raw(self._crc.to_bytes(8, "little"))
        self.flush()

    def flush(self) -> None:
        """Hands on what was gathered."""
        data = self._out.take()
        if self._checksum:
            self._crc = crc64(data, self._crc)
        self.size += len(data)
        self._write(data)

    def _select(self, encoder: Encoder, number: int) -> None:
        if number != self._number:
            self._number = number
            encoder.byte(_SELECT)
            encoder.length(number)

    def _open(self, encoder: Encoder, number: int, entry: Entry, value: Any) -> int:
        """Writes all of an entry but its value, and answers as what kind that is to be written."""
        self._select(encoder, number)
        if entry.expire_ms:
            encoder.byte(_EXPIRE_MS)
            encoder.int64(entry.expire_ms)
        if self._idle_from_s:
            encoder.byte(_IDLE)
            encoder.length(max(self._idle_from_s - entry.access, 0))
        elif self._frequencies:
            encoder.byte(_FREQUENCY)
            encoder.byte(entry.access & 0xFF)
        kind = kind_of(value, self._version)
        encoder.byte(kind)
        encoder.string(key_of(entry))
        self.keys += 1
        return kind


class RdbReader:
    """Reads a file from where it stands. Either `load` puts its keys into a keyspace, or `step` shows one by one.

    Keys whose time has come by `alive_at_ms` are left out; 0 keeps all. Idle times count back from `now_ms`, which is
    `alive_at_ms` unless told. Memory is taken only for what is there, whatever sizes the file claims. Every method
    raises `BadRdb` where the file is malformed; the keys before that place were read.
    """

    def __init__(
        self, file: BinaryIO, limits: Limits, checksum: bool = True, alive_at_ms: int = 0, now_ms: int = 0
    ) -> None:
        # How many bytes there are, as far as that can be known; -1 if not.
        self.total = _bytes_left(file)
        self._decoder = Decoder(b"", file.read, self.total, checksum)
        self._limits = limits
        self._checksum = checksum
        self._alive_at_ms = alive_at_ms
        self._now_ms = now_ms or alive_at_ms
        # The version of the file, 0 until it was begun; what it says of itself; the code of its libraries.
        self.version = 0
        self.aux: dict[bytes, bytes] = {}
        self.functions: list[bytes] = []
        # Keys there should be, read, left out as expired, and left out because nothing is in them.
        self.announced = 0
        self.keys = 0
        self.expired = 0
        self.empty = 0
        # How many the database is said to have that comes next.
        self._expected = 0
        # The key read last. `expire_ms` is 0 for never, `idle_s` and `frequency` are -1 where the file has none.
        self.number = 0
        self.key = b""
        self.value: Any = None
        self.expire_ms = 0
        self.idle_s = _NOT_GIVEN
        self.frequency = _NOT_GIVEN
        # What was said ahead of the next key.
        self._next_expire_ms = 0
        self._next_idle_s = _NOT_GIVEN
        self._next_frequency = _NOT_GIVEN
        # The value in work, if it is read in parts.
        self._unfinished: Unfinished | None = None
        self._ended = False

    @property
    def offset(self) -> int:
        """How many bytes were read, which at the end is where the file ends, or in old append-only files goes on."""
        return self._decoder.position

    def load(self, space: Keyspace, count: int) -> bool:
        """Puts up to `count` keys into a keyspace that has none of them; False when all are there.

        It stops early for one key that is long, or when a container is read only in part, with which it goes on next
        time.
        """
        database: Database | None = None
        enough = self._decoder.position + READ_AT_ONCE
        for _ in range(count):
            found = self._advance()
            if found == _AT_END:
                return False
            if found == _WITHIN_KEY:
                break
            if not self.number < len(space.databases):
                raise BadRdb(f"database {self.number} where {len(space.databases)} are configured", self.offset)
            database = space.databases[self.number]
            if database.find(self.key) is not None:
                raise BadRdb(f"the key {self.key[:64]!r} for the second time", self.offset)
            self._place(database)
            if self._decoder.position > enough:
                break
        return True

    def _place(self, database: Database) -> None:
        """Adds the key read last to its database."""
        if self._expected:
            database.table.expect(self._expected)
            self._expected = 0
        entry = database.add(self.key, self.value)
        if database.space.lfu:
            counter = LFU_INITIAL if self.frequency == _NOT_GIVEN else self.frequency
            entry.access = ((self._now_ms // 60_000) & 0xFFFF) << 8 | counter
        else:
            entry.access = max(self._now_ms // 1000 - max(self.idle_s, 0), 0)
        if self.expire_ms:
            database.set_deadline(entry, self.expire_ms)
        if type(self.value) is Hash and self.value.next_deadline:
            database.set_field_deadline(self.key, self.value.next_deadline)
        database.written(entry, 0, b"", 0)
        self.value = None

    def step(self) -> bool:
        """Reads the next key; False at the end of the file."""
        found = self._advance()
        while found == _WITHIN_KEY:
            found = self._advance()
        return found == _AT_KEY

    def _advance(self) -> int:
        """Reads on to the next key, or to a rest within a big one, or to the end."""
        try:
            if self.version == 0:
                self._begin()
            while not self._ended:
                if self._unfinished is not None:
                    if next(self._unfinished.steps, self) is not self:
                        return _WITHIN_KEY
                    self.value, self._unfinished = self._unfinished.value, None
                else:
                    kind = self._decoder.byte()
                    if kind >= _FIRST_OPCODE:
                        self._opcode(kind)
                        continue
                    self._key(kind)
                    if self._unfinished is not None:
                        continue
                if self._is_kept():
                    return _AT_KEY
        except Truncated as error:
            raise BadRdb(str(error), self.offset, True) from error
        except ValueError as error:
            raise BadRdb(str(error), self.offset) from error
        return _AT_END

    def _begin(self) -> None:
        header = self._decoder.raw(_HEADER)
        digits = header.removeprefix(VALKEY_MAGIC).removeprefix(MAGIC)
        if len(digits) == _HEADER or not digits.isdigit():
            raise Malformed("no RDB file")
        version = int(digits)
        if not is_known(version) or (version > LATEST_VERSION) != header.startswith(VALKEY_MAGIC):
            raise Malformed(f"unknown RDB version {version}")
        self.version = version

    def _key(self, kind: int) -> None:
        """Reads a key with its value, or the beginning of that. What was said ahead of it ends with it."""
        decoder = self._decoder
        self.expire_ms = self._next_expire_ms
        self.idle_s = self._next_idle_s
        self.frequency = self._next_frequency
        self._next_expire_ms = 0
        self._next_idle_s = self._next_frequency = _NOT_GIVEN
        if kind in (_MODULE, _MODULE_2):
            raise Malformed("a value of a module")
        self.key = decoder.string()
        self.value = begin_decoding(decoder, kind, self._limits, self.version)
        if isinstance(self.value, Unfinished):
            self._unfinished = self.value

    def _is_kept(self) -> bool:
        """Whether the key that was read is not to be left out."""
        if self.expire_ms and self.expire_ms <= self._alive_at_ms:
            self.expired += 1
            return False
        if is_empty(self.value):
            self.empty += 1
            return False
        self.keys += 1
        return True

    def _opcode(self, kind: int) -> None:
        """Reads a record that is no key."""
        decoder = self._decoder
        if kind == _EXPIRE_MS:
            self._next_expire_ms = _deadline(decoder.int64())
        elif kind == _EXPIRE_S:
            self._next_expire_ms = _deadline(_UINT32.unpack(decoder.raw(4))[0] * 1000)
        elif kind == _IDLE:
            self._next_idle_s = min(decoder.length(), 1 << 40)
        elif kind == _FREQUENCY:
            self._next_frequency = decoder.byte()
        elif kind == _SELECT:
            self.number = min(decoder.length(), 1 << 40)
        elif kind == _RESIZE:
            self._expected = min(decoder.length(), 1 << 40)
            self.announced += self._expected
            decoder.length()
        elif kind == _AUX:
            name = decoder.string()
            self.aux[name] = decoder.string()
        elif kind == _FUNCTION:
            self.functions.append(decoder.string())
        elif kind == _SLOT_INFO:
            for _ in range(3):
                decoder.length()
        elif kind == _MODULE_AUX:
            _skip_module(decoder)
        elif kind == _END:
            self._finish()
        elif kind == _FUNCTION_EARLY:
            raise Malformed("a function of a Redis before its release")
        else:
            raise Malformed(f"unknown record {kind}")

    def _finish(self) -> None:
        self._ended = True
        if self.version < _FIRST_WITH_CHECKSUM:
            # What such a file has no room for is a checksum: its version was damaged.
            if self._is_more():
                raise Malformed(f"more behind the end of a file of version {self.version}")
            return
        found = self._decoder.checksum()
        said = int.from_bytes(self._decoder.raw(8), "little")
        if self._checksum and said not in (0, found):
            raise Malformed(f"wrong checksum {said:016x} instead of {found:016x}")

    def _is_more(self) -> bool:
        try:
            self._decoder.byte()
        except Truncated:
            return False
        return True


def _deadline(expire_ms: int) -> int:
    """A deadline of the past is one, however far: 0 would mean that there is none."""
    return max(expire_ms, 1)


def _skip_module(decoder: Decoder) -> None:
    """Steps over what a module keeps besides keys: its ID, then pieces of known sizes."""
    decoder.length()
    while piece := decoder.length():
        if piece in _MODULE_SIZES:
            decoder.raw(_MODULE_SIZES[piece])
        elif piece == _MODULE_STRING:
            decoder.string()
        elif piece < _MODULE_STRING:
            decoder.length()
        else:
            raise Malformed("unknown data of a module")


def _bytes_left(file: BinaryIO) -> int:
    """How much there is to read, or -1 when that cannot be told beforehand."""
    if not file.seekable():
        return -1
    here = file.tell()
    left = file.seek(0, io.SEEK_END) - here
    file.seek(here)
    return left
