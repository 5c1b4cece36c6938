"""Sorted records of a fixed size, and the record of a pending entry; the plain twin.

A record is bytes, and its key is how it begins; records are in the order of their keys and no key comes twice.
They stand in blocks of up to `BLOCK` records, so that a change moves little and appending fills blocks entirely.
Keys are whole words of eight bytes.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from itertools import pairwise

_PENDING = struct.Struct(">16sQQQ")

BLOCK = 128
_BLOCK_BYTES = 40
_OWN_BYTES = 80


def pending_record(stream_id: bytes, time_ms: int, count: int, slot: int) -> bytes:
    """The record of a pending entry: its ID, last delivery, number of deliveries, and its owner's number."""
    return _PENDING.pack(stream_id, time_ms, count, slot)


def time_key(record: bytes) -> bytes:
    """Last delivery and ID of a pending entry: its place in the order of delivery."""
    return record[16:24] + record[:16]


class SortedRecords:
    """Records of `size` bytes in the order of their first `key_size` bytes."""

    def __init__(self, key_size: int, size: int) -> None:
        if key_size % 8 or not 0 < key_size <= size:
            raise ValueError("a key of another size")
        self.key_size = key_size
        self.size = size
        self._count = 0
        self._blocks: list[list[bytes]] = []

    def __len__(self) -> int:
        return self._count

    def put(self, record: bytes) -> bool:
        """Adds a record, in the place of the one with the same key if there is one; whether its key is new."""
        if len(record) != self.size:
            raise ValueError("a record of another size")
        key = record[: self.key_size]
        index = self._block_of(key)
        if index < 0:
            self._blocks.append([record])
            self._count = 1
            return True
        block = self._blocks[index]
        place = bisect_left(block, key)
        if place < len(block) and block[place].startswith(key):
            block[place] = record
            return False
        if len(block) == BLOCK:
            index, place = self._split(index, place)
            block = self._blocks[index]
        block.insert(place, record)
        self._count += 1
        return True

    def get(self, key: bytes) -> bytes | None:
        """The record with this key, or None."""
        index, place = self._seek(key)
        if index == len(self._blocks):
            return None
        record = self._blocks[index][place]
        return record if record.startswith(key) else None

    def remove(self, key: bytes) -> bool:
        """Removes the record with this key; whether there was one."""
        index, place = self._seek(key)
        if index == len(self._blocks) or not self._blocks[index][place].startswith(key):
            return False
        block = self._blocks[index]
        del block[place]
        self._count -= 1
        if not block:
            del self._blocks[index]
        else:
            self._merge(index)
            self._merge(index - 1)
        return True

    def page(self, key: bytes, count: int) -> list[bytes]:
        """Up to `count` records in order, beginning with the first one whose key is not below `key`."""
        found: list[bytes] = []
        index, place = self._seek(key)
        while len(found) < count and index < len(self._blocks):
            found += self._blocks[index][place : place + count - len(found)]
            index += 1
            place = 0
        return found

    def first(self) -> bytes | None:
        """The record with the lowest key, or None."""
        return self._blocks[0][0] if self._blocks else None

    def last(self) -> bytes | None:
        """The record with the highest key, or None."""
        return self._blocks[-1][-1] if self._blocks else None

    def footprint(self) -> int:
        """Bytes of memory, this object's own included."""
        return _OWN_BYTES + (_BLOCK_BYTES + 8) * len(self._blocks) + self.size * self._count

    def drain(self, count: int) -> bool:
        """Frees at least `count` records, the highest first; True when none is left."""
        while self._blocks and count > 0:
            block = self._blocks.pop()
            self._count -= len(block)
            count -= len(block)
        return not self._blocks

    def copy(self) -> SortedRecords:
        twin = SortedRecords(self.key_size, self.size)
        twin._count = self._count
        twin._blocks = [block[:] for block in self._blocks]
        return twin

    def _block_of(self, key: bytes) -> int:
        """The block in which `key` is or would be; -1 when there is none at all."""
        size = self.key_size
        behind = bisect_right(self._blocks, key, key=lambda block: block[0][:size])
        return max(behind - 1, 0) if self._blocks else -1

    def _seek(self, key: bytes) -> tuple[int, int]:
        """Block and place of the first record whose key is not below `key`; behind the last block if none is."""
        if len(key) != self.key_size:
            raise ValueError("a key of another size")
        index = self._block_of(key)
        if index < 0:
            return 0, 0
        place = bisect_left(self._blocks[index], key)
        return (index + 1, 0) if place == len(self._blocks[index]) else (index, place)

    def _split(self, index: int, place: int) -> tuple[int, int]:
        """Makes room in a full block and answers where `place` is then; what comes last of all opens a new block."""
        block = self._blocks[index]
        if place == BLOCK and index == len(self._blocks) - 1:
            self._blocks.append([])
            return index + 1, 0
        middle = BLOCK // 2
        self._blocks.insert(index + 1, block[middle:])
        del block[middle:]
        return (index, place) if place <= middle else (index + 1, place - middle)

    def _merge(self, index: int) -> None:
        """Takes the records of the next block into this one if both together fill half a block at most."""
        if 0 <= index < len(self._blocks) - 1 and sum(map(len, self._blocks[index : index + 2])) <= BLOCK // 2:
            self._blocks[index] += self._blocks.pop(index + 1)

    def _check(self) -> None:
        """Asserts the order, the sizes and the count."""
        assert all(0 < len(block) <= BLOCK for block in self._blocks)
        records = [record for block in self._blocks for record in block]
        keys = [record[: self.key_size] for record in records]
        assert len(records) == self._count
        assert all(len(record) == self.size for record in records)
        assert all(low < high for low, high in pairwise(keys))
