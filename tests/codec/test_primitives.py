"""Lengths, strings and numbers of RDB files, and the buffer that refills."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alcove.codec.crc64 import crc64
from alcove.codec.primitives import CHUNK, Decoder, Encoder, Malformed, Truncated

UINT64_MAX = 2**64 - 1


def written(write: Callable[[Encoder], object], compress: bool = True) -> bytes:
    encoder = Encoder(compress)
    write(encoder)
    size = len(encoder)
    data = encoder.take()
    assert size == len(data)
    assert len(encoder) == 0
    return data


@pytest.mark.parametrize(
    ("number", "form"),
    [
        (0, "00"),
        (63, "3f"),
        (64, "4040"),
        (16383, "7fff"),
        (16384, "8000004000"),
        (2**32 - 1, "80ffffffff"),
        (2**32, "810000000100000000"),
        (UINT64_MAX, "81ffffffffffffffff"),
    ],
)
def test_lengths(number: int, form: str) -> None:
    data = written(lambda encoder: encoder.length(number))
    assert data == bytes.fromhex(form)
    assert Decoder(data).length() == number


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (b"", "00"),
        (b"0", "c000"),
        (b"-128", "c080"),
        (b"127", "c07f"),
        (b"128", "c18000"),
        (b"-32768", "c10080"),
        (b"32768", "c200800000"),
        (b"-2147483648", "c200000080"),
        (b"2147483647", "c2ffffff7f"),
        (b"2147483648", "0a" + b"2147483648".hex()),
        (b"-2147483649", "0b" + b"-2147483649".hex()),
        (b"-0", "022d30"),
        (b"-", "012d"),
        (b"007", "03303037"),
        (b"+1", "022b31"),
        (b"1 ", "023120"),
        (b"a" * 20, "14" + "61" * 20),
        (b"a" * 37, "c30925016161e01800" + "016161"),
    ],
)
def test_forms_of_strings(text: bytes, form: str) -> None:
    data = written(lambda encoder: encoder.string(text))
    if data[0] != 0xC3:
        assert data == bytes.fromhex(form)
    assert Decoder(bytes.fromhex(form)).string() == text
    assert Decoder(data).string() == text
    assert written(lambda encoder: encoder.string(bytearray(text))) == data


def test_compression_is_a_choice() -> None:
    text = b"alcove " * 100
    assert written(lambda encoder: encoder.string(text), False) == b"\x42\xbc" + text
    assert len(written(lambda encoder: encoder.string(text))) < 40


@given(st.binary(max_size=300).flatmap(lambda text: st.integers(1, 90).map(lambda times: text * times)))
@example(b"a" * 70_000)
def test_strings_come_back(text: bytes) -> None:
    data = written(lambda encoder: encoder.string(text))
    decoder = Decoder(data)
    assert decoder.string() == text
    assert decoder.position == len(data)


@given(st.integers(-(2**63), 2**63 - 1), st.floats())
def test_numbers_come_back(number: int, value: float) -> None:
    encoder = Encoder()
    encoder.int64(number)
    encoder.double(value)
    decoder = Decoder(encoder.take())
    assert decoder.int64() == number
    back = decoder.double()
    assert back == value or (math.isnan(back) and math.isnan(value))


@pytest.mark.parametrize(("data", "value"), [(b"\x0317e", None), (b"\x041e10", 1e10), (b"\xfe", math.inf)])
def test_doubles_as_text(data: bytes, value: float | None) -> None:
    if value is None:
        with pytest.raises(Malformed):
            Decoder(data).double_text()
    else:
        assert Decoder(data).double_text() == value
    assert Decoder(b"\xff").double_text() == -math.inf
    assert math.isnan(Decoder(b"\xfd").double_text())


@pytest.mark.parametrize("data", [b"\xc4\x00\x00", b"\x82\x00", b"\xff", b"\xc3\x01\x05\x00", b"\xc3\x02\x05\x20\x07"])
def test_malformed_strings(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Decoder(data).string()


def test_claims_are_not_believed() -> None:
    largest = b"\x80\xff\xff\xff\xff"
    for claim in (b"\x81" + b"\xff" * 8, b"\x81\x40" + bytes(7), largest, b"\x0a", b"\xc3" + largest + b"\x05"):
        with pytest.raises(Truncated):
            Decoder(claim + b"12345").string()
        with pytest.raises(Truncated):
            Decoder(b"", reader([claim, b"12345"])).string()
        with pytest.raises(Truncated):
            Decoder(b"", reader([claim, b"12345"]), len(claim) + 5).string()


def reader(pieces: list[bytes]) -> Callable[[int], bytes]:
    """A source that answers these pieces one after the other, whatever is asked for."""
    left = iter(pieces)
    return lambda size: next(left, b"")


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 7))
def test_pieces_are_put_together(texts: list[bytes], size: int) -> None:
    encoder = Encoder()
    for text in texts:
        encoder.string(text)
    data = encoder.take()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    decoder = Decoder(b"", reader(pieces), len(data), True)
    assert [decoder.string() for _ in texts] == texts
    assert decoder.position == len(data)
    assert decoder.checksum() == crc64(data)
    with pytest.raises(Truncated):
        decoder.byte()


def test_reads_in_chunks_and_no_more_at_once_than_needed() -> None:
    asked: list[int] = []
    data = bytes(10 * CHUNK)

    def read(size: int) -> bytes:
        asked.append(size)
        start = sum(asked[:-1])
        return data[start : start + size]

    decoder = Decoder(b"", read)
    for _ in range(20):
        assert len(decoder.raw(CHUNK // 2)) == CHUNK // 2
    assert max(asked) <= CHUNK


def test_the_checksum_is_that_of_what_was_consumed() -> None:
    data = bytes(range(200))
    decoder = Decoder(data, summing=True)
    for size in (1, 0, 30, 8, 100):
        decoder.raw(size)
        assert decoder.checksum() == crc64(data[: decoder.position])


def test_an_encoder_can_be_used_again() -> None:
    encoder = Encoder(False)
    for size in (10, 1 << 20, 5):
        encoder.string(b"x" * size)
        assert Decoder(encoder.take()).string() == b"x" * size
    assert encoder.take() == b""
    with pytest.raises(TypeError):
        encoder.string("text")  # type: ignore[arg-type]


def test_members_with_their_scores_come_last_first() -> None:
    members = [b"a", b"12", b"a longer one, a longer one, a longer one"]
    scores = [-1.5, 0.0, math.inf]
    encoder = Encoder()
    encoder.scored(members, array("d", scores).tobytes())
    decoder = Decoder(encoder.take())
    assert [(decoder.string(), decoder.double()) for _ in members] == list(zip(members, scores, strict=True))[::-1]
    with pytest.raises(ValueError, match=r"as many scores as members|argument 2 is shorter"):
        encoder.scored(members, bytes(16))
