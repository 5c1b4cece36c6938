"""The compression of strings in RDB files."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.codec.lzf import Expansion, compress, compress_part, decompress

# Compressed strings from DUMP payloads of redis-server 7.0, and what they stand for.
FROM_THE_REAL_SERVER = [
    ("016161e01800016161", b"a" * 37),
    ("0361626361e00602016263", b"abc" * 7),
    ("07416c636f76652041e02e060078e0ff00e01800017878", b"Alcove " * 9 + b"x" * 300),
]


@pytest.mark.parametrize(("compressed", "data"), FROM_THE_REAL_SERVER)
def test_reads_what_the_real_server_writes(compressed: str, data: bytes) -> None:
    assert decompress(bytes.fromhex(compressed), len(data)) == data


@given(st.binary(max_size=40).flatmap(lambda word: st.lists(st.sampled_from([word, b"a", b"ab", b"\0" * 9, b"xyz"]))))
def test_what_is_compressed_comes_back(words: list[bytes]) -> None:
    data = b"".join(words)
    compressed = compress(data)
    if compressed is not None:
        assert len(compressed) <= len(data) - 4
        assert decompress(compressed, len(data)) == data


@pytest.mark.parametrize("size", [5, 20, 263, 264, 265, 266, 267, 8191, 8192, 8193, 70_000])
def test_what_repeats_gets_shorter(size: int) -> None:
    for data in (b"a" * size, (b"Alcove, " * size)[:size]):
        compressed = compress(data)
        if size > 20:
            assert compressed is not None
            assert len(compressed) < size // 3
        if compressed is not None:
            assert decompress(compressed, size) == data


def test_what_is_random_or_short_stays() -> None:
    assert compress(random.Random(1).randbytes(5000)) is None
    for size in range(6):
        assert compress(b"a" * size) is None


@given(st.lists(st.binary(max_size=100).map(lambda word: word * 3) | st.binary(max_size=100), max_size=6))
def test_parts_are_one_behind_the_other(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert decompress(b"".join(map(compress_part, parts)), len(whole)) == whole


@given(st.lists(st.binary(max_size=100).map(lambda word: word * 3), max_size=6), st.integers(1, 300))
def test_expanded_step_by_step_it_is_the_same(words: list[bytes], count: int) -> None:
    whole = b"".join(words)
    expansion = Expansion(compress_part(whole), len(whole))
    steps = 1
    while not expansion.step(count):
        steps += 1
    assert expansion.value == whole
    assert steps <= len(whole) // count + 1


def test_copies_reach_8192_bytes_back_and_no_farther() -> None:
    marked = random.Random(2).randbytes(40)
    for gap in range(8140, 8200):
        data = marked + random.Random(3).randbytes(gap) + marked + b"\0" * 4000
        compressed = compress(data)
        assert compressed is not None
        assert decompress(compressed, len(data)) == data


def expanded(data: bytes, size: int) -> bytes:
    """By the smallest steps."""
    expansion = Expansion(data, size)
    while not expansion.step(1):
        pass
    return expansion.value


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", 1),
        (b"\x00", 1),
        (b"\x05abc", 6),
        (b"\x00a", 0),
        (b"\x00a", 2),
        (b"\x00a\x20", 4),
        (b"\x00a\x20\x01", 4),
        (b"\x00a\xe0\x00", 10),
        (b"\x00a\xe0\xff\x00", 264),
        (b"\x00a\x20\x00", 3),
        (b"\x00a", 2**60),
        (b"\x00a", -1),
    ],
)
def test_malformed(data: bytes, size: int) -> None:
    with pytest.raises(ValueError, match="malformed LZF string"):
        decompress(data, size)


def test_random_bytes_never_do_harm() -> None:
    source = random.Random(4)
    for _ in range(5000):
        data = source.randbytes(source.randrange(40))
        size = source.randrange(60)
        try:
            made = decompress(data, size)
        except ValueError:
            continue
        assert len(made) == size
