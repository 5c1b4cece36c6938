"""DUMP payloads: a value behind the byte of its kind, the RDB version and a checksum. FUNCTION DUMP has the same frame.

The version is two bytes and the checksum, CRC-64 of all before it, eight; both are little endian.
"""

from __future__ import annotations

from typing import Any, Final

from alcove.codec.crc64 import crc64
from alcove.codec.primitives import Decoder, Encoder, Malformed
from alcove.codec.values import decode, encode, is_empty, kind_of
from alcove.types.limits import Limits

# The versions that are read: Redis's own, and Valkey's since it went its own way.
LATEST_VERSION: Final = 12
VALKEY_VERSIONS: Final = range(80, 81)

_FOOTER: Final = 10


class WrongFrame(ValueError):
    """A payload of a version that is not known, or not as it was made."""


def is_known(version: int) -> bool:
    """Whether files and payloads of an RDB version are read."""
    return 1 <= version <= LATEST_VERSION or version in VALKEY_VERSIONS


def sealed(body: bytes, version: int) -> bytes:
    """A body in its frame."""
    framed = body + version.to_bytes(2, "little")
    return framed + crc64(framed).to_bytes(8, "little")


def unsealed(payload: bytes) -> tuple[bytes, int]:
    """The body of a payload and its RDB version; `WrongFrame` if it is damaged or of another version."""
    version = int.from_bytes(payload[-_FOOTER:-8], "little")
    if len(payload) < _FOOTER or not is_known(version):
        raise WrongFrame("unknown version")
    if crc64(memoryview(payload)[:-8]) != int.from_bytes(payload[-8:], "little"):
        raise WrongFrame("wrong checksum")
    return payload[:-_FOOTER], version


def dump(value: Any, version: int, compress: bool = True) -> bytes:
    """The payload of a value."""
    encoder = Encoder(compress)
    kind = kind_of(value, version)
    encoder.byte(kind)
    encode(encoder, kind, value)
    return sealed(encoder.take(), version)


def restore(payload: bytes, limits: Limits) -> Any:
    """The value of a payload; `WrongFrame`, or another `ValueError` if what is in the frame is malformed."""
    body, version = unsealed(payload)
    decoder = Decoder(body)
    value = decode(decoder, decoder.byte(), limits, version)
    if decoder.position != len(body):
        raise Malformed("more behind the value")
    if is_empty(value):
        raise Malformed("an empty container")
    return value
