"""Values as bytes: JSON by default, MessagePack by choice, never pickle."""

from __future__ import annotations

import zlib
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from alcove.patterns.core.errors import CannotDecode, CannotEncode

T = TypeVar("T")


class Codec(Protocol[T]):
    """What turns values into bytes and back. It raises `CannotEncode` and `CannotDecode`."""

    def encode(self, value: T) -> bytes: ...

    def decode(self, data: bytes) -> T: ...


class _Msgspec(Generic[T]):
    """A format of msgspec, with the checks of a type where one is given."""

    _format: Any
    __slots__ = ("_decoder", "_encoder", "type")

    def __init__(self, type: Any = Any) -> None:
        self.type = type
        self._encoder = self._format.Encoder()
        self._decoder = self._format.Decoder(type)

    def encode(self, value: T) -> bytes:
        try:
            data: bytes = self._encoder.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise CannotEncode(f"{type(value).__name__} cannot be written as {self._name}: {error}") from error
        return data

    def decode(self, data: bytes) -> T:
        try:
            value: T = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CannotDecode(f"what is stored is not the {self._name} that is expected: {error}") from error
        return value

    @property
    def _name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return f"{self._name}({self.type!r})"


class Json(_Msgspec[T]):
    """JSON. With a type, such as a dataclass or `dict[str, int]`, that is what is read; else plain dicts and lists.
    Infinity and NaN are written as null, as JSON has neither.

    >>> Json(dict[str, int]).decode(b'{"a": 1}')
    {'a': 1}
    """

    _format = msgspec.json
    __slots__ = ()


class MessagePack(_Msgspec[T]):
    """MessagePack: shorter than JSON, and it has bytes.

    >>> MessagePack().decode(MessagePack().encode({"raw": b"\\x00"}))
    {'raw': b'\\x00'}
    """

    _format = msgspec.msgpack
    __slots__ = ()


JSON: Final[Json[Any]] = Json()
MSGPACK: Final[MessagePack[Any]] = MessagePack()

_PLAIN, _DEFLATED = b"\x00", b"\x01"


class Compressed(Generic[T]):
    """Another codec's bytes, compressed by zlib when they are longer than `above` bytes and get shorter by it.

    `at_most` bounds what is made of compressed data that somebody else has put there, in bytes.
    """

    __slots__ = ("above", "at_most", "codec")

    def __init__(self, codec: Codec[T], above: int = 1024, at_most: int = 64 << 20) -> None:
        self.codec = codec
        self.above = above
        self.at_most = at_most

    def encode(self, value: T) -> bytes:
        data = self.codec.encode(value)
        if len(data) > self.above:
            deflated = zlib.compress(data, 1)
            if len(deflated) < len(data):
                return _DEFLATED + deflated
        return _PLAIN + data

    def decode(self, data: bytes) -> T:
        kind, rest = data[:1], data[1:]
        if kind == _DEFLATED:
            rest = self._inflated(rest)
        elif kind != _PLAIN:
            raise CannotDecode("what is stored was not written by this codec")
        return self.codec.decode(rest)

    def _inflated(self, data: bytes) -> bytes:
        inflating = zlib.decompressobj()
        try:
            plain = inflating.decompress(data, self.at_most)
        except zlib.error as error:
            raise CannotDecode(f"what is stored is damaged: {error}") from error
        if not inflating.eof:
            raise CannotDecode(f"what is stored is incomplete, or larger than {self.at_most} bytes")
        return plain
