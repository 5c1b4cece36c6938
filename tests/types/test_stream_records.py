"""Sorted records against a sorted dict, and the record of a pending entry."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcove.types.stream_id import number, pack
from alcove.types.stream_records import SortedRecords, pending_record, time_key


def key_of(number: int) -> bytes:
    return pack(number // 7, number % 7)


def model_page(model: dict[bytes, bytes], key: bytes, count: int) -> list[bytes]:
    return [model[at] for at in sorted(model) if at >= key][:count]


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.sampled_from((16, 24)), st.sampled_from((10, 300, 100_000)))
def test_random_operations(chance: random.Random, size: int, universe: int) -> None:
    records, model = SortedRecords(16, size), {}
    for _ in range(400):
        key = key_of(chance.randrange(universe))
        operation = chance.randrange(5)
        if operation < 3:
            record = key + chance.randbytes(size - 16)
            assert records.put(record) == (key not in model)
            model[key] = record
        elif operation == 3:
            assert records.remove(key) == (model.pop(key, None) is not None)
        else:
            assert records.get(key) == model.get(key)
            assert records.page(key, 5) == model_page(model, key, 5)
        records._check()
        assert len(records) == len(model)
        assert records.first() == (model[min(model)] if model else None)
        assert records.last() == (model[max(model)] if model else None)
    assert records.page(bytes(16), len(model) + 1) == model_page(model, bytes(16), len(model))


def test_thousands_in_and_out_in_order() -> None:
    records = SortedRecords(16, 16)
    keys = [key_of(number) for number in range(5000)]
    for key in keys:
        assert records.put(key)
    records._check()
    assert records.footprint() < 5000 * 16 * 1.2
    assert records.page(keys[4990], 100) == keys[4990:]
    for place, key in enumerate(keys):
        assert records.remove(key)
        if place % 500 == 0:
            records._check()
            assert records.first() == keys[place + 1]
    assert len(records) == 0
    assert records.first() is records.last() is None


def test_blocks_that_ran_nearly_empty_are_joined() -> None:
    records = SortedRecords(16, 16)
    keys = [key_of(number) for number in range(12_800)]
    for key in keys:
        records.put(key)
    full = records.footprint()
    for place, key in enumerate(keys):
        if place % 50:
            records.remove(key)
    records._check()
    assert records.page(bytes(16), 1000) == keys[::50]
    assert records.footprint() < full / 10


def test_keys_between_others_split_full_blocks() -> None:
    records = SortedRecords(16, 16)
    keys = [key_of(number) for number in range(2000)]
    for key in keys[::2] + keys[1::2]:
        records.put(key)
        records._check()
    assert records.page(bytes(16), 3000) == keys


def test_copy_and_drain() -> None:
    records = SortedRecords(16, 16)
    for place in range(1000):
        records.put(key_of(place))
    twin = records.copy()
    twin._check()
    steps = 0
    while not records.drain(200):
        records._check()
        steps += 1
    assert (steps, len(records), len(twin)) == (3, 0, 1000)
    assert twin.put(key_of(5000))
    twin._check()


def test_sizes_are_checked() -> None:
    records = SortedRecords(16, 24)
    for call in (records.put, records.get, records.remove):
        with pytest.raises(ValueError, match="another size"):
            call(bytes(23))
    with pytest.raises(ValueError, match="another size"):
        SortedRecords(12, 24)


@given(*[st.integers(0, 2**64 - 1)] * 4, st.integers(0, 2**32 - 1))
def test_pending_record(ms: int, seq: int, time_ms: int, count: int, slot: int) -> None:
    stream_id = pack(ms, seq)
    record = pending_record(stream_id, time_ms, count, slot)
    assert record.startswith(stream_id)
    assert [number(record, at) for at in (16, 24, 32)] == [time_ms, count, slot]
    assert time_key(record) == time_ms.to_bytes(8, "big") + stream_id
