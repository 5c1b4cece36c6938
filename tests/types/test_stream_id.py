"""Stream IDs as bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alcove.types.stream_id import LAST, ZERO, number, pack, predecessor, successor, text

numbers = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from((0, 1, 2**63 - 1, 2**63, 2**64 - 1)))


@given(numbers, numbers)
def test_numbers_come_back(ms: int, seq: int) -> None:
    packed = pack(ms, seq)
    assert packed == (ms << 64 | seq).to_bytes(16, "big")
    assert (number(packed, 0), number(packed, 8)) == (ms, seq)
    assert text(packed) == f"{ms}-{seq}".encode()


@given(numbers, numbers)
def test_neighbours(ms: int, seq: int) -> None:
    packed = pack(ms, seq)
    value = ms << 64 | seq
    following, before = successor(packed), predecessor(packed)
    assert following == (None if packed == LAST else (value + 1).to_bytes(16, "big"))
    assert before == (None if packed == ZERO else (value - 1).to_bytes(16, "big"))


def test_the_ends() -> None:
    assert (text(ZERO), text(LAST)) == (b"0-0", b"18446744073709551615-18446744073709551615")
    assert successor(ZERO) == pack(0, 1)
    assert successor(pack(3, 2**64 - 1)) == pack(4, 0)
    assert predecessor(pack(4, 0)) == pack(3, 2**64 - 1)
