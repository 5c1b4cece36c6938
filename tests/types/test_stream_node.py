"""Stream nodes: what goes in comes out, their bytes are the real server's, and bytes from elsewhere are distrusted."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcove.types.stream_id import LAST, ZERO, pack
from alcove.types.stream_node import Cursor, Node, load_node

INTEGERS = [
    number + delta
    for bound in (0, 128, 4096, 2**15, 2**23, 2**31, 2**63)
    for number in (bound, -bound)
    for delta in (-1, 0, 1)
]
SIZES = [0, 1, 20, 21, 62, 63, 64, 126, 127, 4095, 4096, 16376, 16378, 16379, 70_000]
VALUES = [b"%d" % number for number in INTEGERS] + [b"x" * size for size in SIZES] + [b"007", b"-0", b"+1", b"1 "]
BIG = (1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)

# A node of a Redis 7.0 server: XADD of `1-7 a 1 b hello`, `5-0 a -300 b 123456` and `5-1 c x`, then XDEL 5-0.
REAL = bytes.fromhex(
    "480000001900020101010201816102816202000102010001000101018568656c6c6f06050103010401dff9"
    "02ded402f240e20104050100010401dffa0201018163028178020601ff"
)


def walk(
    node: Node, backwards: bool = False, start: bytes = ZERO, stop: bytes = LAST
) -> list[tuple[bytes, list[bytes]]]:
    cursor = Cursor([node], 0, start, stop, backwards)
    found = []
    while cursor.step():
        found.append((cursor.id(), cursor.fields()))
    return found


def pairs_of(chance: random.Random, values: list[bytes]) -> list[bytes]:
    fields = chance.choice([[b"a", b"b"], [b"a", b"b"], [b"a"], [b"b", b"a"], [b"1", b"", b"x" * 70]])
    return [word for field in fields for word in (field, chance.choice(values))]


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.lists(st.binary(max_size=100), min_size=1, max_size=10))
def test_entries_come_back(chance: random.Random, values: list[bytes]) -> None:
    values = values + chance.sample(VALUES, 10)
    ids = sorted({pack(chance.choice(BIG) - chance.randint(0, 1), chance.choice(BIG)) for _ in range(12)})
    node = Node(ids[0], pairs_of(chance, values))
    model: list[tuple[bytes, list[bytes]]] = []
    for stream_id in ids:
        pairs = pairs_of(chance, values)
        node.append(stream_id, pairs)
        model.append((stream_id, pairs))
        assert node.last() == stream_id
        node._check()
    assert walk(node) == model
    assert walk(node, backwards=True) == model[::-1]
    low, high = sorted(chance.choices(ids, k=2))
    assert walk(node, False, low, high) == [entry for entry in model if low <= entry[0] <= high]
    assert walk(node, True, low, high) == [entry for entry in model[::-1] if low <= entry[0] <= high]
    delete(node, chance.choice(ids), model)
    node._check()
    assert walk(node) == model
    assert walk(node, backwards=True) == model[::-1]
    assert walk(load_node(node.first, node.pack())) == model
    assert node.last() == ids[-1]


def delete(node: Node, stream_id: bytes, model: list[tuple[bytes, list[bytes]]]) -> None:
    cursor = Cursor([node], 0, stream_id, stream_id)
    assert cursor.step()
    node.delete(cursor.at)
    model[:] = [entry for entry in model if entry[0] != stream_id]


def test_bytes_are_the_real_servers() -> None:
    node = Node(pack(1, 7), [b"a", b"", b"b", b""])
    node.append(pack(1, 7), [b"a", b"1", b"b", b"hello"])
    node.append(pack(5, 0), [b"a", b"-300", b"b", b"123456"])
    node.append(pack(5, 1), [b"c", b"x"])
    delete(node, pack(5, 0), [])
    assert node.pack() == REAL
    assert node.byte_size() == len(REAL)
    assert walk(load_node(pack(1, 7), REAL)) == walk(node)


def test_every_kind_of_value() -> None:
    node = Node(pack(1, 1), [b"field", b""])
    for place, value in enumerate(VALUES):
        node.append(pack(1, place + 1), [b"field", value])
    node._check()
    assert [fields for _, fields in walk(node)] == [[b"field", value] for value in VALUES]


def test_fields_may_repeat_and_differ() -> None:
    node = Node(pack(1, 1), [b"a", b"", b"a", b""])
    entries = [[b"a", b"1", b"a", b"2"], [b"a", b"1"], [b"a", b"1", b"b", b"2"], [b"a", b"", b"a", b"3"]]
    for place, pairs in enumerate(entries):
        node.append(pack(1, place + 1), pairs)
    node._check()
    assert [fields for _, fields in walk(node)] == entries


def test_a_deleted_entry_is_seen_only_by_who_asks() -> None:
    node = Node(pack(1, 1), [b"f", b""])
    for seq in (1, 2, 3):
        node.append(pack(1, seq), [b"f", b"v"])
    delete(node, pack(1, 3), walk(node))
    cursor = Cursor([node], 0, ZERO, LAST, False, True)
    seen = []
    while cursor.step():
        seen.append((cursor.seq, cursor.is_deleted()))
    assert seen == [(1, False), (2, False), (3, True)]
    assert (node.live, node.deleted) == (2, 1)


def test_sealing_and_copying_change_nothing() -> None:
    node = Node(pack(1, 1), [b"f", b""])
    for seq in (1, 2, 3):
        node.append(pack(1, seq), [b"f", b"v"])
    twin = node.copy()
    node.seal()
    node.append(pack(1, 4), [b"f", b"v"])
    node._check()
    twin._check()
    assert (node.live, twin.live) == (4, 3)


def sample() -> Node:
    node = Node(pack(5, 9), [b"a", b"", b"b", b""])
    for place, pairs in enumerate(([b"a", b"1", b"b", b"hello"], [b"a", b"x" * 70, b"b", b"-300"], [b"c", b"123456"])):
        node.append(pack(5 + place, 10), pairs)
    delete(node, pack(6, 10), walk(node))
    return node


def test_every_damaged_byte_is_found_or_harmless() -> None:
    """A changed byte of a value is another value; whatever else changes is refused, and nothing crashes."""
    node = sample()
    good = node.pack()
    refused = 0
    for at in range(len(good)):
        for byte in {0, 1, 0x3F, 0x7F, 0x80, 0xBF, 0xC0, 0xDF, 0xE0, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF, good[at] ^ 1}:
            bad = good[:at] + bytes([byte]) + good[at + 1 :]
            try:
                loaded = load_node(node.first, bad)
            except ValueError:
                refused += 1
                continue
            walk(loaded)
            walk(loaded, backwards=True)
            loaded._check()
    assert refused > 700


def test_every_shorter_payload_is_refused() -> None:
    good = sample().pack()
    for size in range(len(good)):
        with pytest.raises(ValueError, match="malformed"):
            load_node(pack(5, 9), good[:size])
        whole = size.to_bytes(4, "little") + good[4:size]
        with pytest.raises(ValueError, match="malformed"):
            load_node(pack(5, 9), whole[: max(size - 1, 0)] + b"\xff")


@given(st.binary(max_size=60))
def test_noise_is_refused(noise: bytes) -> None:
    listpack = (len(noise) + 7).to_bytes(4, "little") + b"\xff\xff" + noise + b"\xff"
    with pytest.raises(ValueError, match="malformed"):
        load_node(pack(1, 1), listpack)


def test_entries_out_of_order_are_refused() -> None:
    node = Node(pack(1, 5), [b"f", b""])
    node.append(pack(1, 6), [b"f", b"v"])
    node.append(pack(1, 6), [b"f", b"v"])
    with pytest.raises(ValueError, match="order"):
        load_node(node.first, node.pack())
    below = Node(pack(1, 5), [b"f", b""])
    below.append(pack(1, 4), [b"f", b"v"])
    with pytest.raises(ValueError, match="order"):
        load_node(below.first, below.pack())
