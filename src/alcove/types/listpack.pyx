# cython: boundscheck=False
"""The compact sequence of small containers, as bytes in one block: the native twin of listpack.py.

A listpack is entries one behind the other, encoded as listpack_entry says: a sequence walked both ways without a
pointer per element. Unlike the real server's block ours keeps its spare room on both sides of the entries: taking from the head or
putting there moves nothing. The header and the end mark are added by `to_bytes`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

from alcove.types.listpack_entry cimport (
    Encoded,
    back_size,
    encode,
    encode_integer,
    encode_text,
    hash_at,
    hash_text,
    is_canonical,
    is_value,
    length32,
    most_bytes,
    next_entry,
    previous_entry,
    size_at,
    text_size,
    validated_next,
    value_at,
    write_back,
)

cdef enum:
    # The header (u32 bytes, u16 entries) and the end mark of the serialised form.
    HEADER = 6
    END = 0xFF
    COUNT_UNKNOWN = 65535
    # More elements than these are not compared in a table of our own: it could be made slow by who chose them.
    MOST_COMPARED = 2048


cdef inline void _forget_finger(Pack *pack) noexcept:
    pack.finger_index = 0
    pack.finger_at = pack.head


cdef uint32_t _seek(Pack *pack, uint32_t index) noexcept:
    """Where entry `index` begins (`tail` for the one behind the last), walking from the nearest known place."""
    cdef uint32_t at = pack.head, here = 0
    cdef const unsigned char *block = pack.block
    cdef uint32_t from_finger
    from_finger = index - pack.finger_index if index >= pack.finger_index else pack.finger_index - index
    if from_finger < index:
        here, at = pack.finger_index, pack.finger_at
    if pack.count - index < (from_finger if from_finger < index else index):
        here, at = pack.count, pack.tail
    while here < index:
        at = next_entry(block, at)
        here += 1
    while here > index:
        at = previous_entry(block, at)
        here -= 1
    if index < pack.count:
        pack.finger_index, pack.finger_at = index, at
    return at


cdef inline uint32_t _fitting(uint64_t size) noexcept:
    """The next capacity that fills what malloc hands out: multiples of 16 less its own 8 of bookkeeping."""
    return <uint32_t>(((size if size < <uint64_t>most_bytes() else <uint64_t>most_bytes()) + 7) & ~<uint64_t>15) + 8


cdef int _relay(Pack *pack, uint32_t capacity, uint32_t before, uint32_t removed, uint32_t added,
                bint room_ahead) except -1:
    """Moves the entries to a block of `capacity`, a gap of `added` in the place of `removed` bytes."""
    cdef uint32_t after = pack.tail - pack.head - before - removed
    cdef uint32_t head = capacity - before - added - after if room_ahead else 0
    cdef bint stays = pack.block != NULL and pack.head == 0 and head == 0 and after == 0
    cdef unsigned char *block
    if stays:
        # What grows at its end, as most do, can often grow where it is.
        block = <unsigned char *>PyMem_RawRealloc(pack.block, capacity)
    else:
        block = <unsigned char *>PyMem_RawMalloc(capacity)
    if block == NULL:
        raise MemoryError()
    if pack.block != NULL and not stays:
        memcpy(block + head, pack.block + pack.head, before)
        memcpy(block + head + before + added, pack.block + pack.head + before + removed, after)
        PyMem_RawFree(pack.block)
    pack.block = block
    pack.capacity = capacity
    pack.head = head
    pack.tail = head + before + added + after
    return 0


cdef unsigned char *_open(Pack *pack, uint32_t at, uint32_t removed, uint32_t added) except NULL:
    """Replaces `removed` bytes at `at` by a gap of `added` and answers the gap; the shorter side moves, if any."""
    cdef uint32_t before = at - pack.head
    cdef uint32_t after = pack.tail - at - removed
    cdef uint64_t size = <uint64_t>before + added + after
    cdef bint ahead = before < after
    cdef uint32_t growth = added - removed if added > removed else 0
    if <int64_t>size > most_bytes():
        raise OverflowError("a listpack would be too large")
    if growth > (pack.head if ahead else pack.capacity - pack.tail):
        # The side that should move has no room. If the block has enough in all it is shared out anew, else it grows.
        if <uint64_t>pack.capacity >= size + (size >> 3) + growth:
            _slide(pack, before, removed, added, ahead)
        else:
            _relay(pack, _fitting(size if pack.block == NULL else size + (size >> 3)), before, removed, added, ahead)
    elif pack.capacity > 256 and <uint64_t>pack.capacity > 4 * size:
        _relay(pack, _fitting(size + (size >> 2)), before, removed, added, ahead)
    elif ahead:
        memmove(pack.block + pack.head + removed - added, pack.block + pack.head, before)
        pack.head = pack.head + removed - added
    else:
        memmove(pack.block + at + added, pack.block + at + removed, after)
        pack.tail = pack.tail + added - removed
    _forget_finger(pack)
    return pack.block + pack.head + before


cdef void _slide(Pack *pack, uint32_t before, uint32_t removed, uint32_t added, bint ahead) noexcept:
    """As `_relay`, within the block: all spare room goes to the side that is growing."""
    cdef uint32_t after = pack.tail - pack.head - before - removed
    cdef uint32_t head = pack.capacity - before - added - after if ahead else 0
    cdef unsigned char *old_after = pack.block + pack.head + before + removed
    if head <= pack.head:
        memmove(pack.block + head, pack.block + pack.head, before)
        memmove(pack.block + head + before + added, old_after, after)
    else:
        memmove(pack.block + head + before + added, old_after, after)
        memmove(pack.block + head, pack.block + pack.head, before)
    pack.head = head
    pack.tail = head + before + added + after


cdef int pack_reserve(Pack *pack, uint32_t size) except -1:
    """Gives an empty pack room for entries of so many bytes."""
    return _relay(pack, _fitting(size), 0, 0, 0, False)


cdef void pack_clear(Pack *pack) noexcept:
    """Frees the block; the pack is empty and can be used again."""
    PyMem_RawFree(pack.block)
    memset(pack, 0, sizeof(Pack))


cdef int pack_trim(Pack *pack) except -1:
    """Gives back the room to spare."""
    cdef uint32_t size = pack.tail - pack.head, capacity = _fitting(size)
    if pack.count and capacity < pack.capacity:
        _relay(pack, capacity, size, 0, 0, False)
        _forget_finger(pack)
    return 0


cdef int pack_copy(Pack *target, const Pack *source) except -1:
    """Makes `target`, whose content is not looked at, a copy without spare room."""
    cdef uint32_t size = source.tail - source.head
    memset(target, 0, sizeof(Pack))
    if source.count == 0:
        return 0
    target.capacity = _fitting(size)
    target.block = <unsigned char *>PyMem_RawMalloc(target.capacity)
    if target.block == NULL:
        raise MemoryError()
    memcpy(target.block, source.block + source.head, size)
    target.tail = size
    target.count = source.count
    return 0


cdef size_t pack_memory(const Pack *pack) noexcept:
    """What malloc gave for the block."""
    return 0 if pack.block == NULL else pack.capacity + 8


cdef inline void _write(unsigned char *gap, const Encoded *value) noexcept:
    memcpy(gap, value.opening, value.opening_size)
    if value.string_size:
        memcpy(gap + value.opening_size, value.string, value.string_size)
    write_back(gap + value.size, value.size)


cdef inline int _put(Pack *pack, uint32_t at, uint32_t removed, bytes value) except -1:
    cdef Encoded encoded
    encode(&encoded, value)
    _write(_open(pack, at, removed, encoded.size + back_size(encoded.size)), &encoded)
    return 0


cdef bytes pack_get(Pack *pack, uint32_t index):
    return value_at(pack.block + _seek(pack, index))


cdef int pack_insert(Pack *pack, uint32_t index, bytes value) except -1:
    """Puts `value` before entry `index`; `count` appends."""
    _put(pack, _seek(pack, index), 0, value)
    pack.count += 1
    return 0


cdef int pack_append(Pack *pack, bytes value) except -1:
    _put(pack, pack.tail, 0, value)
    pack.count += 1
    return 0


cdef int pack_append_text(Pack *pack, const unsigned char *text, Py_ssize_t size) except -1:
    cdef Encoded encoded
    encode_text(&encoded, text, size)
    _write(_open(pack, pack.tail, 0, encoded.size + back_size(encoded.size)), &encoded)
    pack.count += 1
    return 0


cdef int pack_append_integer(Pack *pack, int64_t number) except -1:
    cdef Encoded encoded
    encoded.opening_size = encoded.size = encode_integer(encoded.opening, number)
    encoded.string_size = 0
    _write(_open(pack, pack.tail, 0, encoded.size + 1), &encoded)
    pack.count += 1
    return 0


cdef int pack_prepend(Pack *pack, bytes value) except -1:
    _put(pack, pack.head, 0, value)
    pack.count += 1
    return 0


cdef int pack_replace(Pack *pack, uint32_t index, bytes value) except -1:
    cdef uint32_t at = _seek(pack, index)
    _put(pack, at, next_entry(pack.block, at) - at, value)
    return 0


cdef int pack_delete(Pack *pack, uint32_t index, uint32_t number) except -1:
    """Removes `number` entries from `index` on; all of them must be there."""
    cdef uint32_t at, stop
    if number == 0:
        return 0
    if number == pack.count:
        pack_clear(pack)
        return 0
    at = _seek(pack, index)
    stop = _seek(pack, index + number)
    _open(pack, at, stop - at, 0)
    pack.count -= number
    return 0


cdef bytes pack_pop(Pack *pack, bint last):
    """Removes and answers the last entry, or else the first."""
    cdef uint32_t at = previous_entry(pack.block, pack.tail) if last else pack.head
    cdef uint32_t stop = pack.tail if last else next_entry(pack.block, at)
    cdef bytes value = value_at(pack.block + at)
    if pack.count == 1:
        pack_clear(pack)
    else:
        _open(pack, at, stop - at, 0)
        pack.count -= 1
    return value


cdef Py_ssize_t pack_find(Pack *pack, bytes value, Py_ssize_t start, Py_ssize_t step) except -2:
    """The first of the entries `start`, `start + step`, ... that equals `value`, or -1."""
    cdef Encoded encoded
    cdef uint32_t at, hops
    cdef Py_ssize_t index = start
    cdef const unsigned char *block = pack.block
    if not 0 <= start < pack.count:
        return -1
    encode(&encoded, value)
    at = _seek(pack, <uint32_t>start)
    while True:
        if is_value(block + at, &encoded):
            pack.finger_index, pack.finger_at = <uint32_t>index, at
            return index
        index += step
        if not 0 <= index < pack.count:
            return -1
        if step > 0:
            for hops in range(<uint32_t>step):
                at = next_entry(block, at)
        else:
            for hops in range(<uint32_t>-step):
                at = previous_entry(block, at)


cdef uint32_t pack_matches(const Pack *pack, bytes value) except? 0xFFFFFFFF:
    """How many entries equal `value`."""
    cdef Encoded encoded
    cdef uint32_t at = pack.head, found = 0
    encode(&encoded, value)
    while at < pack.tail:
        found += is_value(pack.block + at, &encoded)
        at = next_entry(pack.block, at)
    return found


cdef int pack_remove(Pack *pack, bytes value, uint32_t spared, uint32_t number) except -1:
    """Removes `number` entries that equal `value`, which are there, behind the first `spared` of them, in one pass."""
    cdef Encoded encoded
    cdef uint32_t at = pack.head, kept = pack.head, stop, left = number
    encode(&encoded, value)
    while at < pack.tail and left:
        stop = next_entry(pack.block, at)
        if is_value(pack.block + at, &encoded):
            if spared == 0:
                left -= 1
                at = stop
                continue
            spared -= 1
        memmove(pack.block + kept, pack.block + at, stop - at)
        kept += stop - at
        at = stop
    memmove(pack.block + kept, pack.block + at, pack.tail - at)
    pack.tail -= at - kept
    pack.count -= number - left
    _open(pack, pack.tail, 0, 0)
    return 0


cdef int pack_collect(Pack *pack, uint32_t start, uint32_t stop, list into, Py_ssize_t place) except -1:
    """Fills the empty slots of `into` from `place` on with the entries `start` to `stop`, that one not included."""
    cdef uint32_t at = _seek(pack, start), index
    cdef bytes value
    for index in range(start, stop):
        value = value_at(pack.block + at)
        Py_INCREF(value)
        PyList_SET_ITEM(into, place, value)
        place += 1
        at = next_entry(pack.block, at)
    return 0


cdef int pack_split(Pack *pack, uint32_t index, Pack *behind) except -1:
    """Moves the entries from `index` on into the empty pack `behind`."""
    cdef uint32_t at = _seek(pack, index)
    cdef uint32_t size = pack.tail - at
    cdef uint32_t moved = pack.count - index
    if moved == 0:
        return 0
    memcpy(_open(behind, 0, 0, size), pack.block + at, size)
    behind.count = moved
    if index == 0:
        pack_clear(pack)
        return 0
    _open(pack, at, size, 0)
    pack.count = index
    return 0


cdef int pack_join(Pack *pack, const Pack *behind) except -1:
    """Appends a copy of the entries of `behind`."""
    cdef uint32_t size = behind.tail - behind.head
    if size:
        memcpy(_open(pack, pack.tail, 0, size), behind.block + behind.head, size)
        pack.count += behind.count
    return 0


cdef bytes pack_serialised(const Pack *pack):
    """The pack as the real server writes it: header, entries, end mark."""
    cdef uint32_t size = pack_bytes(pack) + HEADER + 1, count = min(pack.count, <uint32_t>COUNT_UNKNOWN), place
    cdef bytes data = PyBytes_FromStringAndSize(NULL, size)
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(data)
    for place in range(4):
        to[place] = <unsigned char>(size >> (8 * place))
    to[4] = <unsigned char>(count & 0xFF)
    to[5] = <unsigned char>(count >> 8)
    if pack.count:
        memcpy(to + HEADER, pack.block + pack.head, pack_bytes(pack))
    to[size - 1] = END
    return data


cdef int _load(Pack *pack, const unsigned char *block, uint32_t start, uint32_t stop) except -1:
    """Fills an empty pack with entries from elsewhere: as they are if all are canonical, else written anew."""
    cdef uint32_t at = start, count = 0
    cdef bint canonical = True
    while at < stop:
        canonical = canonical and is_canonical(block + at, stop - at)
        at = validated_next(block, at, stop)
        count += 1
    if count == 0:
        return 0
    if canonical:
        memcpy(_open(pack, 0, 0, stop - start), block + start, stop - start)
        pack.count = count
        return 0
    at = start
    while at < stop:
        pack_append(pack, value_at(block + at))
        at = next_entry(block, at)
    return 0


cdef int _sift(const Pack *pack, list values, bint present, list into) except -1:
    """Adds to `into` those of the values that are entries of the pack, or those that are not.

    There are no more entries than MOST_COMPARED: they are looked up in a table of where they begin.
    """
    cdef uint32_t slots[2 * MOST_COMPARED]
    cdef const unsigned char *block = pack.block
    cdef uint32_t mask = 7, at = pack.head, slot
    cdef Encoded encoded
    cdef bytes value
    while mask + 1 < 2 * pack.count:
        mask = 2 * mask + 1
    memset(slots, 0, (mask + 1) * sizeof(uint32_t))
    while at < pack.tail:
        slot = hash_at(block + at) & mask
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = at + 1
        at = next_entry(block, at)
    for value in values:
        encode(&encoded, value)
        if encoded.string_size:
            slot = hash_text(encoded.string, encoded.string_size) & mask
        else:
            slot = hash_text(encoded.opening, encoded.opening_size) & mask
        while slots[slot] and not is_value(block + slots[slot] - 1, &encoded):
            slot = (slot + 1) & mask
        if (slots[slot] != 0) == present:
            into.append(value)
    return 0


cdef bint _has_duplicates(const Pack *pack, Py_ssize_t step, uint32_t asked) noexcept:
    """Whether two of the `asked` entries at the places 0, `step`, ... are equal; there are no more than MOST_COMPARED.

    Entries are canonical, so equal ones have equal bytes. They are looked up in a table of where others begin.
    """
    cdef uint32_t slots[2 * MOST_COMPARED]
    cdef const unsigned char *block = pack.block
    cdef uint32_t mask = 7, at = pack.head, size, slot, hash, place
    cdef Py_ssize_t hops
    while mask + 1 < 2 * asked:
        mask = 2 * mask + 1
    memset(slots, 0, (mask + 1) * sizeof(uint32_t))
    while at < pack.tail:
        size = size_at(block + at)
        hash = 2166136261
        for place in range(size):
            hash = (hash ^ block[at + place]) * <uint32_t>16777619
        slot = (hash ^ (hash >> 15)) & mask
        while slots[slot]:
            if memcmp(block + slots[slot] - 1, block + at, size) == 0:
                return True
            slot = (slot + 1) & mask
        slots[slot] = at + 1
        for hops in range(step):
            if at < pack.tail:
                at = next_entry(block, at)
    return False


cdef class Listpack:
    """A compact sequence of byte strings."""

    def __dealloc__(self):
        pack_clear(&self.pack)

    def __len__(self):
        return self.pack.count

    @property
    def byte_size(self):
        """Bytes of the serialised form, by which a list decides when a node is full."""
        return pack_bytes(&self.pack) + HEADER + 1

    cdef uint32_t _index(self, Py_ssize_t index) except? 0xFFFFFFFF:
        if index < 0:
            index += self.pack.count
        if not 0 <= index < self.pack.count:
            raise IndexError(index)
        return <uint32_t>index

    cpdef bytes get(self, Py_ssize_t index):
        """The element at `index`; negative counts from the end."""
        return pack_get(&self.pack, self._index(index))

    cpdef Py_ssize_t find(self, bytes value, Py_ssize_t start=0, Py_ssize_t step=1) except -2:
        """The first of the places `start`, `start + step`, ... that holds `value`, or -1; both may be negative."""
        if step == 0:
            raise ValueError("find by steps of 0")
        return pack_find(&self.pack, value, start + self.pack.count if start < 0 else start, step)

    cpdef object append(self, bytes value):
        """Adds `value` behind the last element."""
        pack_append(&self.pack, value)

    cpdef object prepend(self, bytes value):
        """Adds `value` before the first element."""
        pack_prepend(&self.pack, value)

    cpdef object insert(self, Py_ssize_t index, bytes value):
        """Puts `value` before the element at `index`, which may be the length."""
        if not 0 <= index <= self.pack.count:
            raise IndexError(index)
        pack_insert(&self.pack, <uint32_t>index, value)

    cpdef object replace(self, Py_ssize_t index, bytes value):
        """Puts `value` in the place of the element at `index`."""
        pack_replace(&self.pack, self._index(index), value)

    cpdef object delete(self, Py_ssize_t index, Py_ssize_t number=1):
        """Removes `number` elements from `index` on, or as many as there are."""
        cdef uint32_t start = self._index(index)
        if number > 0:
            pack_delete(&self.pack, start, <uint32_t>min(number, <Py_ssize_t>(self.pack.count - start)))

    cpdef list range(self, Py_ssize_t start, Py_ssize_t stop):
        """The elements from `start` to `stop`, that one not included, cut to what is there."""
        cdef list found
        start = max(start, 0)
        stop = min(stop, <Py_ssize_t>self.pack.count)
        if start >= stop:
            return []
        found = PyList_New(stop - start)
        pack_collect(&self.pack, <uint32_t>start, <uint32_t>stop, found, 0)
        return found

    cpdef list items(self):
        """All elements in order."""
        return self.range(0, self.pack.count)

    cpdef Py_ssize_t longest(self) noexcept:
        """The size of the largest element, 0 when there is none."""
        cdef uint32_t at = self.pack.head
        cdef Py_ssize_t longest = 0
        while at < self.pack.tail:
            longest = max(longest, text_size(self.pack.block + at))
            at = next_entry(self.pack.block, at)
        return longest

    cpdef bint has_duplicates(self, Py_ssize_t step=1) except -1:
        """Whether two of the elements at the places 0, `step`, ... are equal."""
        cdef Py_ssize_t asked
        if step < 1:
            raise ValueError("steps of less than 1")
        asked = (self.pack.count + step - 1) // step
        if asked > MOST_COMPARED:
            return len(set(self.items()[::step])) < asked
        return _has_duplicates(&self.pack, step, <uint32_t>asked)

    cpdef list sift(self, list values, bint present):
        """Those of `values` that are among the elements, or those that are not."""
        cdef list found = []
        if self.pack.count > MOST_COMPARED:
            mine = frozenset(self.items())
            return [value for value in values if (value in mine) == present]
        _sift(&self.pack, values, present, found)
        return found

    cpdef Py_ssize_t footprint(self) noexcept:
        """Bytes of memory, this object's own included."""
        return sizeof(Pack) + 24 + pack_memory(&self.pack)

    cpdef Listpack copy(self):
        cdef Listpack twin = Listpack.__new__(Listpack)
        pack_copy(&twin.pack, &self.pack)
        return twin

    cpdef bytes to_bytes(self):
        """The listpack as the real server writes it: header, entries, end mark."""
        return pack_serialised(&self.pack)

    @staticmethod
    def from_bytes(bytes data not None):
        """The listpack that `data` holds; `ValueError` if it is malformed in any way."""
        cdef const unsigned char *block = <const unsigned char *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef uint32_t count
        cdef Listpack listpack = Listpack.__new__(Listpack)
        if size < HEADER + 1 or size > most_bytes() or length32(block) != size or block[size - 1] != END:
            raise ValueError("malformed listpack: header or end")
        count = block[4] | (<uint32_t>block[5] << 8)
        _load(&listpack.pack, block, HEADER, <uint32_t>size - 1)
        if count not in (COUNT_UNKNOWN, listpack.pack.count):
            raise ValueError("malformed listpack: number of elements")
        return listpack

    def _check(self):
        """Asserts that the entries can be walked both ways and are canonical."""
        cdef uint32_t at = self.pack.head, count = 0, behind, index = 0
        cdef Encoded encoded
        assert self.pack.head <= self.pack.tail <= self.pack.capacity
        while at < self.pack.tail:
            behind = validated_next(self.pack.block, at, self.pack.tail)
            value = value_at(self.pack.block + at)
            encode(&encoded, value)
            assert encoded.size == size_at(self.pack.block + at) and is_value(self.pack.block + at, &encoded), value
            if count == self.pack.finger_index:
                assert at == self.pack.finger_at
            at = behind
            count += 1
        assert at == self.pack.tail and count == self.pack.count
