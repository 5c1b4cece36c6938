"""The checksum of RDB files."""

from __future__ import annotations

import random

import pytest

from alcove.codec.crc64 import crc64

POLYNOMIAL = 0xAD93D23594C935A9


def by_bits(data: bytes) -> int:
    """The definition: bit by bit, the lowest of each byte first, the result mirrored."""
    crc = 0
    for byte in data:
        for bit in range(8):
            top = crc >> 63 & 1
            crc = crc << 1 & 2**64 - 1
            if top ^ (byte >> bit & 1):
                crc ^= POLYNOMIAL
    return int(f"{crc:064b}"[::-1], 2)


def test_check_value() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert crc64(b"") == 0


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 300])
def test_is_what_the_definition_says(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert crc64(data) == by_bits(data)


def test_goes_on_where_it_ended() -> None:
    data = random.Random(1).randbytes(200)
    whole = crc64(data)
    for cut in range(len(data) + 1):
        assert crc64(data[cut:], crc64(data[:cut])) == whole


def test_takes_any_buffer() -> None:
    data = bytes(range(256))
    assert crc64(bytearray(data)) == crc64(memoryview(data)) == crc64(data)
    with pytest.raises(TypeError):
        crc64("text")  # type: ignore[arg-type]
