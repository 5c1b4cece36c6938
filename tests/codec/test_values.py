"""Values of every type in the RDB encoding, both ways, and what is malformed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from alcove.codec.payload import WrongFrame, dump, restore, sealed, unsealed
from alcove.codec.primitives import Decoder, Encoder, Malformed
from alcove.codec.values import decode, encode_steps, is_empty, kind_of
from alcove.types.hash import Hash
from alcove.types.limits import Limits
from alcove.types.list import List
from alcove.types.listpack import Listpack
from alcove.types.set import Set
from alcove.types.sorted_set import SortedSet
from tests.codec.samples import SAMPLES, content, kept

VERSIONS = [10, 11, 12, 80]


def encoding(value: Any) -> bytes:
    return b"" if isinstance(value, bytes | bytearray) else bytes(value.encoding)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SAMPLES)
def test_comes_back(name: str, version: int) -> None:
    value = kept(name)
    for compress in (True, False):
        payload = dump(value, version, compress)
        back = restore(payload, Limits())
        seen, expected = content(back), content(value)
        if version == 10 and name.startswith("stream"):
            forget_activity(seen, expected)
        assert seen == expected
        assert encoding(back) == encoding(value)
        assert dump(back, version, compress) == payload or isinstance(value, Set)


def forget_activity(*seen: Any) -> None:
    """Version 10 does not tell when a consumer was last active."""
    for _, _, groups in seen:
        for _, _, _, consumers in groups:
            consumers[:] = [(name, seen_ms, None, records) for name, seen_ms, _, records in consumers]


@pytest.mark.parametrize("name", SAMPLES)
def test_in_steps_it_is_the_same(name: str) -> None:
    value = kept(name)
    encoder = Encoder()
    encoder.byte(kind_of(value, 11))
    largest = 0
    for _ in encode_steps(encoder, kind_of(value, 11), value):
        largest = max(largest, len(encoder))
    body = encoder.take()
    assert sealed(body, 11) == dump(value, 11)
    assert largest < 30_000 or largest <= len(body)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("kind", ["zeros", "random", "first random", "at last random"])
def test_a_long_string_in_steps(kind: str, compress: bool) -> None:
    half = 1_234_567
    disorder = random.Random(0).randbytes(half)
    whole = {
        "zeros": bytes(half),
        "random": disorder,
        "first random": disorder + bytes(half),
        "at last random": bytes(half) + disorder,
    }[kind]
    encoder = Encoder(compress)
    body = b""
    for _ in encode_steps(encoder, 0, bytearray(whole)):
        assert len(encoder) < 70_000
        body += encoder.take()
    decoder = Decoder(body)
    assert decoder.string() == whole
    assert decoder.position == len(body)
    assert (len(body) < len(whole) * 3 // 4) == (compress and kind in ("zeros", "at last random"))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("string_word", (0, 0)),
        ("list_small", (18, 18)),
        ("set_16", (11, 11)),
        ("set_words", (2, 20)),
        ("set_table", (2, 2)),
        ("zset_scores", (17, 17)),
        ("zset_table", (5, 5)),
        ("hash_small", (16, 16)),
        ("hash_table", (4, 4)),
        ("stream_groups", (19, 21)),
    ],
)
def test_kinds(name: str, kinds: tuple[int, int]) -> None:
    value = kept(name)
    assert (kind_of(value, 10), kind_of(value, 11)) == kinds


def hash_with_deadlines(count: int, first_ms: int) -> Hash:
    value = Hash(Limits())
    for number in range(count):
        value.set(b"f%d" % number, b"v%d" % number)
        if number % 3:
            value.set_deadline(b"f%d" % number, first_ms + 1000 * (count - number))
    return value


@pytest.mark.parametrize(("count", "kinds"), [(5, (25, 22)), (700, (24, 22))])
def test_deadlines_of_fields(count: int, kinds: tuple[int, int]) -> None:
    value = hash_with_deadlines(count, 1_700_000_000_000)
    for version in VERSIONS:
        assert kind_of(value, version) == kinds[version == 80]
        back = restore(dump(value, version), Limits())
        assert content(back) == content(value)
        assert back.next_deadline == value.next_deadline


def body_of(kind: int, *parts: bytes | int | float) -> bytes:
    """A body made by hand: bytes are strings, numbers lengths, floats doubles."""
    encoder = Encoder()
    encoder.byte(kind)
    for part in parts:
        if isinstance(part, bytes):
            encoder.string(part)
        elif isinstance(part, float):
            encoder.double(part)
        else:
            encoder.length(part)
    return encoder.take()


def read(body: bytes, version: int = 11, limits: Limits | None = None) -> Any:
    return restore(sealed(body, version), limits or Limits())


def read_unsealed(body: bytes, version: int = 11) -> Any:
    """The same without the checksum, which takes its time where it is plain Python."""
    decoder = Decoder(body)
    return decode(decoder, decoder.byte(), Limits(), version)


def packed(*elements: bytes) -> bytes:
    pack = Listpack()
    for element in elements:
        pack.append(element)
    return pack.to_bytes()


def le64(number: int) -> bytes:
    return number.to_bytes(8, "little", signed=True)


def test_both_dialects_of_kind_22_and_the_early_forms() -> None:
    valkey = bytes((22, 2)) + b"\x01f\x01v" + le64(5000) + b"\x01g\x01w" + le64(-1)
    assert content(read(valkey, 80)) == ({b"f": b"v", b"g": b"w"}, [(b"f", 5000.0)])
    early = body_of(22, 2, 5000, b"f", b"v", 0, b"g", b"w")
    assert content(read(early, 12)) == ({b"f": b"v", b"g": b"w"}, [(b"f", 5000.0)])
    early_packed = body_of(23, packed(b"f", b"v", b"5000", b"g", b"w", b"0"))
    assert content(read(early_packed, 12)) == ({b"f": b"v", b"g": b"w"}, [(b"f", 5000.0)])
    redis = bytes((24,)) + le64(5000) + bytes((2, 1)) + b"\x01f\x01v" + b"\x00\x01g\x01w"
    assert content(read(redis, 12)) == ({b"f": b"v", b"g": b"w"}, [(b"f", 5000.0)])


def test_counts_and_strings() -> None:
    assert content(read(body_of(1, 3, b"a", b"", b"12"))) == [b"a", b"", b"12"]
    assert content(read(body_of(2, 2, b"b", b"7"))) == [b"7", b"b"]
    assert content(read(body_of(4, 1, b"f", b"v"))) == ({b"f": b"v"}, [])
    texts = bytes((3, 4)) + b"\x01a\x031.5" + b"\x01b\xfe" + b"\x01c\xff" + b"\x01d\x02-0"
    assert content(read(texts)) == [(b"c", float("-inf")), (b"d", 0.0), (b"a", 1.5), (b"b", float("inf"))]


def test_our_limits_decide_on_the_form() -> None:
    limits = Limits()
    limits.hash_max_listpack_entries = limits.set_max_intset_entries = limits.set_max_listpack_entries = 2
    limits.zset_max_listpack_value = 2
    assert encoding(read(dumped_body("hash_small"), limits=limits)) == b"hashtable"
    assert encoding(read(dumped_body("set_16"), limits=limits)) == b"hashtable"
    assert encoding(read(dumped_body("set_words"), limits=limits)) == b"hashtable"
    assert encoding(read(dumped_body("zset_numbers"), limits=limits)) == b"skiplist"
    assert encoding(read(dumped_body("zset_scores"), limits=Limits())) == b"listpack"
    assert encoding(read(body_of(4, 2, b"f", b"v", b"g", b"w"))) == b"listpack"
    assert encoding(read(body_of(2, 2, b"1", b"2"))) == b"intset"
    assert encoding(read(body_of(18, 1, 2, packed(b"a", b"b")))) == b"listpack"
    assert encoding(read(body_of(18, 2, 2, packed(b"a", b"b"), 2, packed(b"c")))) == b"quicklist"


def test_what_is_not_in_its_shortest_form_is_found_all_the_same() -> None:
    """Numbers written as strings, in too many bytes: how other programs may write a listpack."""
    odd = [b"\x825\x37"[:1] + b"57", b"\xc0\x05", b"\xf1\x07\x00", b"\xf4" + le64(9), b"\xe0\x01x"]
    entries = b"".join(entry + bytes((len(entry),)) for entry in odd)
    data = (7 + len(entries)).to_bytes(4, "little") + (5).to_bytes(2, "little") + entries + b"\xff"
    value = read(body_of(20, data))
    assert content(value) == sorted([b"57", b"5", b"7", b"9", b"x"])


def dumped_body(name: str) -> bytes:
    return unsealed(dump(kept(name), 11))[0]


ENTRY = packed(b"a", b"b")
MALFORMED = {
    "unknown kind": bytes((8,)),
    "a module's value": bytes((7, 1)),
    "nothing": b"",
    "a field twice": body_of(4, 2, b"f", b"v", b"f", b"w"),
    "a member twice": body_of(2, 2, b"a", b"a"),
    "an integer twice": body_of(2, 2, b"7", b"7"),
    "a scored member twice": bytes((5, 2)) + 2 * (b"\x01a" + bytes(8)),
    "NaN": bytes((5, 1)) + b"\x01a" + b"\0\0\0\0\0\0\xf8\x7f",
    "NaN as text": bytes((3, 1)) + b"\x01a\xfd",
    "a word for a score": body_of(17, packed(b"a", b"b")),
    "a NaN for a score": body_of(17, packed(b"a", b"nan")),
    "no score": body_of(17, packed(b"a", b"1", b"b")),
    "a packed member twice": body_of(17, packed(b"a", b"1", b"a", b"2")),
    "no value": body_of(16, packed(b"a", b"1", b"b")),
    "a packed field twice": body_of(16, packed(b"a", b"1", b"a", b"2")),
    "a set's member twice": body_of(20, packed(b"a", b"1", b"a")),
    "no deadline": body_of(23, packed(b"f", b"v")),
    "a word for a deadline": body_of(23, packed(b"f", b"v", b"w")),
    "a deadline of the past": body_of(23, packed(b"f", b"v", b"-1")),
    "a deadline too far": body_of(23, packed(b"f", b"v", b"9223372036854775807")),
    "an earliest deadline too far": bytes((24,)) + le64(2**63 - 1) + b"\x01\x01\x01f\x01v",
    "an earliest deadline below zero": bytes((24,)) + le64(-1) + b"\x01\x01\x01f\x01v",
    "a field with a deadline twice": body_of(23, packed(b"f", b"v", b"1", b"f", b"v", b"2")),
    "unknown node": body_of(18, 1, 3, ENTRY),
    "half a node": body_of(18, 1, 2, ENTRY[:-1]),
    "an intset out of order": body_of(11, bytes.fromhex("0200000002000000") + b"\x02\0\x01\0"),
    "an intset cut off": body_of(11, bytes.fromhex("0200000002000000") + b"\x02\0"),
    "an intset of odd width": body_of(11, bytes.fromhex("0300000000000000")),
    "more behind": body_of(0, b"value") + b"\0",
    "an empty list": body_of(1, 0),
    "an empty set": body_of(2, 0),
    "an empty hash": body_of(16, packed()),
    "an empty sorted set": body_of(5, 0),
    "empty nodes": body_of(18, 1, 2, packed()),
    "more than there is": body_of(2, 1 << 61),
    "much more than there is": body_of(5, (1 << 64) - 1),
    "a stream's node without an ID": body_of(15, 1, b"short", b""),
    "a stream of more than it has": body_of(15, 0, 5, 1, 1, 0),
    "a stream that begins nowhere": body_of(15, 0, 0),
}


@pytest.mark.parametrize("why", MALFORMED)
def test_malformed(why: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read(MALFORMED[why])
    assert not isinstance(caught.value, WrongFrame)


def test_the_empty_can_be_told() -> None:
    decoder = Decoder(body_of(2, 0)[1:])
    assert is_empty(decode(decoder, 2, Limits(), 11))
    assert not is_empty(kept("stream_emptied"))
    assert not is_empty(b"")
    assert is_empty(List(Limits()))


STREAM_HEAD = (0, 0, 5, 5, 0, 0, 0, 0, 9)
BAD_GROUPS = {
    "a group twice": (2, b"g", 0, 0, 0, 0, 0, b"g", 0, 0, 0, 0, 0),
    "entries read beyond reason": (1, b"g", 0, 0, 1 << 63, 0, 0),
}


@pytest.mark.parametrize("why", BAD_GROUPS)
def test_malformed_groups(why: str) -> None:
    with pytest.raises(Malformed):
        read(body_of(21, *STREAM_HEAD, *BAD_GROUPS[why]))


def stream_with(pending: list[int], consumers: list[tuple[bytes, list[int]]]) -> bytes:
    """A stream without entries, with a group of these pending IDs and consumers."""
    encoder = Encoder()
    for number in (*STREAM_HEAD, 1):
        encoder.length(number)
    encoder.string(b"g")
    for number in (0, 0, 0, len(pending)):
        encoder.length(number)
    for ms in pending:
        encoder.raw(ms.to_bytes(16, "big") + le64(1000))
        encoder.length(3)
    encoder.length(len(consumers))
    for name, ids in consumers:
        encoder.string(name)
        encoder.raw(le64(1000) + le64(-1))
        encoder.length(len(ids))
        for ms in ids:
            encoder.raw(ms.to_bytes(16, "big"))
    return bytes((21,)) + encoder.take()


def test_pending_entries_have_one_owner() -> None:
    assert len(content(read(stream_with([1, 2], [(b"a", [1]), (b"b", [2])])))[2][0][3]) == 2
    for pending, consumers in (
        ([1, 2], [(b"a", [1])]),
        ([1], [(b"a", [1]), (b"b", [1])]),
        ([1], [(b"a", [1, 2])]),
        ([1, 1], [(b"a", [1])]),
        ([1], [(b"a", [1]), (b"a", [])]),
    ):
        with pytest.raises(Malformed):
            read(stream_with(pending, consumers))


def test_frames() -> None:
    payload = dump(b"value", 11)
    for changed in (payload[:-1], payload[2:], b"", b"\0" * 9, sealed(b"\0\x01a", 0), sealed(b"\0\x01a", 13)):
        with pytest.raises(WrongFrame):
            restore(changed, Limits())
    for place in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[place >> 3] ^= 1 << (place & 7)
        with pytest.raises(WrongFrame):
            restore(bytes(flipped), Limits())


@pytest.mark.parametrize("name", ["hash_small", "zset_scores", "set_words", "set_16", "list_small", "stream_gaps"])
def test_cut_anywhere(name: str) -> None:
    body = dumped_body(name)
    for size in range(len(body)):
        with pytest.raises(ValueError, match=r"."):
            read_unsealed(body[:size])


@pytest.mark.parametrize("name", SAMPLES)
def test_mutations_do_no_harm(name: str) -> None:
    """Whatever is changed, there is an error or a value whose invariants hold."""
    value = kept(name)
    source = random.Random(name)
    bodies = [unsealed(dump(value, version, compress))[0] for version in (10, 11) for compress in (True, False)]
    survived = 0
    for round_ in range(120):
        body = bytearray(bodies[round_ % 4])
        for _ in range(source.randint(1, 3)):
            place = source.randrange(min(len(body), 200) if source.random() < 0.5 else len(body))
            body[place] = source.choice((source.randrange(256), body[place] ^ 1 << source.randrange(8), 0, 255))
        if source.random() < 0.2:
            del body[source.randrange(len(body)) :]
        try:
            back = read_unsealed(bytes(body), source.choice(VERSIONS))
        except ValueError:
            continue
        survived += 1
        content(back)
    assert survived < 120 or name.startswith("string")


def test_large_scores_and_sizes_of_sorted_sets() -> None:
    value = SortedSet(Limits())
    value.put(b"a", 5e-324)
    value.put(b"b", 1.7976931348623157e308)
    value.put(b"c", -0.1)
    assert content(restore(dump(value, 11), Limits())) == content(value)
