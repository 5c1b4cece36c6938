"""Lists: listpacks in a row, as large as `list-max-listpack-size` allows.

A list whose only node is small is named `listpack`, any other `quicklist`, by the real server's rules: it becomes a
quicklist when what is added would overfill it, and a listpack again when one node is left that is not half full.
The native twin, list.pyx, finds an index by bisection; this one walks over the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

from alcove.types.container import Container
from alcove.types.limits import Limits
from alcove.types.listpack import Listpack

# What an entry is taken to need besides its bytes when a node is asked for room.
ENTRY_OVERHEAD = 8
# A node limited by its number of elements has this limit of bytes too.
SAFE_BYTES = 8192
# The limits -1 to -5 stand for this size and its doublings.
FIRST_KILOBYTES = 4096
LARGEST_FILL = 32767


class List(Container):
    """A list; `encoding` is `listpack` while one small node is enough."""

    type_name = b"list"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._nodes: list[Listpack] = []
        self._count = 0
        # The serialised bytes of all elements, for the footprint.
        self._bytes = 0
        self._quick = False

    def __len__(self) -> int:
        return self._count

    @property
    def encoding(self) -> bytes:
        return b"quicklist" if self._quick else b"listpack"

    def push_left(self, value: bytes) -> None:
        """Adds `value` before the first element."""
        self.push((value,), True)

    def push_right(self, value: bytes) -> None:
        """Adds `value` behind the last element."""
        self.push((value,), False)

    def push(self, values: Sequence[bytes], left: bool) -> None:
        """Adds values at one end, one after the other."""
        self.expect(values)
        for value in values:
            self._push_end(value, left)

    def expect(self, values: Sequence[bytes]) -> None:
        """Says that these values are about to be added; like the real server's lists, this one makes room before."""
        self._make_room(sum(map(len, values)), len(values))

    def pop_left(self) -> bytes:
        """Removes and returns the first element."""
        return self._pop_end(0, 0)

    def pop_right(self) -> bytes:
        """Removes and returns the last element."""
        return self._pop_end(-1, -1)

    def get(self, index: int) -> bytes:
        """The element at `index`, from 0."""
        place, offset = self._locate(index)
        return self._nodes[place].get(offset)

    def set(self, index: int, value: bytes) -> None:
        """Replaces the element at `index`."""
        place, offset = self._locate(index)
        self._make_room(len(value), 1)
        node = self._nodes[place]
        if self._quick and len(node) > 1 and self._exceeds(len(value), 1):
            self._delete_range(index, index + 1)
            self._insert_quick(place, offset, value)
            return
        self._bytes -= node.byte_size
        node.replace(offset, value)
        self._bytes += node.byte_size
        if self._quick:
            self._shrunk(False)
        else:
            self._make_room(0, 0)

    def insert(self, index: int, value: bytes) -> None:
        """Inserts `value` before the element at `index`, which may be the length."""
        if index == self._count:
            self.push_right(value)
            return
        place, offset = self._locate(index)
        self._make_room(len(value), 1)
        if self._quick:
            self._insert_quick(place, offset, value)
        else:
            self._insert_at(place, offset, value)

    def range(self, start: int, stop: int) -> list[bytes]:
        """The elements from `start` to `stop`, that one not included, cut to what is there."""
        start = max(start, 0)
        stop = min(stop, self._count)
        if start >= stop:
            return []
        found: list[bytes] = []
        place, offset = self._locate(start)
        while start + len(found) < stop:
            found += self._nodes[place].range(offset, offset + stop - start - len(found))
            place += 1
            offset = 0
        return found

    def find(self, value: bytes, start: int, stop: int) -> int:
        """The first index with `value` on the way from `start` to `stop`, that one not included, or -1.

        `stop` may be smaller than `start`: then the way leads backward.
        """
        if start == stop or not 0 <= start < self._count:
            return -1
        step = 1 if start < stop else -1
        place, offset = self._locate(start)
        begin = start - offset
        while True:
            node = self._nodes[place]
            found = node.find(value, offset, step)
            if found >= 0:
                found += begin
                return found if (stop - found) * step > 0 else -1
            begin += len(node) if step > 0 else 0
            place += step
            if not 0 <= place < len(self._nodes) or (step > 0 and begin >= stop) or (step < 0 and begin - 1 <= stop):
                return -1
            begin -= len(self._nodes[place]) if step < 0 else 0
            offset = 0 if step > 0 else len(self._nodes[place]) - 1

    def remove(self, value: bytes, number: int) -> int:
        """Removes the first `number` elements that equal `value`, the last if negative, all if 0; how many it were."""
        left = min(abs(number), self._count) if number else self._count
        before = self._count
        places = range(len(self._nodes))
        for place in reversed(places) if number < 0 else places:
            left -= self._remove_in(self._nodes[place], value, left, number < 0)
        if self._count < before:
            self._nodes = [node for node in self._nodes if len(node)]
            self._tidy()
            self._shrunk(True)
        return before - self._count

    def trim(self, start: int, stop: int) -> None:
        """Keeps only the elements from `start` to `stop`, that one not included."""
        start = min(max(start, 0), self._count)
        stop = max(min(stop, self._count), start)
        self._delete_range(stop, self._count)
        self._delete_range(0, start)
        self._shrunk(True)

    def node_count(self) -> int:
        return len(self._nodes)

    def packed(self, place: int) -> bytes:
        """The node at `place` as the real server writes it."""
        return self._nodes[place].to_bytes()

    def plain(self, place: int) -> bytes | None:
        """The element of a node that holds one too large for any node, else None."""
        node = self._nodes[place]
        return node.get(0) if len(node) == 1 and self._exceeds(node.byte_size, 1) else None

    def load_pack(self, pack: Listpack) -> None:
        """Appends a saved node; `loaded` has to follow the last one."""
        self._quick = True
        if len(pack):
            self._nodes.append(pack)
            self._count += len(pack)
            self._bytes += pack.byte_size - Listpack().byte_size

    def load_plain(self, value: bytes) -> None:
        """Appends a saved node that holds one large element; `loaded` has to follow the last one."""
        pack = Listpack()
        pack.append(value)
        self.load_pack(pack)

    def loaded(self) -> None:
        """Decides on the encoding of a list made of saved nodes."""
        self._shrunk(False)

    def footprint(self) -> int:
        """Bytes of memory, this object's own included."""
        return 150 + 42 * self._count + 150 * len(self._nodes) + self._bytes

    def drain(self, number: int) -> bool:
        """Frees about `number` elements of a list no longer in use, in whole nodes; True when nothing is left."""
        while number > 0 and self._nodes:
            gone = len(self._nodes.pop())
            number -= gone
            self._count -= gone
        return not self._nodes

    def copy(self) -> List:
        twin = List(self._limits)
        twin._nodes = [node.copy() for node in self._nodes]
        twin._count = self._count
        twin._bytes = self._bytes
        twin._quick = self._quick
        return twin

    def _exceeds(self, size: int, count: int) -> bool:
        """Whether a node of `size` bytes and `count` elements would be too large."""
        fill = self._limits.list_max_listpack_size
        if fill < 0:
            return size > FIRST_KILOBYTES << min(-fill, 5) - 1
        return size > SAFE_BYTES or count > min(max(fill, 1), LARGEST_FILL)

    def _allows(self, node: Listpack, value: bytes) -> bool:
        """Whether a node has room for `value`."""
        return not self._exceeds(node.byte_size + len(value) + ENTRY_OVERHEAD, len(node) + 1)

    def _make_room(self, size: int, number: int) -> None:
        """A listpack that would be too large with `number` elements of `size` bytes more becomes a quicklist."""
        if not self._quick:
            present = self._nodes[0].byte_size if self._nodes else Listpack().byte_size
            self._quick = self._exceeds(present + size, self._count + number)

    def _shrunk(self, halved: bool) -> None:
        """Back to a listpack when one node is left that is within the limits, or half of them."""
        if not self._quick or len(self._nodes) != 1:
            return
        fill = self._limits.list_max_listpack_size
        if fill < 0:
            self._quick = self._nodes[0].byte_size > (FIRST_KILOBYTES << min(-fill, 5) - 1) >> halved
        else:
            self._quick = self._count > min(max(fill, 1), LARGEST_FILL) >> halved

    def _locate(self, index: int) -> tuple[int, int]:
        """The place of the node that holds element `index`, and the element's place within."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        if index == self._count - 1:
            return len(self._nodes) - 1, len(self._nodes[-1]) - 1
        place = 0
        while index >= len(self._nodes[place]):
            index -= len(self._nodes[place])
            place += 1
        return place, index

    def _push_end(self, value: bytes, left: bool) -> None:
        if not self._nodes or (self._quick and not self._allows(self._nodes[0 if left else -1], value)):
            self._nodes.insert(0 if left else len(self._nodes), Listpack())
        place = 0 if left else len(self._nodes) - 1
        self._insert_at(place, 0 if left else len(self._nodes[place]), value)

    def _pop_end(self, place: int, offset: int) -> bytes:
        if not self._nodes:
            raise IndexError("pop from an empty list")
        node = self._nodes[place]
        value = node.get(offset)
        self._bytes -= node.byte_size
        node.delete(offset)
        self._bytes += node.byte_size
        self._count -= 1
        if not len(node):
            del self._nodes[place]
        self._shrunk(True)
        return value

    def _insert_at(self, place: int, offset: int, value: bytes) -> None:
        """Inserts into the node at `place`, come what may."""
        node = self._nodes[place]
        self._bytes -= node.byte_size
        node.insert(offset, value)
        self._bytes += node.byte_size
        self._count += 1

    def _insert_quick(self, place: int, offset: int, value: bytes) -> None:
        """Inserts before element `offset` of the node at `place`: there, in a neighbour, or where the node is split."""
        nodes = self._nodes
        if self._allows(nodes[place], value):
            self._insert_at(place, offset, value)
        elif offset == len(nodes[place]):
            if place + 1 == len(nodes) or not self._allows(nodes[place + 1], value):
                nodes.insert(place + 1, Listpack())
            self._insert_at(place + 1, 0, value)
        elif offset == 0:
            if place and self._allows(nodes[place - 1], value):
                self._insert_at(place - 1, len(nodes[place - 1]), value)
            else:
                nodes.insert(place, Listpack())
                self._insert_at(place, 0, value)
        else:
            self._insert_split(place, offset, value)

    def _insert_split(self, place: int, offset: int, value: bytes) -> None:
        """Inserts between two parts of the node at `place`."""
        nodes = self._nodes
        nodes.insert(place + 1, _joined([], nodes[place].range(offset, len(nodes[place]))))
        nodes[place].delete(offset, len(nodes[place]) - offset)
        if not self._allows(nodes[place], value) and not self._allows(nodes[place + 1], value):
            nodes.insert(place + 1, Listpack())
            self._insert_at(place + 1, 0, value)
            return
        if self._allows(nodes[place], value):
            self._insert_at(place, offset, value)
        else:
            self._insert_at(place + 1, 0, value)
        self._join(place + 1)
        if place:
            self._join(place - 1)

    def _fit_together(self, node: Listpack, behind: Listpack, times: int) -> bool:
        """Whether the limits allow a node that is that many times as large as both of these."""
        size = node.byte_size + behind.byte_size - Listpack().byte_size
        return not self._exceeds(size * times, (len(node) + len(behind)) * times)

    def _join(self, place: int) -> None:
        """Joins the node at `place` with the next if the limits allow it."""
        pair = self._nodes[place : place + 2]
        if len(pair) == 2 and self._fit_together(pair[0], pair[1], 1):
            self._nodes[place : place + 2] = [_joined(pair[0].items(), pair[1].items())]

    def _tidy(self) -> None:
        """Joins neighbours that are not half full together, but for the last two nodes.

        The real server leaves them as they are: a quicklist of one node would become a listpack there.
        """
        joined = self._nodes[:1]
        for unseen in range(len(self._nodes) - 1, 0, -1):
            node = self._nodes[-unseen]
            if len(joined) + unseen > 2 and self._fit_together(joined[-1], node, 2):
                joined[-1] = _joined(joined[-1].items(), node.items())
            else:
                joined.append(node)
        self._nodes = joined

    def _delete_range(self, start: int, stop: int) -> None:
        """Removes the elements from `start` to `stop`, all of which are there."""
        left = stop - start
        if left <= 0:
            return
        place, offset = self._locate(start)
        while left > 0:
            node = self._nodes[place]
            gone = min(len(node) - offset, left)
            self._bytes -= node.byte_size
            node.delete(offset, gone)
            self._bytes += node.byte_size
            left -= gone
            place += 1
            offset = 0
        self._count -= stop - start
        self._nodes = [node for node in self._nodes if len(node)]

    def _remove_in(self, node: Listpack, value: bytes, number: int, backward: bool) -> int:
        """Removes up to `number` elements that equal `value` from one node; how many."""
        removed = 0
        self._bytes -= node.byte_size
        step = -1 if backward else 1
        at = node.find(value, -1 if backward else 0, step)
        while at >= 0 and removed < number:
            node.delete(at)
            removed += 1
            if backward and at == 0:
                break
            at = node.find(value, at - 1 if backward else at, step)
        self._count -= removed
        self._bytes += node.byte_size
        return removed

    def _check(self) -> None:
        """Asserts that no node is empty and that the count is right."""
        assert self._quick or len(self._nodes) <= 1
        assert all(len(node) for node in self._nodes)
        assert sum(map(len, self._nodes)) == self._count
        assert sum(node.byte_size - Listpack().byte_size for node in self._nodes) == self._bytes
        for node in self._nodes:
            node._check()


def _joined(first: list[bytes], second: list[bytes]) -> Listpack:
    joined = Listpack()
    for value in first + second:
        joined.append(value)
    return joined
