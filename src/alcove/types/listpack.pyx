# cython: boundscheck=False
"""The compact sequence of small containers, as bytes in one block: the native twin of listpack.py.

A listpack is entries one behind the other, each an encoding byte, data, and its own length written so that it can
be read from behind: a sequence walked both ways without a pointer per element. What looks like an integer is kept
as one. An encoding is canonical, so two values are equal exactly when their encoded bytes are.

Unlike the real server's block ours keeps its spare room on both sides of the entries: taking from the head or
putting there moves nothing. The header and the end mark are added by `to_bytes`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

cdef enum:
    # The header (u32 bytes, u16 entries) and the end mark of the serialised form.
    HEADER = 6
    END = 0xFF
    COUNT_UNKNOWN = 65535
    # More elements than these are not compared in a table of our own: it could be made slow by who chose them.
    MOST_COMPARED = 2048

# Beyond this a block's offsets would no longer fit 32 bits.
cdef int64_t MAX_BYTES = 0xFFFF0000


# A value on its way into a pack: `opening` is the encoding byte with what belongs to it (all of an integer,
# the length of a string).
cdef struct Encoded:
    unsigned char opening[12]
    uint32_t opening_size
    uint32_t string_size
    const unsigned char *string
    uint32_t size


cdef inline bint _parse(const unsigned char *text, Py_ssize_t size, int64_t *number) noexcept:
    """Whether `text` is an integer in its one canonical form: no leading zero, no plus sign, 64 bits."""
    cdef uint64_t magnitude = 0
    cdef Py_ssize_t at = 0
    cdef unsigned char digit
    if size == 0 or size > 20:
        return False
    if text[0] == 45:  # -
        at = 1
        if size == 1 or text[1] == 48:
            return False
    if size - at > 19 or (text[at] == 48 and size > 1):
        return False
    while at < size:
        digit = text[at] - 48
        if digit > 9:
            return False
        magnitude = magnitude * 10 + digit
        at += 1
    if text[0] == 45:
        if magnitude > <uint64_t>1 << 63:
            return False
        number[0] = <int64_t>(0 - magnitude)
    else:
        if magnitude >= <uint64_t>1 << 63:
            return False
        number[0] = <int64_t>magnitude
    return True


cdef inline uint32_t _encode_integer(unsigned char *to, int64_t number) noexcept:
    """Writes the shortest integer encoding and answers its size."""
    cdef uint32_t width, place
    if 0 <= number <= 127:
        to[0] = <unsigned char>number
        return 1
    if -4096 <= number <= 4095:
        to[0] = <unsigned char>(0xC0 | ((number >> 8) & 0x1F))
        to[1] = <unsigned char>(number & 0xFF)
        return 2
    if -32768 <= number <= 32767:
        to[0], width = 0xF1, 2
    elif -8388608 <= number <= 8388607:
        to[0], width = 0xF2, 3
    elif -2147483648 <= number <= 2147483647:
        to[0], width = 0xF3, 4
    else:
        to[0], width = 0xF4, 8
    for place in range(width):
        to[1 + place] = <unsigned char>(<uint64_t>number >> (8 * place))
    return 1 + width


cdef inline int _encode(Encoded *to, bytes value) except -1:
    if value is None:
        raise TypeError("an element must be bytes")
    return _encode_text(to, <const unsigned char *>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))


cdef inline int _encode_text(Encoded *to, const unsigned char *text, Py_ssize_t size) except -1:
    cdef int64_t number
    if _parse(text, size, &number):
        to.opening_size = to.size = _encode_integer(to.opening, number)
        to.string_size = 0
        return 0
    if size < 64:
        to.opening[0] = <unsigned char>(0x80 | size)
        to.opening_size = 1
    elif size < 4096:
        to.opening[0] = <unsigned char>(0xE0 | (size >> 8))
        to.opening[1] = <unsigned char>(size & 0xFF)
        to.opening_size = 2
    elif size < MAX_BYTES:
        to.opening[0] = 0xF0
        to.opening[1] = <unsigned char>(size & 0xFF)
        to.opening[2] = <unsigned char>((size >> 8) & 0xFF)
        to.opening[3] = <unsigned char>((size >> 16) & 0xFF)
        to.opening[4] = <unsigned char>(size >> 24)
        to.opening_size = 5
    else:
        raise OverflowError("an element is too large")
    to.string = text
    to.string_size = <uint32_t>size
    to.size = to.opening_size + to.string_size
    return 0


cdef inline uint32_t _size_at(const unsigned char *entry) noexcept:
    """The size of an entry without its back-length."""
    cdef unsigned char kind = entry[0]
    if kind < 0x80:
        return 1
    if kind < 0xC0:
        return 1 + (kind & 0x3F)
    if kind < 0xE0:
        return 2
    if kind < 0xF0:
        return 2 + ((<uint32_t>(kind & 0x0F) << 8) | entry[1])
    if kind == 0xF0:
        return 5 + _length32(entry + 1)
    if kind == 0xF1:
        return 3
    if kind == 0xF2:
        return 4
    if kind == 0xF3:
        return 5
    return 9


cdef inline uint32_t _length32(const unsigned char *at) noexcept:
    return at[0] | (<uint32_t>at[1] << 8) | (<uint32_t>at[2] << 16) | (<uint32_t>at[3] << 24)


cdef inline uint32_t _back_size(uint32_t size) noexcept:
    """How many bytes the back-length takes; the odd bounds are the format's."""
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    if size < 268435455:
        return 4
    return 5


cdef inline void _write_back(unsigned char *to, uint32_t size) noexcept:
    """Seven bits a byte, the lowest in the last byte; every byte but the first says that more stand before it."""
    cdef uint32_t width = _back_size(size), place = width
    while place > 1:
        place -= 1
        to[place] = <unsigned char>((size & 127) | 128)
        size >>= 7
    to[0] = <unsigned char>size


cdef inline uint32_t _step_back(const unsigned char *block, uint32_t at) noexcept:
    """Where the entry begins that ends before `at`."""
    cdef uint32_t size = 0, shift = 0, place = at - 1
    while True:
        size |= <uint32_t>(block[place] & 127) << shift
        if block[place] < 128:
            return place - size
        shift += 7
        place -= 1


cdef inline uint32_t _step(const unsigned char *block, uint32_t at) noexcept:
    """Where the entry behind the one at `at` begins. Numbers of 7 bits and short strings, mostly met, come first."""
    cdef unsigned char kind = block[at]
    cdef uint32_t size
    if kind < 0x80:
        return at + 2
    if kind < 0xC0:
        return at + 2 + (kind & 0x3F)
    size = _size_at(block + at)
    return at + size + _back_size(size)


cdef inline bint _equal(const unsigned char *entry, const Encoded *value) noexcept:
    cdef uint32_t size = value.string_size
    if entry[0] != value.opening[0]:
        return False
    if value.opening_size > 1 and memcmp(entry, value.opening, value.opening_size) != 0:
        return False
    if size == 0:
        return True
    entry += value.opening_size
    # Values of one kind often begin alike: their ends tell them apart without a call.
    return entry[size - 1] == value.string[size - 1] and memcmp(entry, value.string, size) == 0


cdef inline int64_t _integer_at(const unsigned char *entry) noexcept:
    """The number of an integer entry."""
    cdef uint32_t width = _size_at(entry) - 1, place
    cdef uint64_t number = 0
    if entry[0] < 0x80:
        return entry[0]
    if entry[0] < 0xE0:
        number = (<uint64_t>(entry[0] & 0x1F) << 8) | entry[1]
        return <int64_t>number - 8192 if number >= 4096 else <int64_t>number
    for place in range(width):
        number |= <uint64_t>entry[1 + place] << (8 * place)
    if width < 8 and number >> (8 * width - 1):
        number |= ~<uint64_t>0 << (8 * width)
    return <int64_t>number


cdef bytes decimal(int64_t number):
    """An integer as it is written."""
    cdef char text[20]
    cdef int at = 20
    cdef uint64_t magnitude = <uint64_t>number
    if number < 0:
        magnitude = 0 - magnitude
    while True:
        at -= 1
        text[at] = <char>(48 + magnitude % 10)
        magnitude //= 10
        if magnitude == 0:
            break
    if number < 0:
        at -= 1
        text[at] = 45
    return PyBytes_FromStringAndSize(text + at, 20 - at)


cdef inline bytes _value_at(const unsigned char *entry):
    cdef unsigned char kind = entry[0]
    cdef uint32_t opening
    if 0x80 <= kind < 0xC0:
        return PyBytes_FromStringAndSize(<const char *>entry + 1, kind & 0x3F)
    if kind < 0xE0 or kind > 0xF0:
        return decimal(_integer_at(entry))
    opening = 5 if kind == 0xF0 else 2
    return PyBytes_FromStringAndSize(<const char *>entry + opening, _size_at(entry) - opening)


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
        at = _step(block, at)
        here += 1
    while here > index:
        at = _step_back(block, at)
        here -= 1
    if index < pack.count:
        pack.finger_index, pack.finger_at = index, at
    return at


cdef inline uint32_t _fitting(uint64_t size) noexcept:
    """The next capacity that fills what malloc hands out: multiples of 16 less its own 8 of bookkeeping."""
    return <uint32_t>(((size if size < <uint64_t>MAX_BYTES else <uint64_t>MAX_BYTES) + 7) & ~<uint64_t>15) + 8


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
    if <int64_t>size > MAX_BYTES:
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
    _write_back(gap + value.size, value.size)


cdef inline int _put(Pack *pack, uint32_t at, uint32_t removed, bytes value) except -1:
    cdef Encoded encoded
    _encode(&encoded, value)
    _write(_open(pack, at, removed, encoded.size + _back_size(encoded.size)), &encoded)
    return 0


cdef bytes pack_get(Pack *pack, uint32_t index):
    return _value_at(pack.block + _seek(pack, index))


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
    _encode_text(&encoded, text, size)
    _write(_open(pack, pack.tail, 0, encoded.size + _back_size(encoded.size)), &encoded)
    pack.count += 1
    return 0


cdef int pack_append_integer(Pack *pack, int64_t number) except -1:
    cdef Encoded encoded
    encoded.opening_size = encoded.size = _encode_integer(encoded.opening, number)
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
    _put(pack, at, _step(pack.block, at) - at, value)
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
    cdef uint32_t at = _step_back(pack.block, pack.tail) if last else pack.head
    cdef uint32_t stop = pack.tail if last else _step(pack.block, at)
    cdef bytes value = _value_at(pack.block + at)
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
    _encode(&encoded, value)
    at = _seek(pack, <uint32_t>start)
    while True:
        if _equal(block + at, &encoded):
            pack.finger_index, pack.finger_at = <uint32_t>index, at
            return index
        index += step
        if not 0 <= index < pack.count:
            return -1
        if step > 0:
            for hops in range(<uint32_t>step):
                at = _step(block, at)
        else:
            for hops in range(<uint32_t>-step):
                at = _step_back(block, at)


cdef uint32_t pack_matches(const Pack *pack, bytes value) except? 0xFFFFFFFF:
    """How many entries equal `value`."""
    cdef Encoded encoded
    cdef uint32_t at = pack.head, found = 0
    _encode(&encoded, value)
    while at < pack.tail:
        found += _equal(pack.block + at, &encoded)
        at = _step(pack.block, at)
    return found


cdef int pack_remove(Pack *pack, bytes value, uint32_t spared, uint32_t number) except -1:
    """Removes `number` entries that equal `value`, which are there, behind the first `spared` of them, in one pass."""
    cdef Encoded encoded
    cdef uint32_t at = pack.head, kept = pack.head, stop, left = number
    _encode(&encoded, value)
    while at < pack.tail and left:
        stop = _step(pack.block, at)
        if _equal(pack.block + at, &encoded):
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
        value = _value_at(pack.block + at)
        Py_INCREF(value)
        PyList_SET_ITEM(into, place, value)
        place += 1
        at = _step(pack.block, at)
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
        canonical = canonical and _is_canonical(block + at, stop - at)
        at = _validated_step(block, at, stop)
        count += 1
    if count == 0:
        return 0
    if canonical:
        memcpy(_open(pack, 0, 0, stop - start), block + start, stop - start)
        pack.count = count
        return 0
    at = start
    while at < stop:
        pack_append(pack, _value_at(block + at))
        at = _step(block, at)
    return 0


cdef bint _is_canonical(const unsigned char *entry, uint32_t left) noexcept:
    """Whether `_encode` would have written this entry; not to be relied on if it reaches beyond the `left` bytes."""
    cdef unsigned char kind = entry[0]
    cdef int64_t number
    cdef uint32_t size
    if kind < 0x80:
        return True
    if kind < 0xC0:
        size = kind & 0x3F
        return size < left and not _parse(entry + 1, size, &number)
    if left < 2:
        return False
    if kind < 0xE0:
        return not 0 <= _integer_at(entry) <= 127
    if kind < 0xF0:
        return _size_at(entry) - 2 >= 64
    if kind == 0xF0:
        return left >= 5 and _length32(entry + 1) >= 4096
    if kind > 0xF4 or _size_at(entry) > left:
        return False
    number = _integer_at(entry)
    if kind == 0xF1:
        return not -4096 <= number <= 4095
    if kind == 0xF2:
        return not -32768 <= number <= 32767
    if kind == 0xF3:
        return not -8388608 <= number <= 8388607
    return not -2147483648 <= number <= 2147483647


cdef Py_ssize_t _text_size(const unsigned char *entry) noexcept:
    """The size of an entry's value."""
    cdef unsigned char kind = entry[0]
    cdef int64_t number
    cdef uint64_t magnitude
    cdef Py_ssize_t size = 1
    if 0x80 <= kind < 0xC0:
        return kind & 0x3F
    if 0xE0 <= kind <= 0xF0:
        return _size_at(entry) - (5 if kind == 0xF0 else 2)
    number = _integer_at(entry)
    magnitude = <uint64_t>number if number >= 0 else 0 - <uint64_t>number
    while magnitude > 9:
        magnitude //= 10
        size += 1
    return size + (number < 0)


cdef inline uint32_t _hash(const unsigned char *data, uint32_t size) noexcept:
    """A hash of bytes, eight at a time; the last eight may overlap those before them."""
    cdef uint64_t hash = size, word = 0
    cdef uint32_t place
    if size < 8:
        memcpy(&word, data, size)
    else:
        for place in range(0, size - 7, 8):
            memcpy(&word, data + place, 8)
            hash = (hash ^ word) * <uint64_t>0x9E3779B97F4A7C15
            hash ^= hash >> 32
        memcpy(&word, data + size - 8, 8)
    hash = (hash ^ word) * <uint64_t>0x9E3779B97F4A7C15
    # Last bytes that differ have moved only the highest bits so far.
    hash = (hash ^ (hash >> 32)) * <uint64_t>0x9E3779B97F4A7C15
    return <uint32_t>(hash >> 32)


cdef inline uint32_t _hash_at(const unsigned char *entry) noexcept:
    """The hash of an entry: of the string alone, or of all of an integer or an empty string."""
    cdef unsigned char kind = entry[0]
    if 0x80 < kind < 0xC0:
        return _hash(entry + 1, kind & 0x3F)
    if 0xE0 <= kind < 0xF0:
        return _hash(entry + 2, _size_at(entry) - 2)
    if kind == 0xF0:
        return _hash(entry + 5, _length32(entry + 1))
    return _hash(entry, _size_at(entry))


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
        slot = _hash_at(block + at) & mask
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = at + 1
        at = _step(block, at)
    for value in values:
        _encode(&encoded, value)
        if encoded.string_size:
            slot = _hash(encoded.string, encoded.string_size) & mask
        else:
            slot = _hash(encoded.opening, encoded.opening_size) & mask
        while slots[slot] and not _equal(block + slots[slot] - 1, &encoded):
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
        size = _size_at(block + at)
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
                at = _step(block, at)
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
            longest = max(longest, _text_size(self.pack.block + at))
            at = _step(self.pack.block, at)
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
        if size < HEADER + 1 or size > MAX_BYTES or _length32(block) != size or block[size - 1] != END:
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
            behind = _validated_step(self.pack.block, at, self.pack.tail)
            value = _value_at(self.pack.block + at)
            _encode(&encoded, value)
            assert encoded.size == _size_at(self.pack.block + at) and _equal(self.pack.block + at, &encoded), value
            if count == self.pack.finger_index:
                assert at == self.pack.finger_at
            at = behind
            count += 1
        assert at == self.pack.tail and count == self.pack.count


cdef uint32_t _validated_step(const unsigned char *block, uint32_t at, uint32_t stop) except 0:
    """As `_step`, over bytes from elsewhere: no entry, length or back-length may reach beyond `stop`."""
    cdef uint64_t size
    cdef uint32_t width, place
    cdef unsigned char back[5]
    cdef unsigned char kind = block[at]
    if kind > 0xF4 or (kind >= 0xE0 and at + (5 if kind == 0xF0 else 2) > stop):
        raise ValueError("malformed listpack: encoding")
    size = _size_at(block + at) if kind != 0xF0 else 5 + <uint64_t>_length32(block + at + 1)
    if at + size > stop:
        raise ValueError("malformed listpack: an element's size")
    width = _back_size(<uint32_t>size)
    if at + size + width > stop:
        raise ValueError("malformed listpack: back-length")
    _write_back(back, <uint32_t>size)
    for place in range(width):
        if block[at + size + place] != back[place]:
            raise ValueError("malformed listpack: back-length")
    return at + <uint32_t>size + width
