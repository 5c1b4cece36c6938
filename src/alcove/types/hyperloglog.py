"""HyperLogLog: how many different elements a set has, from 16384 registers kept in a string value.

The format is the real server's, byte for byte, since values travel through GET, DUMP and replication:

    HYLL  encoding  3 unused  8 bytes of cached count, little endian  registers
    0     4         5         8                                       16

The count is stale when the highest bit of its last byte is set. The dense encoding (0) has 16384 registers of six
bits, the first in the lowest bits. The sparse one (1) is a sequence of runs that together cover all registers:

    00xxxxxx           ZERO   1 to 64 registers of zero
    01xxxxxx xxxxxxxx  XZERO  1 to 16384 registers of zero
    1vvvvvxx           VAL    1 to 4 registers of the value 1 to 32

A corrupt value raises ValueError; nothing read from one is trusted. The loops over registers are in
hyperloglog_registers.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Final

from alcove.types.hyperloglog_registers import REGISTERS, histogram, merge, pack

HEADER: Final = 16
DENSE_SIZE: Final = HEADER + REGISTERS * 6 // 8
HIGHEST_RANK: Final = 51  # of the hash's 64 bits 14 choose the register; in the others the first one stands at 1..51
ALPHA: Final = 0.721347520444481703680  # 1 / (2 ln 2), the estimator's constant for infinitely many registers


def create() -> bytearray:
    """A sparse value without elements: its registers are one run of zeros."""
    return bytearray(b"HYLL\x01" + bytes(11) + b"\x7f\xff")


def is_valid(value: bytes | bytearray) -> bool:
    """Whether a string looks like a HyperLogLog; the runs of a sparse one may still be corrupt."""
    if len(value) < HEADER or value[:4] != b"HYLL" or value[4] > 1:
        return False
    return value[4] == 1 or len(value) == DENSE_SIZE


def is_dense(value: bytes | bytearray) -> bool:
    return value[4] == 0


def cached_count(value: bytes | bytearray) -> int:
    """The count computed last, or -1 when registers have changed since."""
    return -1 if value[15] & 0x80 else int.from_bytes(value[8:16], "little")


def cache_count(value: bytearray, number: int) -> None:
    value[8:16] = (number & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little")


def invalidate(value: bytearray) -> None:
    """Marks the cached count as stale."""
    value[15] |= 0x80


def registers_of(value: bytes | bytearray) -> bytearray:
    """The registers, one byte each."""
    registers = bytearray(REGISTERS)
    merge(registers, value)
    return registers


def to_dense(value: bytearray) -> bool:
    """Makes a sparse value dense, keeping its header; whether there was anything to do."""
    if is_dense(value):
        return False
    value[HEADER:] = pack(registers_of(value))
    value[4] = 0
    return True


def count(value: bytes | bytearray) -> int:
    """The estimated number of elements, computed from the registers."""
    return estimate(registers_of(value))


def estimate(registers: bytearray) -> int:
    """The estimated number of elements in registers of one byte each.

    Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284), algorithm 6.
    """
    having = histogram(registers)
    total = REGISTERS * _tau((REGISTERS - having[HIGHEST_RANK]) / REGISTERS)
    for rank in range(HIGHEST_RANK - 1, 0, -1):
        total = 0.5 * (total + having[rank])
    total += REGISTERS * _sigma(having[0] / REGISTERS)
    number = ALPHA * REGISTERS * REGISTERS / total if total else inf
    # No elements lead beyond 64 bits, only registers written by hand: the real server's cast gives this integer.
    return int(number + 0.5) if number < 1 << 63 else -(1 << 63)


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    scale = 1.0
    result = 1.0 - x
    before = inf
    while result != before:
        before = result
        x = sqrt(x)
        scale *= 0.5
        result -= (1.0 - x) * (1.0 - x) * scale
    return result / 3.0


def _sigma(x: float) -> float:
    if x == 1.0:
        return inf
    scale = 1.0
    result = x
    before = inf
    while result != before:
        before = result
        x *= x
        result += x * scale
        scale += scale
    return result


def decode(value: bytes | bytearray) -> bytes:
    """The runs of a sparse value as PFDEBUG shows them: `z:` a ZERO, `Z:` an XZERO, `v:value,length` a VAL."""
    runs = []
    at = HEADER
    while at < len(value):
        byte = value[at]
        if byte & 0x80:
            runs.append(b"v:%d,%d" % ((byte >> 2 & 0x1F) + 1, (byte & 3) + 1))
        elif byte & 0x40:
            at += 1
            low = value[at] if at < len(value) else 0
            runs.append(b"Z:%d" % (((byte & 0x3F) << 8 | low) + 1))
        else:
            runs.append(b"z:%d" % (byte + 1))
        at += 1
    return b" ".join(runs)
