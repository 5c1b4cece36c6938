"""HyperLogLogs against a model of 16384 registers, and against values that a real server has written."""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.types import hyperloglog
from alcove.types import hyperloglog_registers as registers

SPARSE_MAX_BYTES = 3000

# Elements added so far, then of the real server: size of the value, PFCOUNT, start of the value's SHA-256 after it.
WRITTEN_BY_A_REAL_SERVER = [
    (0, 18, 0, "d9596e4bda3ed904"),
    (1, 21, 1, "c6d5612af07aedce"),
    (10, 48, 10, "19d845225a18c26c"),
    (100, 285, 99, "4d4deaf50866d5bd"),
    (1000, 1897, 997, "9229ee2252971bc5"),
    (1500, 2722, 1500, "bd4c35f14f976219"),
    (3000, 12304, 3002, "2a5cae3aef889381"),
    (100000, 12304, 100039, "96adfa7ca3983ad6"),
]


def spot_of(element: bytes) -> tuple[int, int]:
    """The register that an element belongs to, and its rank: where the first one stands in the rest of its hash."""
    bits = registers.hash64(element)
    return bits & 16383, f"1{bits >> 14:050b}"[::-1].index("1") + 1


def runs_of(value: bytes | bytearray) -> list[tuple[int, int]]:
    """The value and length of each run of a sparse value, read off the text that PFDEBUG DECODE shows."""
    runs = []
    for run in hyperloglog.decode(value).decode().split():
        kind, _, numbers = run.partition(":")
        held, length = numbers.split(",") if kind == "v" else ("0", numbers)
        runs.append((int(held), int(length)))
    return runs


def check(value: bytearray, model: dict[int, int]) -> None:
    """The value is well formed, no larger than it must be, and holds exactly the model's registers."""
    assert hyperloglog.is_valid(value)
    expected = bytearray(registers.REGISTERS)
    for index, rank in model.items():
        expected[index] = rank
    assert hyperloglog.registers_of(value) == expected
    if not hyperloglog.is_dense(value):
        runs = runs_of(value)
        assert sum(length for _, length in runs) == registers.REGISTERS
        assert all(a or b for (a, _), (b, _) in pairwise(runs)), "two runs of zeros in a row"


def test_values_equal_those_of_a_real_server() -> None:
    value = hyperloglog.create()
    hyperloglog.invalidate(value)
    added = 0
    for stop, size, count, digest in WRITTEN_BY_A_REAL_SERVER:
        for number in range(added, stop):
            if registers.add(value, b"element:%d" % number, SPARSE_MAX_BYTES):
                hyperloglog.invalidate(value)
        added = stop
        assert hyperloglog.count(value) == count
        hyperloglog.cache_count(value, count)
        assert hyperloglog.cached_count(value) == count
        assert len(value) == size
        assert hashlib.sha256(value).hexdigest().startswith(digest)


@given(st.lists(st.binary(max_size=40), max_size=300), st.sampled_from([0, 30, 100, SPARSE_MAX_BYTES]))
def test_add(elements: list[bytes], limit: int) -> None:
    value = hyperloglog.create()
    model: dict[int, int] = {}
    for element in elements:
        index, rank = spot_of(element)
        changed = registers.add(value, element, limit)
        assert changed == (rank > model.get(index, 0))
        model[index] = max(rank, model.get(index, 0))
        assert hyperloglog.is_dense(value) or len(value) <= max(limit, 18)
        check(value, model)
    dense = bytearray(value)
    assert hyperloglog.to_dense(dense) == (not hyperloglog.is_dense(value))
    check(dense, model)
    assert hyperloglog.count(dense) == hyperloglog.count(value)


# Few registers, close together, of few values: many runs to split and to join.
crowded = st.dictionaries(st.integers(0, 40) | st.integers(16340, 16383), st.integers(1, 4), max_size=60)


@given(crowded, crowded, st.sampled_from([25, 60, SPARSE_MAX_BYTES]))
def test_raise_all_is_one_register_after_the_other(first: dict[int, int], second: dict[int, int], limit: int) -> None:
    one_by_one = hyperloglog.create()
    at_once = hyperloglog.create()
    for ranks in (first, second):
        wanted = bytearray(registers.REGISTERS)
        for index, rank in sorted(ranks.items()):
            wanted[index] = rank
            only = bytearray(registers.REGISTERS)
            only[index] = rank
            registers.raise_all(one_by_one, only, limit)
        registers.raise_all(at_once, wanted, limit)
        assert at_once == one_by_one
    check(at_once, {index: max(first.get(index, 0), second.get(index, 0)) for index in first | second})


@given(crowded, crowded)
def test_merge(first: dict[int, int], second: dict[int, int]) -> None:
    merged = bytearray(registers.REGISTERS)
    expected = bytearray(registers.REGISTERS)
    for ranks in (first, second):
        value = hyperloglog.create()
        wanted = bytearray(registers.REGISTERS)
        for index, rank in ranks.items():
            wanted[index] = rank
            expected[index] = max(rank, expected[index])
        registers.raise_all(value, wanted, SPARSE_MAX_BYTES)
        registers.merge(merged, value)
    assert merged == expected


@given(st.integers(0, 1 << 64))
def test_dense_registers_survive_packing(seed: int) -> None:
    held = bytes(byte & 63 for byte in random.Random(seed).randbytes(registers.REGISTERS))
    packed = registers.pack(bytearray(held))
    assert hyperloglog.registers_of(b"HYLL" + bytes(12) + packed) == held
    assert registers.histogram(bytearray(held)) == [held.count(number) for number in range(64)]


def test_header() -> None:
    value = hyperloglog.create()
    assert hyperloglog.decode(value) == b"Z:16384"
    assert hyperloglog.cached_count(value) == 0
    hyperloglog.cache_count(value, 1 << 40)
    assert hyperloglog.cached_count(value) == 1 << 40
    hyperloglog.invalidate(value)
    assert hyperloglog.cached_count(value) == -1


@pytest.mark.parametrize(
    "value",
    [b"", b"HYLL", b"HYLL\x01" + bytes(10), b"HYLL\x02" + bytes(20), b"HYLL" + bytes(12), b"hyll\x01" + bytes(20)],
)
def test_what_is_no_hyperloglog(value: bytes) -> None:
    assert not hyperloglog.is_valid(value)


@pytest.mark.parametrize(
    "runs",
    [
        b"",
        b"\x7f\xfe",  # one register too few
        b"\x7f\xff\x00",  # one too many
        b"\x7f\xff" * 140000,  # so many that 32 bits cannot count them
        b"\x80" + b"\x7f\xff",
        b"\x7f",  # a run of zeros cut in two
    ],
)
def test_corrupt_runs(runs: bytes) -> None:
    value = b"HYLL\x01" + bytes(11) + runs
    assert hyperloglog.is_valid(value)
    with pytest.raises(ValueError, match="corrupt"):
        hyperloglog.count(value)
    changed = bytearray(value)
    with pytest.raises(ValueError, match="corrupt"):
        hyperloglog.to_dense(changed)
    assert changed == value


def test_add_to_runs_that_end_early() -> None:
    value = bytearray(b"HYLL\x01" + bytes(11) + b"\x00")
    with pytest.raises(ValueError, match="corrupt"):
        registers.add(value, b"an element of a later register", SPARSE_MAX_BYTES)


@pytest.mark.parametrize(
    ("held", "count"), [(0, 0), (1, 23637), (2, 47274), (50, -(1 << 63)), (51, -(1 << 63)), (63, -(1 << 63))]
)
def test_estimate_of_registers_all_alike(held: int, count: int) -> None:
    assert hyperloglog.estimate(bytearray([held]) * registers.REGISTERS) == count


@given(st.binary(min_size=16, max_size=60))
def test_any_payload_is_read_or_refused(noise: bytes) -> None:
    value = bytearray(b"HYLL\x01" + noise)
    hyperloglog.decode(value)
    with suppress(ValueError):
        hyperloglog.count(value)
    with suppress(ValueError):
        registers.add(value, b"element", SPARSE_MAX_BYTES)
