"""Bits and bit fields of a string value against a model of bits as a text of zeros and ones."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.types import bits

mostly_uniform = st.builds(
    lambda fill, before, middle, after: bytes([fill]) * before + middle + bytes([fill]) * after,
    st.sampled_from([0x00, 0xFF]), st.integers(0, 40), st.binary(max_size=3), st.integers(0, 40),
)  # fmt: skip
values = st.one_of(st.binary(max_size=60), mostly_uniform, st.binary(max_size=60).map(bytearray))


def digits(data: bytes | bytearray) -> str:
    return "".join(f"{byte:08b}" for byte in data)


@st.composite
def values_with_a_range(draw: st.DrawFn) -> tuple[bytes | bytearray, int, int]:
    data = draw(values)
    first = draw(st.integers(0, len(data) * 8))
    return data, first, draw(st.integers(first, len(data) * 8))


@given(values_with_a_range())
def test_count(case: tuple[bytes | bytearray, int, int]) -> None:
    data, first, stop = case
    assert bits.count(data, first, stop) == digits(data)[first:stop].count("1")


@given(values_with_a_range(), st.sampled_from([0, 1]))
def test_position(case: tuple[bytes | bytearray, int, int], bit: int) -> None:
    data, first, stop = case
    assert bits.position(data, bit, first, stop) == digits(data).find(str(bit), first, stop)


def combined_by_the_bit(operation: bytes, column: list[int]) -> int:
    first, others = column[0], column[1:]
    if operation == b"AND":
        return int(all(column))
    if operation == b"OR":
        return int(any(column))
    if operation == b"XOR":
        return reduce(lambda a, b: a ^ b, column)
    if operation == b"NOT":
        return 1 - first
    if operation == b"DIFF":
        return int(first and not any(others))
    if operation == b"DIFF1":
        return int(not first and any(others))
    if operation == b"ANDOR":
        return int(first and any(others))
    return int(sum(column) == 1)


@pytest.mark.parametrize("operation", bits.OPERATIONS)
@given(data=st.data())
def test_combine(operation: bytes, data: st.DataObject) -> None:
    fewest = 2 if operation in (b"DIFF", b"DIFF1", b"ANDOR") else 1
    operands = data.draw(st.lists(values, min_size=fewest, max_size=1 if operation == b"NOT" else 5))
    result = bits.combine(operation, operands)
    assert type(result) is bytearray
    size = max(map(len, operands))
    rows = [digits(operand.ljust(size, b"\0")) for operand in operands]
    columns = ([int(row[i]) for row in rows] for i in range(size * 8))
    assert digits(result) == "".join(str(combined_by_the_bit(operation, column)) for column in columns)


@pytest.mark.parametrize("operation", bits.OPERATIONS)
def test_combine_more_than_one_block(operation: bytes) -> None:
    pattern = bytes(range(256))
    operands: list[bytes | bytearray] = [pattern * 40]
    if operation != b"NOT":
        operands += [pattern[::-1] * 16 + b"\x0f", pattern[1:]]
    size = len(operands[0])
    whole = bits.combine(operation, operands)
    for start in range(0, size, 1000):
        pieces: list[bytes | bytearray] = [operand[start : start + 1000] for operand in operands]
        assert whole[start : start + 1000] == bits.combine(operation, pieces)


def test_grow() -> None:
    data = bytearray(b"abc")
    bits.grow(data, 2)
    assert data == b"abc"
    bits.grow(data, 7)
    assert data == b"abc\0\0\0\0"


@st.composite
def field_types(draw: st.DrawFn) -> tuple[int, bool]:
    signed = draw(st.booleans())
    return draw(st.integers(1, 64 if signed else 63)), signed


@given(values, st.integers(0, 600), field_types())
def test_read_field(data: bytes | bytearray, offset: int, kind: tuple[int, bool]) -> None:
    width, signed = kind
    expected = int((digits(data) + "0" * 700)[offset : offset + width], 2)
    if signed and expected >= 1 << (width - 1):
        expected -= 1 << width
    assert bits.read_field(data, offset, width, signed) == expected


@given(st.binary(min_size=9, max_size=60), st.data(), field_types(), st.integers(-(1 << 64), 1 << 64))
def test_write_field(before: bytes, data: st.DataObject, kind: tuple[int, bool], value: int) -> None:
    width, signed = kind
    offset = data.draw(st.integers(0, len(before) * 8 - width))
    after = bytearray(before)
    bits.write_field(after, offset, width, value)
    assert digits(after)[:offset] == digits(before)[:offset]
    assert digits(after)[offset + width :] == digits(before)[offset + width :]
    read_back = bits.read_field(after, offset, width, signed)
    assert (read_back - value) % (1 << width) == 0
