# cython: boundscheck=False
"""Lists: listpacks in a row, found by where they begin: the native twin of list.py.

Push and pop touch an end only. An index is found by bisection over the starts of the nodes; an insertion or removal
within the list moves the starts on its shorter side, one number per node, not per element.
"""

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.list cimport PyList_New
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy, memmove, memset

from alcove.types.container cimport Container
from alcove.types.limits cimport Limits
from alcove.types.listpack cimport (
    Listpack, Pack, pack_append, pack_bytes, pack_clear, pack_collect, pack_copy, pack_delete, pack_find, pack_get, pack_insert,
    pack_join, pack_matches, pack_memory, pack_pop, pack_prepend, pack_remove, pack_replace, pack_serialised,
    pack_split, pack_trim,
)

cdef enum:
    # The header and the end mark of a serialised listpack, which the limits count.
    FRAME = 7
    # What an entry is taken to need besides its bytes when a node is asked for room.
    ENTRY_OVERHEAD = 8
    # A node limited by its number of elements has this limit of bytes too.
    SAFE_BYTES = 8192
    FIRST_KILOBYTES = 4096
    LARGEST_FILL = 32767
    OBJECT_BYTES = 64

cdef Py_ssize_t LARGEST_ELEMENT = 0xFFFE0000


@cython.no_gc
cdef class List(Container):
    """A list; `encoding` is `listpack` while one small node is enough."""

    type_name = b"list"

    def __init__(self, Limits limits not None):
        self.limits = limits

    def __dealloc__(self):
        self.drain(self.length())

    def __len__(self):
        return self.length()

    @property
    def encoding(self):
        return b"quicklist" if self.quick else b"listpack"

    cdef bint exceeds(self, size_t size, size_t count) noexcept:
        """Whether a node of `size` bytes and `count` elements would be too large."""
        cdef int64_t fill = self.limits.list_max_listpack_size
        if fill < 0:
            return size > <size_t>FIRST_KILOBYTES << (min(-fill, 5) - 1)
        return size > SAFE_BYTES or count > <size_t>min(max(fill, 1), <int64_t>LARGEST_FILL)

    cdef bint allows(self, uint32_t place, bytes value) noexcept:
        """Whether the node at `place` has room for `value`."""
        cdef Pack *pack = &self.nodes[place].pack
        return not self.exceeds(
            pack_bytes(pack) + FRAME + PyBytes_GET_SIZE(value) + ENTRY_OVERHEAD, <size_t>pack.count + 1
        )

    cdef void shrunk(self, bint halved) noexcept:
        """Back to a listpack when one node is left that is within the limits, or half of them."""
        cdef int64_t fill = self.limits.list_max_listpack_size
        cdef Pack *pack
        if not self.quick or self.last - self.first != 1:
            return
        pack = &self.nodes[self.first].pack
        if fill < 0:
            if pack_bytes(pack) + FRAME <= (<size_t>FIRST_KILOBYTES << (min(-fill, 5) - 1)) >> halved:
                self.quick = False
        elif pack.count <= min(max(fill, 1), <int64_t>LARGEST_FILL) >> halved:
            self.quick = False

    cdef uint32_t locate(self, Py_ssize_t index, uint32_t *offset) noexcept:
        """The node that holds element `index`, which is there, and its place within."""
        cdef uint32_t low = self.first, high = self.last - 1, middle
        cdef int64_t wanted = self.nodes[self.first].start + index
        if self.nodes[high].start <= wanted:
            low = high
        while low < high:
            middle = (low + high + 1) >> 1
            if self.nodes[middle].start <= wanted:
                low = middle
            else:
                high = middle - 1
        offset[0] = <uint32_t>(wanted - self.nodes[low].start)
        return low

    cdef void account(self, uint32_t place, Py_ssize_t added) noexcept:
        """Moves the starts for `added` elements (or removed, if negative) in the node at `place`."""
        cdef uint32_t other
        if self.last - place <= place - self.first + 2:
            for other in range(place + 1, self.last):
                self.nodes[other].start += added
        else:
            for other in range(self.first, place + 1):
                self.nodes[other].start -= added

    cdef uint32_t add_node(self, uint32_t place) except? 0xFFFFFFFF:
        """Makes an empty node before the one at `place`; answers its place, as the others may have moved."""
        cdef uint32_t before = place - self.first, after = self.last - place
        cdef int64_t start = 0
        if after:
            start = self.nodes[place].start
        elif before:
            start = self.nodes[place - 1].start + self.nodes[place - 1].pack.count
        if (self.first if before < after else self.capacity - self.last) == 0:
            if not self.spread(self.last - self.first + ((self.last - self.first) >> 1) + 1):
                raise MemoryError()
        if (before < after and self.first > 0) or self.last == self.capacity:
            self.first -= 1
            memmove(&self.nodes[self.first], &self.nodes[self.first + 1], before * sizeof(Node))
        else:
            place = self.first + before
            memmove(&self.nodes[place + 1], &self.nodes[place], after * sizeof(Node))
            self.last += 1
        place = self.first + before
        memset(&self.nodes[place], 0, sizeof(Node))
        self.nodes[place].start = start
        return place

    cdef bint spread(self, uint32_t capacity) noexcept:
        """Moves the nodes to the middle of an array of `capacity`, if there is memory for it."""
        cdef uint32_t number = self.last - self.first, first = (capacity - number) >> 1
        cdef Node *nodes = <Node *>PyMem_RawMalloc(capacity * sizeof(Node))
        if nodes == NULL:
            return False
        if self.nodes != NULL:
            memcpy(&nodes[first], &self.nodes[self.first], number * sizeof(Node))
            PyMem_RawFree(self.nodes)
        self.nodes = nodes
        self.capacity = capacity
        self.first = first
        self.last = first + number
        return True

    cdef void drop_nodes(self, uint32_t place, uint32_t number) noexcept:
        """Frees nodes whose elements are no longer accounted for."""
        cdef uint32_t before = place - self.first, after = self.last - place - number, node
        for node in range(place, place + number):
            self.node_bytes -= pack_memory(&self.nodes[node].pack)
            pack_clear(&self.nodes[node].pack)
        if before < after:
            memmove(&self.nodes[self.first + number], &self.nodes[self.first], before * sizeof(Node))
            self.first += number
        else:
            memmove(&self.nodes[place], &self.nodes[place + number], after * sizeof(Node))
            self.last -= number
        if self.capacity > 4 * (self.last - self.first) + 4:
            self.spread(self.last - self.first + 1)

    cdef int trim_node(self, uint32_t place) except -1:
        """A node that is full, with neighbours on both sides soon, keeps no room for more."""
        cdef Pack *pack = &self.nodes[place].pack
        cdef size_t before = pack_memory(pack)
        pack_trim(pack)
        self.node_bytes += pack_memory(pack) - before
        return 0

    cdef int insert_at(self, uint32_t place, uint32_t offset, bytes value) except -1:
        """Inserts into the node at `place`, come what may."""
        cdef Pack *pack = &self.nodes[place].pack
        cdef size_t before = pack_memory(pack)
        if offset == pack.count:
            pack_append(pack, value)
        elif offset == 0:
            pack_prepend(pack, value)
        else:
            pack_insert(pack, offset, value)
        self.node_bytes += pack_memory(pack) - before
        self.account(place, 1)
        return 0

    cdef int insert_quick(self, uint32_t place, uint32_t offset, bytes value) except -1:
        """Inserts before element `offset` of the node at `place`: there, in a neighbour, or where the node is split."""
        cdef uint32_t before = place - self.first
        if self.allows(place, value):
            return self.insert_at(place, offset, value)
        if offset == self.nodes[place].pack.count:
            if place + 1 == self.last or not self.allows(place + 1, value):
                self.add_node(place + 1)
            return self.insert_at(self.first + before + 1, 0, value)
        if offset == 0:
            if place > self.first and self.allows(place - 1, value):
                return self.insert_at(place - 1, self.nodes[place - 1].pack.count, value)
            return self.insert_at(self.add_node(place), 0, value)
        self.split(place, offset)
        place = self.first + before
        if not self.allows(place, value) and not self.allows(place + 1, value):
            return self.insert_at(self.add_node(place + 1), 0, value)
        if self.allows(place, value):
            self.insert_at(place, offset, value)
        else:
            self.insert_at(place + 1, 0, value)
        self.join(self.first + before + 1)
        if before:
            self.join(self.first + before - 1)
        return 0

    cdef int split(self, uint32_t place, uint32_t offset) except -1:
        """Moves the elements from `offset` on to a new node behind the one at `place`."""
        cdef uint32_t behind = self.add_node(place + 1)
        cdef Pack *pack = &self.nodes[behind - 1].pack
        cdef size_t before = pack_memory(pack)
        try:
            pack_split(pack, offset, &self.nodes[behind].pack)
        except MemoryError:
            self.drop_nodes(behind, 1)
            raise
        self.node_bytes += pack_memory(pack) + pack_memory(&self.nodes[behind].pack) - before
        self.nodes[behind].start = self.nodes[behind - 1].start + pack.count
        return 0

    cdef bint fit_together(self, uint32_t place, uint32_t other, int times) noexcept:
        """Whether the limits allow a node that is that many times as large as both of these."""
        cdef Pack *pack = &self.nodes[place].pack
        cdef Pack *behind = &self.nodes[other].pack
        return not self.exceeds(
            (pack_bytes(pack) + pack_bytes(behind) + FRAME) * <size_t>times, (<size_t>pack.count + behind.count) * times
        )

    cdef int absorb(self, uint32_t place, uint32_t other) except -1:
        """Appends the elements of the next node to the one at `place`."""
        cdef size_t before = pack_memory(&self.nodes[place].pack)
        pack_join(&self.nodes[place].pack, &self.nodes[other].pack)
        self.node_bytes += pack_memory(&self.nodes[place].pack) - before
        return 0

    cdef int join(self, uint32_t place) except -1:
        """Joins the node at `place` with the next if the limits allow it."""
        if place + 1 < self.last and self.fit_together(place, place + 1, 1):
            self.absorb(place, place + 1)
            self.drop_nodes(place + 1, 1)
        return 0

    cdef int tidy(self) except -1:
        """Joins neighbours that are not half full together, but for the last two nodes.

        The real server leaves them as they are: a quicklist of one node would become a listpack there.
        """
        cdef uint32_t place = self.first, other
        for other in range(self.first + 1, self.last):
            if place - self.first + self.last - other >= 2 and self.fit_together(place, other, 2):
                self.absorb(place, other)
                self.node_bytes -= pack_memory(&self.nodes[other].pack)
                pack_clear(&self.nodes[other].pack)
            else:
                place += 1
                if place != other:
                    self.nodes[place] = self.nodes[other]
        if place + 1 < self.last:
            self.last = place + 1
        return 0

    cdef int cut(self, uint32_t place, uint32_t offset, uint32_t number) except -1:
        """Removes some of the elements of the node at `place`, not all."""
        cdef Pack *pack = &self.nodes[place].pack
        cdef size_t before = pack_memory(pack)
        pack_delete(pack, offset, number)
        self.node_bytes += pack_memory(pack) - before
        self.account(place, -<Py_ssize_t>number)
        return 0

    cdef int delete_range(self, Py_ssize_t start, Py_ssize_t stop) except -1:
        """Removes the elements from `start` to `stop`, all of which are there."""
        cdef uint32_t place, offset, whole = 0
        cdef Py_ssize_t number = stop - start, gone = 0
        if number <= 0:
            return 0
        place = self.locate(start, &offset)
        if offset:
            gone = min(<Py_ssize_t>(self.nodes[place].pack.count - offset), number)
            self.cut(place, offset, <uint32_t>gone)
            number -= gone
            gone = 0
            place += 1
        while number > gone and self.nodes[place + whole].pack.count <= number - gone:
            gone += self.nodes[place + whole].pack.count
            whole += 1
        if number > gone:
            self.cut(place + whole, 0, <uint32_t>(number - gone))
        if whole:
            self.account(place + whole - 1, -gone)
            self.drop_nodes(place, whole)
        return 0

    cdef void make_room(self, size_t size, size_t number) noexcept:
        """A listpack that would be too large with `number` elements of `size` bytes more becomes a quicklist."""
        cdef size_t present = 0
        if not self.quick:
            if self.first < self.last:
                present = pack_bytes(&self.nodes[self.first].pack)
            self.quick = self.exceeds(present + FRAME + size, self.length() + number)

    cdef int push_end(self, bytes value, bint left) except -1:
        cdef uint32_t place
        if value is None:
            raise TypeError("an element must be bytes")
        if PyBytes_GET_SIZE(value) > LARGEST_ELEMENT:
            raise OverflowError("an element is too large")
        place = self.first if left else self.last - 1
        if self.first == self.last:
            place = self.add_node(self.first)
        elif self.quick and not self.allows(place, value):
            self.trim_node(place)
            place = self.add_node(self.first if left else self.last)
        return self.insert_at(place, 0 if left else self.nodes[place].pack.count, value)

    cdef bytes pop_end(self, uint32_t place, bint last):
        cdef Pack *pack
        cdef size_t before
        cdef bytes value
        if self.first == self.last:
            raise IndexError("pop from an empty list")
        pack = &self.nodes[place].pack
        before = pack_memory(pack)
        value = pack_pop(pack, last)
        self.node_bytes += pack_memory(pack) - before
        self.account(place, -1)
        if pack.count == 0:
            self.drop_nodes(place, 1)
        self.shrunk(True)
        return value

    cdef int within(self, Py_ssize_t index) except -1:
        if not 0 <= index < self.length():
            raise IndexError(index)
        return 0

    cpdef object push_left(self, bytes value):
        """Adds `value` before the first element."""
        self.make_room(len(value), 1)
        self.push_end(value, True)

    cpdef object push_right(self, bytes value):
        """Adds `value` behind the last element."""
        self.make_room(len(value), 1)
        self.push_end(value, False)

    cpdef object push(self, object values, bint left):
        """Adds values at one end, one after the other."""
        cdef bytes value
        self.expect(values)
        for value in values:
            self.push_end(value, left)

    cpdef object expect(self, object values):
        """Says that these values are about to be added; like the real server's lists, this one makes room before."""
        cdef size_t size = 0
        cdef bytes value
        for value in values:
            size += len(value)
        self.make_room(size, len(values))

    cpdef bytes pop_left(self):
        """Removes and returns the first element."""
        return self.pop_end(self.first, False)

    cpdef bytes pop_right(self):
        """Removes and returns the last element."""
        return self.pop_end(self.last - 1, True)

    cpdef bytes get(self, Py_ssize_t index):
        """The element at `index`, from 0."""
        cdef uint32_t place, offset
        self.within(index)
        place = self.locate(index, &offset)
        return pack_get(&self.nodes[place].pack, offset)

    cpdef object set(self, Py_ssize_t index, bytes value):
        """Replaces the element at `index`."""
        cdef uint32_t place, offset
        cdef Pack *pack
        cdef size_t before
        self.within(index)
        self.make_room(len(value), 1)
        place = self.locate(index, &offset)
        pack = &self.nodes[place].pack
        if self.quick and pack.count > 1 and self.exceeds(len(value), 1):
            self.cut(place, offset, 1)
            self.insert_quick(place, offset, value)
            return
        before = pack_memory(pack)
        pack_replace(pack, offset, value)
        self.node_bytes += pack_memory(pack) - before
        if self.quick:
            self.shrunk(False)
        else:
            self.make_room(0, 0)

    cpdef object insert(self, Py_ssize_t index, bytes value):
        """Inserts `value` before the element at `index`, which may be the length."""
        cdef uint32_t place, offset
        if index == self.length():
            self.push_right(value)
            return
        self.within(index)
        self.make_room(len(value), 1)
        place = self.locate(index, &offset)
        if self.quick:
            self.insert_quick(place, offset, value)
        else:
            self.insert_at(place, offset, value)

    cpdef list range(self, Py_ssize_t start, Py_ssize_t stop):
        """The elements from `start` to `stop`, that one not included, cut to what is there."""
        cdef uint32_t place, offset, number
        cdef Py_ssize_t filled = 0, wanted
        cdef list found
        start = max(start, 0)
        wanted = min(stop, self.length()) - start
        if wanted <= 0:
            return []
        found = PyList_New(wanted)
        place = self.locate(start, &offset)
        while filled < wanted:
            number = <uint32_t>min(<Py_ssize_t>(self.nodes[place].pack.count - offset), wanted - filled)
            pack_collect(&self.nodes[place].pack, offset, offset + number, found, filled)
            filled += number
            place += 1
            offset = 0
        return found

    cpdef Py_ssize_t find(self, bytes value, Py_ssize_t start, Py_ssize_t stop) except -2:
        """The first index with `value` on the way from `start` to `stop`, that one not included, or -1.

        `stop` may be smaller than `start`: then the way leads backward.
        """
        cdef uint32_t place, offset
        cdef Py_ssize_t index
        cdef bint forward = start < stop
        if start == stop or not 0 <= start < self.length():
            return -1
        place = self.locate(start, &offset)
        while True:
            index = pack_find(&self.nodes[place].pack, value, offset, 1 if forward else -1)
            if index >= 0:
                index += self.nodes[place].start - self.nodes[self.first].start
                return index if (index < stop if forward else index > stop) else -1
            if place == (self.last - 1 if forward else self.first):
                return -1
            place = place + 1 if forward else place - 1
            offset = 0 if forward else self.nodes[place].pack.count - 1
            index = self.nodes[place].start - self.nodes[self.first].start + offset
            if index >= stop if forward else index <= stop:
                return -1

    cdef Py_ssize_t remove_in(self, uint32_t place, bytes value, Py_ssize_t number, bint backward) except -1:
        """Removes up to `number` elements that equal `value` from one node, which goes with its last; how many."""
        cdef Pack *pack = &self.nodes[place].pack
        cdef uint32_t matches = pack_matches(pack, value)
        cdef uint32_t taken = <uint32_t>min(<Py_ssize_t>matches, number)
        cdef size_t before = pack_memory(pack)
        if taken == 0:
            return 0
        self.account(place, -<Py_ssize_t>taken)
        if taken == pack.count:
            self.drop_nodes(place, 1)
        else:
            pack_remove(pack, value, matches - taken if backward else 0, taken)
            self.node_bytes += pack_memory(pack) - before
        return taken

    cpdef Py_ssize_t remove(self, bytes value, Py_ssize_t number) except -1:
        """Removes the first `number` elements that equal `value`, the last if negative, all if 0; how many it were."""
        cdef uint32_t unseen = self.last - self.first
        cdef Py_ssize_t before = self.length()
        cdef Py_ssize_t left = before if number == 0 or number < -before else abs(number)
        while unseen and left > 0:
            left -= self.remove_in(
                self.first + unseen - 1 if number < 0 else self.last - unseen, value, left, number < 0
            )
            unseen -= 1
        if self.length() < before:
            self.tidy()
            self.shrunk(True)
        return before - self.length()

    cpdef object trim(self, Py_ssize_t start, Py_ssize_t stop):
        """Keeps only the elements from `start` to `stop`, that one not included."""
        cdef Py_ssize_t length = self.length()
        start = min(max(start, 0), length)
        stop = max(min(stop, length), start)
        self.delete_range(stop, length)
        self.delete_range(0, start)
        self.shrunk(True)

    cpdef Py_ssize_t node_count(self) noexcept:
        return self.last - self.first

    cdef Pack *node_at(self, Py_ssize_t place) except NULL:
        if not 0 <= place < self.last - self.first:
            raise IndexError(place)
        return &self.nodes[self.first + place].pack

    cpdef bytes packed(self, Py_ssize_t place):
        """The node at `place` as the real server writes it."""
        return pack_serialised(self.node_at(place))

    cpdef bytes plain(self, Py_ssize_t place):
        """The element of a node that holds one too large for any node, else None."""
        cdef Pack *pack = self.node_at(place)
        return pack_get(pack, 0) if pack.count == 1 and self.exceeds(pack_bytes(pack) + FRAME, 1) else None

    cpdef object load_pack(self, Listpack pack):
        """Appends a saved node; `loaded` has to follow the last one."""
        cdef uint32_t place
        self.quick = True
        if pack.pack.count:
            place = self.add_node(self.last)
            self.nodes[place].pack = pack.pack
            memset(&pack.pack, 0, sizeof(Pack))
            self.node_bytes += pack_memory(&self.nodes[place].pack)

    cpdef object load_plain(self, bytes value):
        """Appends a saved node that holds one large element; `loaded` has to follow the last one."""
        cdef Listpack pack = Listpack.__new__(Listpack)
        pack_append(&pack.pack, value)
        self.load_pack(pack)

    cpdef object loaded(self):
        """Decides on the encoding of a list made of saved nodes."""
        self.shrunk(False)

    cpdef Py_ssize_t footprint(self) except -1:
        """Bytes of memory, this object's own included."""
        return OBJECT_BYTES + self.capacity * sizeof(Node) + self.node_bytes

    cpdef bint drain(self, Py_ssize_t number) noexcept:
        """Frees about `number` elements of a list no longer in use, in whole nodes; True when nothing is left."""
        while number > 0 and self.first < self.last:
            number -= self.nodes[self.last - 1].pack.count
            self.drop_nodes(self.last - 1, 1)
        if self.first < self.last:
            return False
        PyMem_RawFree(self.nodes)
        self.nodes = NULL
        self.first = self.last = self.capacity = 0
        return True

    cpdef List copy(self):
        cdef List twin = List(self.limits)
        cdef uint32_t place, added
        for place in range(self.first, self.last):
            added = twin.add_node(twin.last)
            pack_copy(&twin.nodes[added].pack, &self.nodes[place].pack)
            twin.node_bytes += pack_memory(&twin.nodes[added].pack)
        twin.quick = self.quick
        return twin

    def _check(self):
        """Asserts that the nodes stand where they say, are not empty, and weigh what is accounted."""
        cdef uint32_t place
        cdef size_t memory = 0
        assert self.first <= self.last <= self.capacity
        assert self.quick or self.last - self.first <= 1
        for place in range(self.first, self.last):
            pack = &self.nodes[place].pack
            assert pack.count > 0 and pack.head <= pack.tail <= pack.capacity
            memory += pack_memory(pack)
            if place > self.first:
                assert self.nodes[place].start == self.nodes[place - 1].start + self.nodes[place - 1].pack.count
        assert memory == <size_t>self.node_bytes
        assert len(self.range(0, self.length())) == self.length()
