"""Bits of a string value: counting, finding, combining, integer fields; the native twin of bits.py.

Whole values are taken in words of eight bytes. Combining goes block by block, so that a result of any size
stays in the nearest cache while all the operands pass over it.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.long cimport PyLong_AsUnsignedLongLongMask
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    /* Processors have had a bit counting instruction since about 2008, which a compiler may not presume on
       x86-64: where the loader can choose between two forms of a function, both are built. */
    #if defined(__x86_64__) && defined(__GLIBC__) && (!defined(__clang__) || __clang_major__ >= 14)
    #define ALCOVE_POPCOUNT_CLONES __attribute__((target_clones("popcnt", "default")))
    #else
    #define ALCOVE_POPCOUNT_CLONES
    #endif

    #if defined(__GNUC__)
    #define alcove_popcount(word) __builtin_popcountll(word)
    #else
    static int alcove_popcount(unsigned long long word) {
        word -= (word >> 1) & 0x5555555555555555ULL;
        word = (word & 0x3333333333333333ULL) + ((word >> 2) & 0x3333333333333333ULL);
        word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0FULL;
        return (int)((word * 0x0101010101010101ULL) >> 56);
    }
    #endif

    ALCOVE_POPCOUNT_CLONES
    static long long alcove_count_words(const unsigned char *bytes, long long words) {
        long long even = 0, odd = 0, i;
        unsigned long long pair[2];
        for (i = 0; i + 2 <= words; i += 2) {
            memcpy(pair, bytes + 8 * i, 16);
            even += alcove_popcount(pair[0]);
            odd += alcove_popcount(pair[1]);
        }
        if (i < words) {
            memcpy(pair, bytes + 8 * i, 8);
            even += alcove_popcount(pair[0]);
        }
        return even + odd;
    }
    """
    int alcove_popcount(uint64_t word) noexcept nogil
    long long alcove_count_words(const unsigned char *bytes, long long words) noexcept nogil

cdef enum:
    WORDS = 512  # of the result, worked on at a time
    BLOCK = 4096  # the same in bytes

cdef enum Operation:
    AND, OR, XOR, NOT, DIFF, DIFF1, ANDOR, ONE

OPERATIONS = (b"AND", b"OR", b"XOR", b"NOT", b"DIFF", b"DIFF1", b"ANDOR", b"ONE")


cdef const unsigned char *_view(object data) except NULL:
    if type(data) is bytes:
        return <const unsigned char *>PyBytes_AS_STRING(data)
    if type(data) is bytearray:
        return <const unsigned char *>PyByteArray_AS_STRING(data)
    raise TypeError("a string value is bytes or a bytearray")


def count(data, long long first, long long stop):
    """The number of ones among the bits from `first` to before `stop`; the range lies within the value."""
    cdef const unsigned char *view = _view(data)
    cdef long long start = first >> 3, size = ((stop + 7) >> 3) - start, ones, i
    if first >= stop:
        return 0
    if first < 0 or size > len(data) - start:
        raise IndexError("bits beyond the value")
    ones = alcove_count_words(view + start, size >> 3)
    for i in range(start + (size & ~7), start + size):
        ones += alcove_popcount(view[i])
    ones -= alcove_popcount(view[start] >> (8 - (first & 7)))
    ones -= alcove_popcount(view[start + size - 1] & ((1 << (-stop & 7)) - 1))
    return ones


def position(data, int bit, long long first, long long stop):
    """Where the first `bit` (0 or 1) from `first` to before `stop` is, or -1; the range lies inside."""
    cdef const unsigned char *view = _view(data)
    cdef unsigned char flip = 0 if bit else 0xFF
    cdef uint64_t empty = 0, word
    cdef long long index = first >> 3, size = (stop + 7) >> 3, where
    cdef unsigned int candidates
    if first >= stop:
        return -1
    if first < 0 or size > len(data):
        raise IndexError("bits beyond the value")
    candidates = (view[index] ^ flip) & (0xFF >> (first & 7))
    if candidates == 0:
        index += 1
        memset(&empty, flip, sizeof(empty))
        while index + 8 <= size:
            memcpy(&word, view + index, sizeof(word))
            if word != empty:
                break
            index += 8
        while index < size and view[index] == flip:
            index += 1
        if index == size:
            return -1
        candidates = view[index] ^ flip
    where = index * 8
    while candidates < 0x80:
        candidates <<= 1
        where += 1
    return where if where < stop else -1


def combine(bytes operation, list operands):
    """One of OPERATIONS over values of any length: as long as the longest, shorter ones continued by zeros.

    DIFF, DIFF1 and ANDOR weigh the first operand against all others together: bits of the first that no other
    has, bits of others that the first lacks, bits of the first that another has. ONE keeps what exactly one
    operand has.
    """
    cdef int code = OPERATIONS.index(operation)
    cdef Py_ssize_t size = 0, start
    for operand in operands:
        size = max(size, <Py_ssize_t>len(operand))
    cdef bytearray result = PyByteArray_FromStringAndSize(NULL, size)
    cdef unsigned char *out = <unsigned char *>PyByteArray_AS_STRING(result)
    for start in range(0, size, BLOCK):
        _combine_block(code, operands, start, out + start, min(BLOCK, size - start))
    return result


cdef int _combine_block(
    int code, list operands, Py_ssize_t start, unsigned char *out, Py_ssize_t size
) except -1:
    """Fills one block of the result, `size` bytes from `start` on."""
    cdef uint64_t block[WORDS]
    cdef uint64_t operand[WORDS]
    cdef uint64_t repeated[WORDS]
    cdef Py_ssize_t words = (size + 7) >> 3, i, k
    cdef bint first_apart = code == DIFF or code == DIFF1 or code == ANDOR
    _load(operands[1 if first_apart else 0], start, block, size)
    if code == ONE:
        memset(repeated, 0, sizeof(repeated))
    for k in range(2 if first_apart else 1, len(operands)):
        _load(operands[k], start, operand, size)
        if code == AND:
            for i in range(words):
                block[i] &= operand[i]
        elif code == XOR:
            for i in range(words):
                block[i] ^= operand[i]
        elif code == ONE:
            for i in range(words):
                repeated[i] |= block[i] & operand[i]
                block[i] = (block[i] ^ operand[i]) & ~repeated[i]
        else:
            for i in range(words):
                block[i] |= operand[i]
    if code == NOT:
        for i in range(words):
            block[i] = ~block[i]
    elif first_apart:
        _load(operands[0], start, operand, size)
        for i in range(words):
            if code == DIFF:
                block[i] = operand[i] & ~block[i]
            elif code == DIFF1:
                block[i] = block[i] & ~operand[i]
            else:
                block[i] = operand[i] & block[i]
    memcpy(out, block, size)
    return 0


cdef int _load(object operand, Py_ssize_t start, uint64_t *block, Py_ssize_t size) except -1:
    """Copies `size` bytes of the operand from `start` on; zeros where it has ended and up to a whole word."""
    cdef const unsigned char *view = _view(operand)
    cdef Py_ssize_t present = min(max(<Py_ssize_t>len(operand) - start, 0), size)
    memcpy(block, view + start if present else view, present)
    memset(<unsigned char *>block + present, 0, ((size + 7) & ~7) - present)
    return 0


def grow(bytearray data, Py_ssize_t size):
    """Continues the value with zeros until it has `size` bytes; a longer one stays as it is."""
    cdef Py_ssize_t old = len(data)
    if size > old:
        PyByteArray_Resize(data, size)
        memset(PyByteArray_AS_STRING(data) + old, 0, size - old)


def read_field(data, long long offset, int width, bint signed):
    """The integer in the `width` (1 to 64) bits from `offset` on, highest first; zeros beyond the end."""
    cdef const unsigned char *view = _view(data)
    cdef long long end = 8 * <long long>len(data)
    cdef int missing = width, room, taken
    cdef uint64_t value = 0
    while missing and offset < end:
        room = 8 - (offset & 7)
        taken = min(room, missing)
        value = (value << taken) | ((view[offset >> 3] >> (room - taken)) & ((1 << taken) - 1))
        offset += taken
        missing -= taken
    if missing < 64:
        value <<= missing
    if not signed:
        return value
    # Left and right again: the field's highest bit becomes the sign.
    return <int64_t>(value << (64 - width)) >> (64 - width)


def write_field(bytearray data, long long offset, int width, value):
    """Puts the lowest `width` (1 to 64) bits of an integer at `offset`; the value is long enough."""
    cdef unsigned char *view = <unsigned char *>PyByteArray_AS_STRING(data)
    cdef uint64_t left = PyLong_AsUnsignedLongLongMask(value)
    cdef long long end = offset + width
    cdef int room, taken, shift
    cdef unsigned int mask
    if offset < 0 or end > 8 * <long long>len(data):
        raise IndexError("bits beyond the value")
    while end > offset:
        shift = -end & 7
        room = 8 - shift
        taken = room if room < end - offset else <int>(end - offset)
        mask = ((1 << taken) - 1) << shift
        view[(end - 1) >> 3] = (view[(end - 1) >> 3] & ~mask) | ((left << shift) & mask)
        left >>= taken
        end -= taken
