"""The checksum of RDB files and DUMP payloads: CRC-64 with the polynomial of Jones.

Polynomial 0xad93d23594c935a9, reflected in and out, starting from 0 and not inverted at the end; the check value of
`123456789` is 0xe9c6d914c4b8d9ca. Source: `crc64.c` of Valkey. The plain twin goes byte by byte.
"""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0x95AC9329AC4BC9B5


def _table() -> list[int]:
    """What a byte adds to the checksum, for each byte."""
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE: Final = _table()


def crc64(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """The checksum of `data`, an unsigned 64-bit number; `crc` is that of what stood before it."""
    table = _TABLE
    for byte in bytes(data):
        crc = crc >> 8 ^ table[crc & 0xFF ^ byte]
    return crc
