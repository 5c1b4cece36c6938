# cython: boundscheck=False
"""Sorted records of a fixed size, and the record of a pending entry; the native twin.

A record is bytes, and its key is how it begins; records are in the order of their keys and no key comes twice.
They stand in blocks of up to `BLOCK` records, so that a change moves little and appending fills blocks entirely.
Keys are whole words of eight bytes.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from alcove.types.stream_id cimport read_number, write_number

cdef enum:
    PENDING = 40
    BLOCK = 128
    SMALLEST = 4  # the records for which a new block has room
    MALLOC_BYTES = 8  # what malloc adds to a block


cdef inline unsigned char *_records(Block *block) noexcept:
    return <unsigned char *>(block + 1)


cdef inline size_t _block_bytes(uint32_t capacity, uint32_t size) noexcept:
    return sizeof(Block) + <size_t>capacity * size


cdef inline int _compare(const unsigned char *one, const unsigned char *other, uint32_t key_size) noexcept:
    """Below, at or above 0, as `one` comes before, is or comes behind `other`."""
    cdef uint32_t at
    cdef uint64_t first, second
    for at in range(0, key_size, 8):
        first = read_number(one + at)
        second = read_number(other + at)
        if first != second:
            return -1 if first < second else 1
    return 0


cdef inline uint32_t _lower_bound(Block *block, const unsigned char *key, uint32_t key_size, uint32_t size) noexcept:
    """The place of the first record whose key is not below `key`."""
    cdef uint32_t low = 0, high = block.count, middle
    while low < high:
        middle = (low + high) >> 1
        if _compare(_records(block) + <size_t>middle * size, key, key_size) < 0:
            low = middle + 1
        else:
            high = middle
    return low


cpdef bytes pending_record(bytes stream_id, uint64_t time_ms, uint64_t count, uint32_t slot):
    """The record of a pending entry: its ID, last delivery, number of deliveries, and its owner's number."""
    cdef bytes record = PyBytes_FromStringAndSize(NULL, PENDING)
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(record)
    if stream_id is None or PyBytes_GET_SIZE(stream_id) != 16:
        raise ValueError("a stream ID has 16 bytes")
    memcpy(to, PyBytes_AS_STRING(stream_id), 16)
    write_number(to + 16, time_ms)
    write_number(to + 24, count)
    write_number(to + 32, slot)
    return record


cpdef bytes time_key(bytes record):
    """Last delivery and ID of a pending entry: its place in the order of delivery."""
    cdef bytes key = PyBytes_FromStringAndSize(NULL, 24)
    cdef char *to = PyBytes_AS_STRING(key)
    if record is None or PyBytes_GET_SIZE(record) != PENDING:
        raise ValueError("a record of another size")
    memcpy(to, PyBytes_AS_STRING(record) + 16, 8)
    memcpy(to + 8, PyBytes_AS_STRING(record), 16)
    return key


cdef class SortedRecords:
    """Records of `size` bytes in the order of their first `key_size` bytes."""

    def __cinit__(self, uint32_t key_size, uint32_t size):
        if key_size % 8 or not 0 < key_size <= size:
            raise ValueError("a key of another size")
        self.key_size = key_size
        self.size = size

    def __dealloc__(self):
        cdef Py_ssize_t index
        for index in range(self._block_count):
            PyMem_RawFree(self._blocks[index])
        PyMem_RawFree(self._blocks)

    def __len__(self):
        return self._count

    cpdef bint put(self, bytes record) except -1:
        """Adds a record, in the place of the one with the same key if there is one; whether its key is new."""
        cdef const unsigned char *data
        cdef unsigned char *at
        cdef Py_ssize_t index
        cdef uint32_t place = 0
        cdef Block *block
        if record is None or PyBytes_GET_SIZE(record) != self.size:
            raise ValueError("a record of another size")
        data = <const unsigned char *>PyBytes_AS_STRING(record)
        if self._block_count == 0:
            self._insert_block(0, NULL)
        index = self._block_of(data)
        block = self._blocks[index]
        if index == self._block_count - 1 and block.count and _compare(
            _records(block) + <size_t>(block.count - 1) * self.size, data, self.key_size
        ) < 0:
            place = block.count
        else:
            place = _lower_bound(block, data, self.key_size, self.size)
        at = _records(block) + <size_t>place * self.size
        if place < block.count and _compare(at, data, self.key_size) == 0:
            memcpy(at, data, self.size)
            return False
        if block.count == BLOCK:
            self._split(&index, &place)
            block = self._blocks[index]
        if block.count == block.capacity:
            block = self._widened(index)
        at = _records(block) + <size_t>place * self.size
        memmove(at + self.size, at, <size_t>(block.count - place) * self.size)
        memcpy(at, data, self.size)
        block.count += 1
        self._count += 1
        return True

    cpdef bytes get(self, bytes key):
        """The record with this key, or None."""
        cdef Py_ssize_t index
        cdef uint32_t place
        if not self._seek(key, &index, &place):
            return None
        return PyBytes_FromStringAndSize(
            <const char *>_records(self._blocks[index]) + <size_t>place * self.size, self.size
        )

    cpdef bint remove(self, bytes key) except -1:
        """Removes the record with this key; whether there was one."""
        cdef Py_ssize_t index
        cdef uint32_t place
        cdef Block *block
        cdef unsigned char *at
        if not self._seek(key, &index, &place):
            return False
        block = self._blocks[index]
        at = _records(block) + <size_t>place * self.size
        block.count -= 1
        memmove(at, at + self.size, <size_t>(block.count - place) * self.size)
        self._count -= 1
        if block.count == 0:
            self._remove_block(index)
        else:
            self._merge(index)
            self._merge(index - 1)
        return True

    cpdef list page(self, bytes key, Py_ssize_t count):
        """Up to `count` records in order, beginning with the first one whose key is not below `key`."""
        cdef list found = []
        cdef Py_ssize_t index
        cdef uint32_t place
        cdef Block *block
        self._seek(key, &index, &place)
        while count > 0 and index < self._block_count:
            block = self._blocks[index]
            while count > 0 and place < block.count:
                found.append(PyBytes_FromStringAndSize(
                    <const char *>_records(block) + <size_t>place * self.size, self.size
                ))
                place += 1
                count -= 1
            index += 1
            place = 0
        return found

    cpdef bytes first(self):
        """The record with the lowest key, or None."""
        if self._count == 0:
            return None
        return PyBytes_FromStringAndSize(<const char *>_records(self._blocks[0]), self.size)

    cpdef bytes last(self):
        """The record with the highest key, or None."""
        cdef Block *block
        if self._count == 0:
            return None
        block = self._blocks[self._block_count - 1]
        return PyBytes_FromStringAndSize(
            <const char *>_records(block) + <size_t>(block.count - 1) * self.size, self.size
        )

    cpdef Py_ssize_t footprint(self) noexcept:
        """Bytes of memory, this object's own included."""
        return 72 + self._block_capacity * sizeof(Block *) + self._bytes

    cpdef bint drain(self, Py_ssize_t count) except -1:
        """Frees at least `count` records, the highest first; True when none is left."""
        cdef uint32_t size
        while self._block_count > 0 and count > 0:
            size = self._blocks[self._block_count - 1].count
            self._count -= size
            count -= size
            self._remove_block(self._block_count - 1)
        return self._block_count == 0

    cpdef SortedRecords copy(self):
        cdef SortedRecords twin = SortedRecords(self.key_size, self.size)
        cdef Block *block
        cdef Py_ssize_t index
        for index in range(self._block_count):
            twin._insert_block(index, self._blocks[index])
        twin._count = self._count
        return twin

    cdef Py_ssize_t _block_of(self, const unsigned char *key) noexcept:
        """The block in which `key` is or would be; there must be one. Mostly it is the last or the first."""
        cdef Py_ssize_t low = 0, high = self._block_count - 1, middle
        if high == 0 or _compare(_records(self._blocks[high]), key, self.key_size) <= 0:
            return high
        if _compare(_records(self._blocks[1]), key, self.key_size) > 0:
            return 0
        while low < high:
            middle = (low + high) >> 1
            if _compare(_records(self._blocks[middle + 1]), key, self.key_size) <= 0:
                low = middle + 1
            else:
                high = middle
        return low

    cdef bint _seek(self, bytes key, Py_ssize_t *index, uint32_t *place) except -1:
        """Finds block and place of the first record whose key is not below `key`; whether it has that key.

        When there is no such record the place is behind the last block.
        """
        cdef const unsigned char *data
        if key is None or PyBytes_GET_SIZE(key) != self.key_size:
            raise ValueError("a key of another size")
        index[0] = 0
        place[0] = 0
        if self._block_count == 0:
            return False
        data = <const unsigned char *>PyBytes_AS_STRING(key)
        index[0] = self._block_of(data)
        place[0] = _lower_bound(self._blocks[index[0]], data, self.key_size, self.size)
        if place[0] == self._blocks[index[0]].count:
            index[0] += 1
            place[0] = 0
            return False
        return _compare(_records(self._blocks[index[0]]) + <size_t>place[0] * self.size, data, self.key_size) == 0

    cdef int _insert_block(self, Py_ssize_t index, Block *model) except -1:
        """Puts a new block there: an empty one, or a copy of `model`."""
        cdef Py_ssize_t capacity
        cdef Block **blocks
        cdef Block *block
        cdef uint32_t room = SMALLEST if model == NULL else model.capacity
        if self._block_count == self._block_capacity:
            capacity = 1 if self._block_capacity == 0 else 2 * self._block_capacity
            blocks = <Block **>PyMem_RawRealloc(self._blocks, capacity * sizeof(Block *))
            if blocks == NULL:
                raise MemoryError()
            self._blocks = blocks
            self._block_capacity = capacity
        block = <Block *>PyMem_RawMalloc(_block_bytes(room, self.size))
        if block == NULL:
            raise MemoryError()
        block.count = 0
        block.capacity = room
        if model != NULL:
            memcpy(block, model, _block_bytes(model.count, self.size))
        memmove(self._blocks + index + 1, self._blocks + index, (self._block_count - index) * sizeof(Block *))
        self._blocks[index] = block
        self._block_count += 1
        self._bytes += _block_bytes(room, self.size) + MALLOC_BYTES
        return 0

    cdef void _remove_block(self, Py_ssize_t index) noexcept:
        self._bytes -= _block_bytes(self._blocks[index].capacity, self.size) + MALLOC_BYTES
        PyMem_RawFree(self._blocks[index])
        self._block_count -= 1
        memmove(self._blocks + index, self._blocks + index + 1, (self._block_count - index) * sizeof(Block *))

    cdef Block *_widened(self, Py_ssize_t index) except NULL:
        """The block with room for twice as many records, at most `BLOCK`."""
        cdef Block *block = self._blocks[index]
        cdef uint32_t capacity = min(2 * block.capacity, <uint32_t>BLOCK)
        cdef Block *wider = <Block *>PyMem_RawRealloc(block, _block_bytes(capacity, self.size))
        if wider == NULL:
            raise MemoryError()
        self._bytes += <size_t>(capacity - wider.capacity) * self.size
        wider.capacity = capacity
        self._blocks[index] = wider
        return wider

    cdef int _split(self, Py_ssize_t *index, uint32_t *place) except -1:
        """Makes room in a full block and moves the position; what comes last of all opens a new block."""
        cdef Block *block = self._blocks[index[0]]
        cdef uint32_t middle = BLOCK // 2
        if place[0] == BLOCK and index[0] == self._block_count - 1:
            self._insert_block(index[0] + 1, NULL)
            index[0] += 1
            place[0] = 0
            return 0
        self._insert_block(index[0] + 1, block)
        memmove(
            _records(self._blocks[index[0] + 1]), _records(block) + <size_t>middle * self.size,
            <size_t>middle * self.size,
        )
        self._blocks[index[0] + 1].count = middle
        block.count = middle
        if place[0] > middle:
            index[0] += 1
            place[0] -= middle
        return 0

    cdef void _merge(self, Py_ssize_t index) noexcept:
        """Takes the records of the next block into this one if both together fill half a block at most."""
        cdef Block *block
        cdef Block *behind
        if index < 0 or index + 1 >= self._block_count:
            return
        block = self._blocks[index]
        behind = self._blocks[index + 1]
        if block.count + behind.count > min(BLOCK // 2, block.capacity):
            return
        memcpy(
            _records(block) + <size_t>block.count * self.size, _records(behind), <size_t>behind.count * self.size
        )
        block.count += behind.count
        self._remove_block(index + 1)

    def _check(self):
        """Asserts the order, the sizes and the count."""
        cdef Py_ssize_t index, total = 0
        cdef size_t memory = 0
        cdef uint32_t place
        cdef Block *block
        cdef bytes key, before = None
        for index in range(self._block_count):
            block = self._blocks[index]
            assert 0 < block.count <= block.capacity <= BLOCK
            for place in range(block.count):
                key = PyBytes_FromStringAndSize(
                    <const char *>_records(block) + <size_t>place * self.size, self.key_size
                )
                assert before is None or before < key
                before = key
            total += block.count
            memory += _block_bytes(block.capacity, self.size) + MALLOC_BYTES
        assert total == self._count and memory == self._bytes
