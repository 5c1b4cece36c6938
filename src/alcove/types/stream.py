"""The stream: an append-only log of entries under ascending IDs, read by range or by consumer groups.

The entries are packed in nodes (stream_node.py) that are filled one after the other; `stream-node-max-bytes` and
`stream-node-max-entries` say when one is full. The nodes stand in a list in the order of their IDs and are found by
bisection. Trimming takes whole nodes from the front: their places stay empty until half of the list is.
"""

from __future__ import annotations

from typing import Any, Final

from alcove.types.container import Container
from alcove.types.limits import Limits
from alcove.types.stream_group import UNKNOWN, Consumer, Group, Tally
from alcove.types.stream_id import LAST, ZERO, number, pack, successor
from alcove.types.stream_node import Cursor, Node, load_node
from alcove.types.untracked import untrack

# What trimming does about the pending entries that it deletes: nothing, acknowledge them for every group, or spare
# every entry that some group still needs.
KEEP_REFERENCES: Final = 0
DROP_REFERENCES: Final = 1
ACKNOWLEDGED: Final = 2

# No node grows beyond this, whatever the configuration says; nor may one entry.
MAX_NODE_BYTES: Final = 1 << 30

_STREAM_BYTES = 320
_NODE_BYTES = 190


def total_size(values: list[bytes]) -> int:
    """The bytes of several strings together."""
    size = 0
    for value in values:
        size += len(value)
    return size


class Stream(Container):
    """Entries, counters and consumer groups of one stream."""

    type_name = b"stream"

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.tally = Tally()
        self.tally.size = _STREAM_BYTES
        self._length = 0
        # The highest ID ever given, the first entry's, the highest deleted by its ID, and the entries ever added.
        self.last_id = ZERO
        self.first_id = ZERO
        self.max_deleted_id = ZERO
        self.entries_added = 0
        self._groups: dict[bytes, Group] = {}
        self._nodes: list[Node | None] = []
        # The places at the front of the list that trimming has emptied.
        self._head = 0
        untrack(self._nodes)
        untrack(self)

    def __len__(self) -> int:
        return self._length

    @property
    def encoding(self) -> bytes:
        return b"stream"

    def footprint(self) -> int:
        """Bytes of memory, groups included."""
        return self.tally.size

    # IDs

    def next_id(self, now_ms: int) -> bytes | None:
        """The ID that `*` stands for: the time, or the last ID and one; None when there is none left."""
        if now_ms > number(self.last_id, 0):
            return pack(now_ms, 0)
        return successor(self.last_id)

    def next_id_in(self, ms: int) -> bytes | None:
        """The ID that `ms-*` stands for, or None when all of that millisecond are taken."""
        if ms != number(self.last_id, 0):
            return pack(ms, 0)
        following = successor(self.last_id)
        return following if following is not None and number(following, 0) == ms else None

    # Entries

    def add(self, stream_id: bytes, pairs: list[bytes]) -> None:
        """Appends an entry of field, value, field, value and so on; its ID must be above `last_id`."""
        node = self._tail(pairs)
        if node is None:
            node = Node(stream_id, pairs)
            self._nodes.append(node)
            self.tally.size += _NODE_BYTES + len(node.data)
        before = len(node.data)
        node.append(stream_id, pairs)
        self.tally.size += len(node.data) - before
        self._length += 1
        self.entries_added += 1
        self.last_id = stream_id
        if self._length == 1:
            self.first_id = stream_id

    def _tail(self, pairs: list[bytes]) -> Node | None:
        """The last node, if it has room for an entry of these pairs."""
        count = len(self._nodes)
        if count == self._head:
            return None
        node = self._node(count - 1)
        limit = self.limits.stream_node_max_bytes
        if limit == 0 or limit > MAX_NODE_BYTES:
            limit = MAX_NODE_BYTES
        size = node.byte_size() + total_size(pairs)
        entries = self.limits.stream_node_max_entries
        if size >= limit or (entries > 0 and node.live + node.deleted >= entries):
            node.seal()
            return None
        return node

    def cursor(self, start: bytes, stop: bytes, backwards: bool = False) -> Cursor:
        """A walk over the entries from `start` to `stop`, both included; for as long as the stream is left alone."""
        return Cursor(self._nodes, self._find(stop if backwards else start), start, stop, backwards)

    def _node(self, index: int) -> Node:
        node = self._nodes[index]
        assert node is not None
        return node

    def _find(self, stream_id: bytes) -> int:
        """The place of the last node that does not begin behind this ID, or else of the first node."""
        low = self._head
        high = len(self._nodes) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._node(middle).first <= stream_id:
                low = middle
            else:
                high = middle - 1
        return low

    def range(self, start: bytes, stop: bytes, count: int = -1, backwards: bool = False) -> list[list[Any]]:
        """Up to `count` entries, as replies show them, from `start` to `stop` or the other way; -1 is for all."""
        found: list[list[Any]] = []
        cursor = self.cursor(start, stop, backwards)
        while count != 0 and cursor.step():
            found.append(cursor.entry())
            count -= 1
        return found

    def find(self, stream_id: bytes) -> list[Any] | None:
        """The entry with this ID, as replies show it, or None."""
        cursor = self.cursor(stream_id, stream_id)
        return cursor.entry() if cursor.step() else None

    def has(self, stream_id: bytes) -> bool:
        return self.cursor(stream_id, stream_id).step()

    def last_entry_id(self) -> bytes:
        """The ID of the last entry that is there, `ZERO` when there is none."""
        cursor = self.cursor(ZERO, LAST, True)
        return cursor.id() if cursor.step() else ZERO

    # Deleting

    def delete(self, stream_id: bytes) -> bool:
        """Deletes one entry; whether it was there."""
        cursor = self.cursor(stream_id, stream_id)
        if not cursor.step():
            return False
        node = self._node(cursor.index)
        node.delete(cursor.at)
        if node.live == 0:
            self._remove_node(cursor.index)
        self._length -= 1
        self.max_deleted_id = max(self.max_deleted_id, stream_id)
        if stream_id == self.first_id:
            self.renew_first()
        return True

    def renew_first(self) -> None:
        """Looks up `first_id`."""
        cursor = self.cursor(ZERO, LAST)
        self.first_id = cursor.id() if cursor.step() else ZERO

    def _remove_node(self, index: int) -> int:
        """Takes a node out and answers where the one behind it is then."""
        self.tally.size -= _NODE_BYTES + len(self._node(index).data)
        if index > self._head:
            del self._nodes[index]
            return index
        self._nodes[index] = None
        self._head += 1
        if 2 * self._head >= len(self._nodes):
            del self._nodes[: self._head]
            self._head = 0
        return self._head

    def trim(self, maxlen: int, minid: bytes, approximate: bool, limit: int, references: int) -> tuple[int, bytes]:
        """Deletes entries from the front until `maxlen` are left, or if that is -1 those below `minid`.

        Approximate trimming ends at the first node that it would not empty, and before it would delete more than
        `limit` entries if that is not 0. Answers how many entries were deleted, and up to which ID entries were
        deleted or dereferenced, `ZERO` if none were: trimming exactly what is below the next ID does the same again.
        """
        if not self._groups:
            references = KEEP_REFERENCES
        reach = self._delivered() if references == ACKNOWLEDGED else LAST
        deleted = 0
        last = ZERO
        index = self._head
        while index < len(self._nodes) and (maxlen < 0 or self._length > maxlen):
            node = self._node(index)
            if (limit and deleted + node.live > limit) or node.first > reach:
                break
            whole = self._length - node.live >= maxlen if maxlen >= 0 else node.last() < minid
            if whole and references == KEEP_REFERENCES:
                deleted += node.live
                self._length -= node.live
                last = node.last()
                index = self._remove_node(index)
                continue
            if approximate and not whole:
                break
            length = self._length
            last = max(last, self._trim_within(index, whole, maxlen, minid, references))
            deleted += length - self._length
            if not whole and references != ACKNOWLEDGED:
                break
            index = self._remove_node(index) if whole and node.live == 0 else index + 1
        if deleted:
            self.renew_first()
        return deleted, last

    def _trim_within(self, index: int, whole: bool, maxlen: int, minid: bytes, references: int) -> bytes:
        """Trims one node entry by entry and leaves it in its place; answers as `trim` up to which ID."""
        node = self._node(index)
        last = ZERO
        cursor = Cursor(self._nodes, index, ZERO, LAST, False, True)
        while cursor.step() and cursor.index == index:
            stream_id = cursor.id()
            if not whole and (self._length <= maxlen or (maxlen < 0 and stream_id >= minid)):
                break
            if references == DROP_REFERENCES and self.dereference(stream_id):
                last = stream_id
            if not cursor.is_deleted() and (references != ACKNOWLEDGED or not self.needed(stream_id)):
                node.delete(cursor.at)
                self._length -= 1
                last = stream_id
        return last

    # Groups

    def group(self, name: bytes) -> Group | None:
        return self._groups.get(name)

    def groups(self) -> list[Group]:
        """All groups in the order of their names."""
        return [self._groups[name] for name in sorted(self._groups)]

    def group_count(self) -> int:
        return len(self._groups)

    def create_group(self, name: bytes, last_id: bytes, entries_read: int) -> Group:
        """Adds a group; there must be none of this name. `entries_read` may be UNKNOWN."""
        group = Group(self.tally, name, last_id, min(entries_read, self.entries_added))
        self._groups[name] = group
        untrack(self._groups)
        return group

    def destroy_group(self, name: bytes) -> bool:
        """Removes a group with its consumers and pending entries; whether it was there."""
        group = self._groups.pop(name, None)
        if group is None:
            return False
        self.tally.size -= group.footprint()
        return True

    def dereference(self, stream_id: bytes) -> bool:
        """Acknowledges an entry for every group; whether it was pending in any."""
        found = False
        for group in self._groups.values():
            if group.acknowledge(stream_id):
                found = True
        return found

    def needed(self, stream_id: bytes) -> bool:
        """Whether an entry is pending in some group, or still to be delivered to one."""
        needed = False
        for group in self._groups.values():
            needed = needed or group.needs(stream_id)
        return needed

    def _delivered(self) -> bytes:
        """The ID up to which every group has read."""
        lowest = LAST
        for group in self._groups.values():
            lowest = min(lowest, group.last_id)
        return lowest

    def read_group(self, group: Group, consumer: Consumer | None, count: int, now_ms: int) -> list[list[Any]]:
        """Delivers up to `count` new entries, -1 for all, to a group; they are pending for the consumer, if given."""
        found: list[list[Any]] = []
        start = successor(group.last_id)
        if start is None:
            return found
        cursor = self.cursor(start, LAST)
        while count != 0 and cursor.step():
            stream_id = cursor.id()
            self._count_read(group, stream_id)
            if consumer is not None:
                group.deliver(stream_id, consumer, now_ms, 1)
            found.append(cursor.entry())
            count -= 1
        return found

    def _count_read(self, group: Group, stream_id: bytes) -> None:
        """Moves a group on to the next entry, and its counter if that can be known."""
        if group.entries_read != UNKNOWN and group.last_id >= self.first_id and not self._hole_behind(group.last_id):
            group.entries_read += 1
        else:
            group.entries_read = self._entries_up_to(stream_id)
        group.last_id = stream_id

    def _hole_behind(self, stream_id: bytes) -> bool:
        """Whether entries may have been deleted one by one from this ID on."""
        return self._length > 0 and self.max_deleted_id != ZERO and stream_id <= self.max_deleted_id

    def _entries_up_to(self, stream_id: bytes) -> int:
        """How many entries were ever added up to this ID, where that can be told without counting, or UNKNOWN."""
        if self.entries_added == 0 or (self._length == 0 and stream_id <= self.last_id):
            return self.entries_added
        if stream_id != ZERO and stream_id < self.max_deleted_id:
            return UNKNOWN
        if stream_id == self.last_id:
            return self.entries_added
        if stream_id < self.last_id and (self.max_deleted_id == ZERO or self.max_deleted_id < self.first_id):
            if stream_id < self.first_id:
                return self.entries_added - self._length
            if stream_id == self.first_id:
                return self.entries_added - self._length + 1
        return UNKNOWN

    def lag(self, group: Group) -> int:
        """How many entries a group has yet to read, or UNKNOWN. XSETID may have made less of what was added."""
        if self.entries_added == 0 or self._length == 0:
            return 0
        if group.last_id < self.first_id and self.max_deleted_id < self.first_id:
            return self._length
        read = group.entries_read
        if read == UNKNOWN or self._hole_behind(group.last_id):
            read = self._entries_up_to(group.last_id)
        return UNKNOWN if read == UNKNOWN else max(self.entries_added - read, 0)

    # As a whole

    def node_count(self) -> int:
        return len(self._nodes) - self._head

    def nodes(self) -> list[Node]:
        """All nodes in order, as they are to be saved."""
        return [self._node(index) for index in range(self._head, len(self._nodes))]

    def load(self, first: bytes, listpack: bytes) -> None:
        """Appends a saved node; `ValueError` if it is malformed or out of order. The caller sets the counters."""
        node = load_node(first, listpack)
        if self.node_count() and first <= self._node(len(self._nodes) - 1).last():
            raise ValueError("malformed stream: order of nodes")
        self._nodes.append(node)
        self._length += node.live
        self.tally.size += _NODE_BYTES + len(node.data)

    def drain(self, count: int) -> bool:
        """Frees about `count` entries; True when nothing is left. The stream is of no other use from then on."""
        while self._groups:
            name, group = self._groups.popitem()
            if not group.drain(count):
                self._groups[name] = group
                return False
        while len(self._nodes) > self._head and count > 0:
            count -= self._node(len(self._nodes) - 1).live + 1
            self._nodes.pop()
        return len(self._nodes) == self._head

    def copy(self) -> Stream:
        twin = Stream(self.limits)
        for node in self.nodes():
            twin._nodes.append(node.copy())
            twin.tally.size += _NODE_BYTES + len(node.data)
        twin._length = self._length
        twin.last_id = self.last_id
        twin.first_id = self.first_id
        twin.max_deleted_id = self.max_deleted_id
        twin.entries_added = self.entries_added
        for group in self._groups.values():
            twin._groups[group.name] = group.copy(twin.tally)
        untrack(twin._groups)
        return twin

    def _check(self) -> None:
        """Asserts every invariant of nodes, counters, groups and the tally."""
        size = _STREAM_BYTES
        live = 0
        last = ZERO
        for node in self.nodes():
            node._check()
            assert last < node.first or last == ZERO
            last = node.last()
            live += node.live
            size += _NODE_BYTES + len(node.data)
        assert all(node is None for node in self._nodes[: self._head])
        assert live == self._length <= self.entries_added
        assert last <= self.last_id
        first = self.cursor(ZERO, LAST)
        assert self.first_id == (first.id() if first.step() else ZERO)
        for name, group in self._groups.items():
            assert group.name == name
            group._check()
            size += group.footprint()
        assert size == self.tally.size
