"""What servers before Redis 7 wrote: ziplists, zipmaps, and the values made of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.codec.old import read_ziplist, read_zipmap
from alcove.codec.payload import dump, restore, sealed
from alcove.codec.primitives import Decoder, Encoder, Malformed
from alcove.types.limits import Limits
from tests.codec.old_encodings import ziplist, zipmap
from tests.codec.samples import BINARY, NUMBERS, content, kept, many

WORDS = [b"", b"a", b"word" * 20, BINARY, b"x" * 20_000, *NUMBERS]


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.booleans())
def test_ziplists(elements: list[bytes], long_sizes: bool) -> None:
    assert read_ziplist(ziplist(*elements, long_sizes=long_sizes)) == elements


@given(st.lists(st.sampled_from(WORDS), max_size=6), st.integers(0, 255))
def test_zipmaps(words: list[bytes], unused: int) -> None:
    flat = words + words
    assert read_zipmap(zipmap(*flat, unused=unused)) == flat


def test_what_the_documentation_says() -> None:
    """Sequences put together after the descriptions in the sources of the real server."""
    listed = "1b00000016000000040000f20203616263" + "05f0701101" + "05c0d4fe" + "ff"
    assert read_ziplist(bytes.fromhex(listed)) == [b"1", b"abc", b"70000", b"-300"]
    assert read_zipmap(b"\x02\x03foo\x03\x00bar\x05hello\x05\x00world\xff") == [b"foo", b"bar", b"hello", b"world"]


ZIPLIST = ziplist(b"1", b"abc", b"70000", b"d" * 100)
ZIPMAP = zipmap(b"foo", b"bar", b"hello", b"world", unused=2)


def test_cut_off() -> None:
    for size in range(len(ZIPLIST)):
        with pytest.raises(Malformed):
            read_ziplist(ZIPLIST[:size])
    for size in range(len(ZIPMAP)):
        with pytest.raises(Malformed):
            read_zipmap(ZIPMAP[:size])


def test_changed_bytes_never_do_harm() -> None:
    source = random.Random(7)
    for sequence, read in ((ZIPLIST, read_ziplist), (ZIPMAP, read_zipmap)):
        for _ in range(3000):
            changed = bytearray(sequence)
            for _ in range(source.randint(1, 3)):
                changed[source.randrange(len(changed))] = source.choice((source.randrange(256), 0, 254, 255))
            try:
                found = read(bytes(changed))
            except Malformed:
                continue
            assert sum(map(len, found)) <= 20 * len(changed)


@pytest.mark.parametrize(
    "changed",
    [
        ZIPLIST[:4] + b"\x0a" + ZIPLIST[5:],
        ZIPLIST[:8] + b"\x05" + ZIPLIST[9:],
        ZIPLIST[:12] + b"\x03" + ZIPLIST[13:],
        b"\x03" + ZIPMAP[1:],
        ZIPMAP[:-1] + b"\x01\xff",
        ZIPMAP + b"\xff",
    ],
)
def test_malformed(changed: bytes) -> None:
    with pytest.raises(Malformed):
        (read_zipmap if changed[1:4] == ZIPMAP[1:4] or changed[:4] == ZIPMAP[:4] else read_ziplist)(changed)


def read_value(kind: int, *parts: bytes | int) -> object:
    encoder = Encoder()
    encoder.byte(kind)
    for part in parts:
        if isinstance(part, bytes):
            encoder.string(part)
        else:
            encoder.length(part)
    return content(restore(sealed(encoder.take(), 6), Limits()))


def test_values() -> None:
    assert read_value(10, ziplist(*NUMBERS)) == NUMBERS
    assert read_value(14, 2, ziplist(b"a", b"1"), ziplist(b"b")) == [b"a", b"1", b"b"]
    assert read_value(12, ziplist(b"a", b"1.5", b"b", b"-3")) == [(b"b", -3.0), (b"a", 1.5)]
    assert read_value(13, ziplist(b"f", b"1", b"g", b"word")) == ({b"f": b"1", b"g": b"word"}, [])
    assert read_value(9, zipmap(b"f", b"1", b"g", b"word")) == ({b"f": b"1", b"g": b"word"}, [])
    fields = [word for number in range(600) for word in (b"f%d" % number, b"v")]
    assert len(read_value(13, ziplist(*fields))[0]) == 600  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "sequence"),
    [
        (12, ziplist(b"a", b"1", b"b")),
        (12, ziplist(b"a", b"1", b"a", b"2")),
        (12, ziplist(b"a", b"b")),
        (13, ziplist(b"f")),
        (13, ziplist(b"f", b"1", b"f", b"2")),
        (9, zipmap(b"f", b"1", b"f", b"2")),
        (10, ziplist()),
    ],
)
def test_values_of_nonsense(kind: int, sequence: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_value(kind, sequence)


def test_streams_of_the_first_form() -> None:
    """What the second form has more can be told again, but for the counters."""
    whole = content(kept("stream_groups"))
    entries, counters, found = content(restore(sealed(first_form(dump(kept("stream_groups"), 10)), 9), Limits()))
    assert entries == whole[0]
    assert counters == (whole[1][0], whole[1][1], bytes(16), len(entries))
    assert [(name, last, read) for name, last, read, _ in found] == [(name, last, -1) for name, last, _, _ in whole[2]]
    for (_, _, _, consumers), (_, _, _, expected) in zip(found, whole[2], strict=True):
        assert [(name, records) for name, _, _, records in consumers] == [
            (name, records) for name, _, _, records in expected
        ]
        assert all(active == seen for _, seen, active, _ in consumers)


def first_form(payload: bytes) -> bytes:
    """The body of a stream of the second form without what the first has not."""
    decoder = Decoder(payload)
    encoder = Encoder()

    def length() -> int:
        number = decoder.length()
        encoder.length(number)
        return number

    assert decoder.byte() == 19
    encoder.byte(15)
    for _ in range(2 * length()):
        encoder.string(decoder.string())
    for _ in range(3):  # entries, last ID
        length()
    for _ in range(5):  # first ID, highest deleted ID, entries added
        decoder.length()
    for _ in range(length()):
        encoder.string(decoder.string())
        length()
        length()
        decoder.length()  # entries read
        for _ in range(length()):
            encoder.raw(decoder.raw(24))
            length()
        for _ in range(length()):
            encoder.string(decoder.string())
            encoder.raw(decoder.raw(8))
            for _ in range(length()):
                encoder.raw(decoder.raw(16))
    return encoder.take()


def test_lists_of_many_old_nodes() -> None:
    nodes = [ziplist(*many(f"node{number}", 50)) for number in range(40)]
    found = read_value(14, len(nodes), *nodes)
    assert found == [element for number in range(40) for element in many(f"node{number}", 50)]
