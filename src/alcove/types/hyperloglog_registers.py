"""The registers of a HyperLogLog, dense and sparse; the plain twin of hyperloglog_registers.pyx.

The format is told in hyperloglog.py. Dense registers are taken apart and put together by whole columns: of each
three bytes, which hold four registers, all the first ones at once, by tables and big integers.
"""

from __future__ import annotations

from typing import Final

REGISTERS: Final = 16384

_HEADER: Final = 16
_HIGHEST_SPARSE_RANK: Final = 32
_LONGEST_VALUE_RUN: Final = 4
_RUNS_TO_MERGE: Final = 5
_CORRUPT: Final = "the registers of this HyperLogLog are corrupt"

_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
_HASH_SEED: Final = 0xADC83B19
_HASH_FACTOR: Final = 0xC6A4A7935BD1E995

_LOW_SIX: Final = bytes(byte & 0x3F for byte in range(256))
_TOP_TWO: Final = bytes(byte >> 6 for byte in range(256))
_LOW_FOUR_UP_TWO: Final = bytes((byte & 0x0F) << 2 for byte in range(256))
_TOP_FOUR: Final = bytes(byte >> 4 for byte in range(256))
_LOW_TWO_UP_FOUR: Final = bytes((byte & 0x03) << 4 for byte in range(256))
_TOP_SIX: Final = bytes(byte >> 2 for byte in range(256))
_TWO_OF_EACH: Final = int.from_bytes(b"\x03" * (REGISTERS // 4), "little")
_FOUR_OF_EACH: Final = int.from_bytes(b"\x0f" * (REGISTERS // 4), "little")


def hash64(element: bytes) -> int:
    """MurmurHash64A by Austin Appleby, in the public domain, with the real server's seed."""
    size = len(element)
    result = _HASH_SEED ^ (size * _HASH_FACTOR & _MASK)
    whole = size & ~7
    for start in range(0, whole, 8):
        word = int.from_bytes(element[start : start + 8], "little") * _HASH_FACTOR & _MASK
        word = (word ^ word >> 47) * _HASH_FACTOR & _MASK
        result = (result ^ word) * _HASH_FACTOR & _MASK
    if size > whole:
        result = (result ^ int.from_bytes(element[whole:], "little")) * _HASH_FACTOR & _MASK
    result = (result ^ result >> 47) * _HASH_FACTOR & _MASK
    return result ^ result >> 47


def add(value: bytearray, element: bytes, sparse_max_bytes: int) -> bool:
    """Counts an element; whether it changed a register. A sparse value that would outgrow the limit turns dense."""
    bits = hash64(element)
    rest = bits >> 14 | 1 << 50
    rank = (rest & -rest).bit_length()
    return _raise(value, bits & (REGISTERS - 1), rank, sparse_max_bytes, [_HEADER, 0])


def raise_all(value: bytearray, registers: bytearray, sparse_max_bytes: int) -> None:
    """Raises each register to the one given, one after the other as PFMERGE does."""
    resume = [_HEADER, 0]
    for index, rank in enumerate(registers):
        if rank:
            _raise(value, index, rank, sparse_max_bytes, resume)


def _raise(value: bytearray, index: int, rank: int, sparse_max_bytes: int, resume: list[int]) -> bool:
    if value[4] != 0:
        changed = _raise_sparse(value, index, rank, sparse_max_bytes, resume)
        if changed is not None:
            return changed
        registers = bytearray(REGISTERS)
        merge(registers, value)
        value[_HEADER:] = pack(registers)
        value[4] = 0
    return _raise_dense(value, index, rank)


def _raise_dense(value: bytearray, index: int, rank: int) -> bool:
    at = _HEADER + index * 6 // 8
    shift = index * 6 % 8
    pair = int.from_bytes(value[at : at + 2], "little")
    if pair >> shift & 0x3F >= rank:
        return False
    pair = pair & ~(0x3F << shift) | rank << shift
    value[at : at + 2] = pair.to_bytes(2, "little")[: len(value) - at]
    return True


def _raise_sparse(value: bytearray, index: int, rank: int, limit: int, resume: list[int]) -> bool | None:
    """Whether the register had to be raised; None when only a dense value can hold the result.

    `resume` says where to look: an offset and the register that the run there begins with. It is left at the run
    before the one found, so that registers raised in rising order cost one walk.
    """
    if rank > _HIGHEST_SPARSE_RANK:
        return None
    previous = at = resume[0]
    previous_first = first = resume[1]
    while True:
        if at >= len(value):
            raise ValueError(_CORRUPT)
        held, length, size = _run_at(value, at)
        if index < first + length:
            break
        previous, previous_first = at, first
        at += size
        first += length
    if at == previous != _HEADER:
        # The run to resume from has grown over this register: which one precedes it is only known from the front.
        resume[:] = _HEADER, 0
        return _raise_sparse(value, index, rank, limit, resume)
    resume[:] = previous, previous_first
    if held >= rank:
        return False
    before = index - first
    runs = _run(held, before) + _run(rank, 1) + _run(held, length - before - 1)
    growth = len(runs) - size
    if growth > 0 and len(value) + growth > limit:
        return None
    value[at : at + size] = runs
    _merge_runs(value, previous)
    return True


def _run_at(value: bytes | bytearray, at: int) -> tuple[int, int, int]:
    """The value of a run's registers, how many they are, and how many bytes the run takes."""
    byte = value[at]
    if byte & 0x80:
        return (byte >> 2 & 0x1F) + 1, (byte & 0x03) + 1, 1
    if not byte & 0x40:
        return 0, byte + 1, 1
    if at + 1 == len(value):
        raise ValueError(_CORRUPT)
    return 0, ((byte & 0x3F) << 8 | value[at + 1]) + 1, 2


def _run(held: int, length: int) -> bytes:
    if length == 0:
        return b""
    if held:
        return bytes((0x80 | (held - 1) << 2 | (length - 1),))
    if length > 64:
        return bytes((0x40 | (length - 1) >> 8, (length - 1) & 0xFF))
    return bytes((length - 1,))


def _merge_runs(value: bytearray, at: int) -> None:
    """Joins neighbours of equal value from `at` on, looking at as many runs as the real server does."""
    for _ in range(_RUNS_TO_MERGE):
        if at >= len(value):
            break
        byte = value[at]
        following = value[at + 1] if at + 1 < len(value) else 0
        length = (byte & 0x03) + (following & 0x03) + 2
        if byte & following & 0x80 and (byte ^ following) & 0x7C == 0 and length <= _LONGEST_VALUE_RUN:
            value[at : at + 2] = bytes((byte & 0xFC | (length - 1),))
        else:
            at += 2 if byte & 0xC0 == 0x40 else 1


def merge(registers: bytearray, value: bytes | bytearray) -> None:
    """Raises registers of one byte each to those of a value."""
    others = _unpack(value) if value[4] == 0 else _expand(value)
    registers[:] = bytes(map(max, registers, others)) if any(registers) else others


def _expand(value: bytes | bytearray) -> bytes:
    """The registers of a sparse value, which must be exactly all of them."""
    runs = []
    at = _HEADER
    missing = REGISTERS
    while at < len(value):
        held, length, size = _run_at(value, at)
        missing -= length
        if missing < 0:
            raise ValueError(_CORRUPT)
        runs.append(bytes((held,)) * length)
        at += size
    if missing:
        raise ValueError(_CORRUPT)
    return b"".join(runs)


def _unpack(value: bytes | bytearray) -> bytes:
    """The registers of a dense value."""
    first, second, third = (bytes(value[_HEADER + column :: 3]) for column in range(3))
    registers = bytearray(REGISTERS)
    registers[0::4] = first.translate(_LOW_SIX)
    registers[1::4] = _either(first.translate(_TOP_TWO), second.translate(_LOW_FOUR_UP_TWO))
    registers[2::4] = _either(second.translate(_TOP_FOUR), third.translate(_LOW_TWO_UP_FOUR))
    registers[3::4] = third.translate(_TOP_SIX)
    return bytes(registers)


def pack(registers: bytearray) -> bytearray:
    """The dense form of registers of one byte each, without a header."""
    columns = [int.from_bytes(registers[column::4], "little") for column in range(4)]
    packed = bytearray(REGISTERS * 6 // 8)
    # What a shift moves into the next byte is cut off by the mask; registers below 64 leave room for two bits.
    first = columns[0] | (columns[1] & _TWO_OF_EACH) << 6
    second = (columns[1] >> 2 & _FOUR_OF_EACH) | (columns[2] & _FOUR_OF_EACH) << 4
    third = (columns[2] >> 4 & _TWO_OF_EACH) | columns[3] << 2
    for column, number in enumerate((first, second, third)):
        packed[column::3] = number.to_bytes(REGISTERS // 4, "little")
    return packed


def _either(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "little") | int.from_bytes(right, "little")).to_bytes(len(left), "little")


def histogram(registers: bytearray) -> list[int]:
    """How many registers have each value from 0 to 63."""
    return [registers.count(held) for held in range(64)]
