# cython: boundscheck=False
"""Sets and maps of byte strings whose elements stand at positions 0, 1, 2, ...: the native twin of dense_map.py.

Entries live in one array; a deletion moves the last one into the hole. They are found by linear hashing, in chains
through the entries. Entries and heads are arrays of blocks. So no insertion, not the one in many millions, rehashes a
table or moves an array, and there are no tombstones to clean up.
An entry keeps 32 bits of its key's hash, so that walking a chain and splitting it touch no key that is not equal.
Hashes are Python's own, keyed anew in each process.

Sets and maps to scores keep the very objects that were added, which others keep too. A map of bytes to bytes has a
block for a key with its value: two objects would be three times as large as short fields are.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyObject_Hash
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy

from alcove.types.blocks cimport (
    FEWEST_HEADS,
    blocks_copy,
    blocks_free,
    blocks_grow,
    blocks_trim,
    heads_add,
    heads_drop,
    heads_free,
    heads_origin,
    heads_trim,
    prefetch,
)

cdef extern from "Python.h":
    void _incref "Py_INCREF"(PyObject *) noexcept
    void _decref "Py_DECREF"(PyObject *) noexcept

cdef enum:
    # How many splits lie between asking for a chain's memory and using it.
    SPLITS_AHEAD = 8
    # A value of more bytes than these is kept as the object that it is.
    MOST_COPIED = 256

# The end of a chain; positions stay below it, which is also Redis's own limit of elements.
cdef uint32_t NONE = 0xFFFFFFFF
# The byte of which it is made.
cdef int NO_HEAD = 0xFF
# The size of a value that is an object.
cdef uint32_t OBJECT = 0xFFFFFFFF
cdef Py_ssize_t LARGEST_KEY = 0xFFFFFF00


cdef inline uint32_t _hash(bytes key) except? 0xFFFFFFFF:
    if key is None:
        raise TypeError("a key must be bytes")
    return <uint32_t>PyObject_Hash(key)


cdef inline bint _same(PyObject *kept, bytes key) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
    return kept == <PyObject *>key or (
        PyBytes_GET_SIZE(<bytes>kept) == size
        and memcmp(PyBytes_AS_STRING(<bytes>kept), PyBytes_AS_STRING(key), size) == 0
    )


cdef inline Py_ssize_t _weight(PyObject *value) noexcept:
    """What the allocator gives for a bytes object: its header of 33 bytes and its data, in steps of 16."""
    return (PyBytes_GET_SIZE(<bytes>value) + 33 + 15) & ~<Py_ssize_t>15


cdef inline uint32_t _value_bytes(const Pair *pair) noexcept:
    """What a block has of its value."""
    return sizeof(PyObject *) if pair.value_size == OBJECT else pair.value_size


cdef inline char *_key_in(const Pair *pair) noexcept:
    return <char *>(pair + 1)


cdef inline char *_value_in(const Pair *pair) noexcept:
    return _key_in(pair) + pair.key_size


cdef inline PyObject *_object_in(const Pair *pair) noexcept:
    cdef PyObject *value
    memcpy(&value, _value_in(pair), sizeof(PyObject *))
    return value


cdef inline bint _has_key(const Pair *pair, bytes key) noexcept:
    cdef size_t size = <size_t>PyBytes_GET_SIZE(key)
    return pair.key_size == size and memcmp(_key_in(pair), PyBytes_AS_STRING(key), size) == 0


cdef inline bytes _key_of(const Pair *pair):
    return PyBytes_FromStringAndSize(_key_in(pair), pair.key_size)


cdef inline bytes _value_of(const Pair *pair):
    if pair.value_size == OBJECT:
        return <bytes>_object_in(pair)
    return PyBytes_FromStringAndSize(_value_in(pair), pair.value_size)


cdef inline size_t _block_size(size_t key_bytes, size_t value_bytes) noexcept:
    """What the allocator gives for a pair."""
    return (sizeof(Pair) + key_bytes + value_bytes + 15) & ~<size_t>15


cdef inline Py_ssize_t _pair_weight(const Pair *pair) noexcept:
    cdef Py_ssize_t weight = <Py_ssize_t>_block_size(pair.key_size, _value_bytes(pair))
    return weight + _weight(_object_in(pair)) if pair.value_size == OBJECT else weight


cdef inline void _put_value(Pair *pair, bytes value) noexcept:
    """Fills the value's place, which is large enough."""
    cdef PyObject *object = <PyObject *>value
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    if size > MOST_COPIED:
        pair.value_size = OBJECT
        memcpy(_value_in(pair), &object, sizeof(PyObject *))
        _incref(object)
    else:
        pair.value_size = <uint32_t>size
        memcpy(_value_in(pair), PyBytes_AS_STRING(value), size)


cdef Pair *_new_pair(const char *key, size_t key_size, bytes value) except NULL:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef size_t value_bytes = <size_t>size if size <= MOST_COPIED else sizeof(PyObject *)
    cdef Pair *pair = <Pair *>PyMem_Malloc(_block_size(key_size, value_bytes))
    if pair == NULL:
        raise MemoryError()
    pair.key_size = <uint32_t>key_size
    memcpy(_key_in(pair), key, key_size)
    _put_value(pair, value)
    return pair


cdef Pair *_copy_pair(const Pair *pair) except NULL:
    cdef size_t size = _block_size(pair.key_size, _value_bytes(pair))
    cdef Pair *twin = <Pair *>PyMem_Malloc(size)
    if twin == NULL:
        raise MemoryError()
    memcpy(twin, pair, sizeof(Pair) + pair.key_size + _value_bytes(pair))
    if pair.value_size == OBJECT:
        _incref(_object_in(pair))
    return twin


cdef inline void _free_pair(Pair *pair) noexcept:
    if pair.value_size == OBJECT:
        _decref(_object_in(pair))
    PyMem_Free(pair)


cdef inline void _fill(list found, Py_ssize_t place, bytes value) noexcept:
    """Puts a value into an empty slot of a new list."""
    Py_INCREF(value)
    PyList_SET_ITEM(found, place, value)


cdef class DenseSet:
    """A set of byte strings, each at a position."""

    def __cinit__(self):
        self.entries.width = sizeof(Entry) - sizeof(double)
        self.heads.array.width = sizeof(uint32_t)

    def __dealloc__(self):
        self.drain(self.count)

    def __len__(self):
        return self.count

    def __contains__(self, bytes key not None):
        return self.lookup(key, _hash(key)) >= 0

    cdef Py_ssize_t lookup(self, bytes key, uint32_t hash) noexcept:
        cdef uint32_t position
        cdef Entry *entry
        if self.heads.number == 0:
            return -1
        position = self.head_of(hash)[0]
        while position != NONE:
            entry = self.entry(position)
            if entry.hash == hash and (
                _has_key(entry.key.pair, key) if self.has_pairs else _same(entry.key.object, key)
            ):
                return position
            position = entry.next
        return -1

    cdef Entry *push(self, uint32_t hash) except NULL:
        """Adds an entry for a key, known to be absent, at the last position; the caller fills in what it has."""
        cdef Entry *entry
        cdef uint32_t *head
        if self.count == <Py_ssize_t>NONE:
            raise OverflowError("too many elements")
        if self.count == self.entries.room:
            blocks_grow(&self.entries)
        if self.count >= self.heads.number:
            self.split()
        head = self.head_of(hash)
        entry = self.entry(self.count)
        entry.hash = hash
        entry.next = head[0]
        head[0] = <uint32_t>self.count
        self.count += 1
        return entry

    cdef Entry *push_key(self, bytes key, uint32_t hash) except NULL:
        """As `push`, with the object of the key."""
        cdef Entry *entry = self.push(hash)
        entry.key.object = <PyObject *>key
        _incref(entry.key.object)
        self.object_bytes += _weight(entry.key.object)
        return entry

    cdef int split(self) except -1:
        """Parts one chain in two by the next bit of the hashes."""
        cdef uint32_t position, added
        cdef uint32_t *low
        cdef uint32_t *high
        cdef Entry *entry
        if not heads_add(&self.heads, NO_HEAD):
            return 0
        added = self.heads.number - 1
        low = self.head(heads_origin(&self.heads, added))
        high = self.head(added)
        position = low[0]
        while position != NONE:
            entry = self.entry(position)
            if entry.hash & self.heads.mask == added:
                high[0] = position
                high = &entry.next
            else:
                low[0] = position
                low = &entry.next
            position = entry.next
        low[0] = NONE
        high[0] = NONE
        # Chains are split in order, so what a split will wait for is known well before.
        position = self.head(heads_origin(&self.heads, self.heads.number + SPLITS_AHEAD))[0]
        if position != NONE:
            prefetch(self.entry(position))
        return 0

    cdef void join(self) noexcept:
        """Joins the chains that a smaller set does not need, and gives unused memory back."""
        cdef uint32_t gone
        cdef uint32_t *tail
        while self.heads.number > 2 * self.count and self.heads.number > FEWEST_HEADS:
            gone = heads_drop(&self.heads)
            tail = self.head(heads_origin(&self.heads, gone))
            while tail[0] != NONE:
                tail = &self.entry(tail[0]).next
            tail[0] = self.head(gone)[0]
        blocks_trim(&self.entries, self.count)
        heads_trim(&self.heads)

    cdef void release(self, Entry *entry) noexcept:
        """Lets go of an entry's objects."""
        if self.has_pairs:
            self.object_bytes -= _pair_weight(entry.key.pair)
            _free_pair(entry.key.pair)
        else:
            self.object_bytes -= _weight(entry.key.object)
            _decref(entry.key.object)

    cdef int copy_into(self, DenseSet twin) except -1:
        cdef Py_ssize_t position
        cdef Entry *entry
        if self.count == 0:
            return 0
        blocks_copy(&twin.entries, &self.entries, self.count)
        blocks_copy(&twin.heads.array, &self.heads.array, self.heads.number)
        for position in range(self.count):
            entry = twin.entry(position)
            if self.has_pairs:
                entry.key.pair = _copy_pair(entry.key.pair)
            else:
                _incref(entry.key.object)
            # Should memory end here, the twin lets go of as many as it has.
            twin.count = position + 1
        twin.heads.number = self.heads.number
        twin.heads.mask = self.heads.mask
        twin.object_bytes = self.object_bytes
        return 0

    cdef int within(self, Py_ssize_t position) except -1:
        if not 0 <= position < self.count:
            raise IndexError(position)
        return 0

    cpdef Py_ssize_t find(self, bytes key) except -2:
        """The position of `key`, or -1. It holds until the next deletion."""
        return self.lookup(key, _hash(key))

    cpdef bytes key_at(self, Py_ssize_t position):
        """The key at `position`: the very object that was added, but in a map to bytes."""
        self.within(position)
        return <bytes>self.entry(position).key.object

    cpdef bint add(self, bytes key) except -1:
        """Adds `key`; whether it was absent."""
        cdef uint32_t hash = _hash(key)
        if self.lookup(key, hash) >= 0:
            return False
        self.push_key(key, hash)
        return True

    cpdef bint delete(self, bytes key) except -1:
        """Removes `key`; whether it was there."""
        cdef uint32_t hash = _hash(key)
        cdef Py_ssize_t position
        if self.count:
            # The last entry will take its place: its chain is fetched while the key is looked for.
            prefetch(self.head_of(self.entry(self.count - 1).hash))
        position = self.lookup(key, hash)
        if position < 0:
            return False
        self.delete_at(position)
        return True

    cpdef object delete_at(self, Py_ssize_t position):
        """Removes what stands at `position`; the last entry takes its place."""
        cdef Entry gone
        cdef uint32_t last
        cdef uint32_t *link
        self.within(position)
        last = <uint32_t>self.count - 1
        memcpy(&gone, self.entry(position), self.entries.width)
        link = self.head_of(gone.hash)
        while link[0] != <uint32_t>position:
            link = &self.entry(link[0]).next
        link[0] = gone.next
        if <uint32_t>position != last:
            link = self.head_of(self.entry(last).hash)
            while link[0] != last:
                link = &self.entry(link[0]).next
            link[0] = <uint32_t>position
            memcpy(self.entry(position), self.entry(last), self.entries.width)
        self.count -= 1
        self.release(&gone)
        self.join()

    cpdef list keys(self):
        """All keys, by position."""
        cdef list found = PyList_New(self.count)
        cdef Py_ssize_t position
        for position in range(self.count):
            _fill(found, position, <bytes>self.entry(position).key.object)
        return found

    cpdef Py_ssize_t footprint(self) noexcept:
        """Bytes of memory with all keys and values, this object's own included."""
        return 112 + self.entries.room * self.entries.width + self.heads.array.room * self.heads.array.width + self.object_bytes

    cpdef bint drain(self, Py_ssize_t number) noexcept:
        """Frees up to `number` entries; True when nothing is left. From then on nothing can be found or added."""
        heads_free(&self.heads)
        while number > 0 and self.count > 0:
            self.count -= 1
            number -= 1
            self.release(self.entry(self.count))
        blocks_trim(&self.entries, self.count)
        if self.count > 0:
            return False
        blocks_free(&self.entries)
        return True

    cpdef DenseSet copy(self):
        cdef DenseSet twin = type(self)()
        self.copy_into(twin)
        return twin

    def _check(self):
        """Asserts that every entry is found by its key and nothing else hangs in the chains."""
        cdef uint32_t head, position
        cdef Py_ssize_t linked = 0, weight = 0
        cdef Entry *entry
        assert self.count <= self.entries.room
        assert self.count <= self.heads.number <= self.heads.array.room
        for head in range(self.heads.number):
            position = self.head(head)[0]
            while position != NONE:
                assert position < self.count
                entry = self.entry(position)
                assert self.head_of(entry.hash) == self.head(head)
                key = self.key_at(position)
                assert entry.hash == _hash(key)
                assert self.lookup(key, entry.hash) == position
                weight += _pair_weight(entry.key.pair) if self.has_pairs else _weight(entry.key.object)
                position = entry.next
                linked += 1
        assert linked == self.count
        assert weight == self.object_bytes


cdef class ByteMap(DenseSet):
    """A map of byte strings to byte strings."""

    def __cinit__(self):
        self.has_pairs = True

    cpdef bint add(self, bytes key) except -1:
        raise TypeError("a map has no keys without values")

    cpdef bytes get(self, bytes key):
        """The value of `key`, or None."""
        cdef Py_ssize_t position = self.lookup(key, _hash(key))
        return None if position < 0 else _value_of(self.entry(position).key.pair)

    cpdef bytes key_at(self, Py_ssize_t position):
        self.within(position)
        return _key_of(self.entry(position).key.pair)

    cpdef bytes value_at(self, Py_ssize_t position):
        self.within(position)
        return _value_of(self.entry(position).key.pair)

    cpdef bint set(self, bytes key, bytes value) except -1:
        """Gives `key` the value; whether the key was absent."""
        cdef uint32_t hash = _hash(key)
        cdef Py_ssize_t position = self.lookup(key, hash)
        cdef Pair *pair
        if position >= 0:
            self.set_at(position, value)
            return False
        if value is None:
            raise TypeError("a value must be bytes")
        if PyBytes_GET_SIZE(key) > LARGEST_KEY:
            raise OverflowError("a key is too large")
        pair = _new_pair(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), value)
        try:
            self.push(hash).key.pair = pair
        except (MemoryError, OverflowError):
            _free_pair(pair)
            raise
        self.object_bytes += _pair_weight(pair)
        return True

    cpdef object set_at(self, Py_ssize_t position, bytes value):
        """Replaces the value at `position`."""
        cdef Entry *entry
        cdef Pair *old
        cdef size_t size
        self.within(position)
        if value is None:
            raise TypeError("a value must be bytes")
        entry = self.entry(position)
        old = entry.key.pair
        size = <size_t>PyBytes_GET_SIZE(value)
        if (
            size <= MOST_COPIED
            and old.value_size != OBJECT
            and _block_size(old.key_size, size) == _block_size(old.key_size, old.value_size)
        ):
            _put_value(old, value)
            return
        entry.key.pair = _new_pair(_key_in(old), old.key_size, value)
        self.object_bytes += _pair_weight(entry.key.pair) - _pair_weight(old)
        _free_pair(old)

    cpdef list keys(self):
        """All keys, by position."""
        cdef list found = PyList_New(self.count)
        cdef Py_ssize_t position
        for position in range(self.count):
            _fill(found, position, _key_of(self.entry(position).key.pair))
        return found

    cpdef list values(self):
        """All values, by position."""
        cdef list found = PyList_New(self.count)
        cdef Py_ssize_t position
        for position in range(self.count):
            _fill(found, position, _value_of(self.entry(position).key.pair))
        return found

    cpdef list items(self):
        """All keys, each before its value, by position."""
        cdef list found = PyList_New(2 * self.count)
        cdef Py_ssize_t position
        cdef const Pair *pair
        for position in range(self.count):
            pair = self.entry(position).key.pair
            _fill(found, 2 * position, _key_of(pair))
            _fill(found, 2 * position + 1, _value_of(pair))
        return found


cdef class ScoreMap(DenseSet):
    """A map of byte strings to doubles."""

    def __cinit__(self):
        self.entries.width = sizeof(Entry)

    cpdef bint add(self, bytes key) except -1:
        raise TypeError("a map has no keys without values")

    cpdef object get(self, bytes key):
        """The score of `key`, or None."""
        cdef Py_ssize_t position = self.lookup(key, _hash(key))
        return None if position < 0 else self.entry(position).score

    cpdef double value_at(self, Py_ssize_t position) except? -1:
        self.within(position)
        return self.entry(position).score

    cpdef bint set(self, bytes key, double score) except -1:
        """Gives `key` the score; whether the key was absent."""
        cdef uint32_t hash = _hash(key)
        cdef Py_ssize_t position = self.lookup(key, hash)
        if position >= 0:
            self.entry(position).score = score
            return False
        self.push_key(key, hash).score = score
        return True

    cpdef object set_at(self, Py_ssize_t position, double score):
        """Replaces the score at `position`."""
        self.within(position)
        self.entry(position).score = score
