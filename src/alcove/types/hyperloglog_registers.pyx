"""The registers of a HyperLogLog, dense and sparse; the native twin of hyperloglog_registers.py.

The format is told in hyperloglog.py.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memmove, memset

REGISTERS = 16384

cdef enum:
    REGISTER_COUNT = 16384
    HEADER = 16
    DENSE_BYTES = 12288
    HIGHEST_SPARSE_RANK = 32
    LONGEST_VALUE_RUN = 4
    RUNS_TO_MERGE = 5

cdef const char *CORRUPT = "the registers of this HyperLogLog are corrupt"

cdef uint64_t HASH_SEED = 0xADC83B19
cdef uint64_t HASH_FACTOR = 0xC6A4A7935BD1E995

cdef struct Run:
    int held  # the value of its registers
    int length  # how many they are
    int size  # in bytes

cdef struct Place:
    Py_ssize_t at
    int first  # the register that the run at this offset begins with


cdef uint64_t _hash(bytes element) noexcept:
    cdef const unsigned char *view = <const unsigned char *>PyBytes_AS_STRING(element)
    cdef Py_ssize_t size = len(element), whole = size & ~7, at
    cdef uint64_t result = HASH_SEED ^ (<uint64_t>size * HASH_FACTOR), word
    for at in range(0, whole, 8):
        word = _little_endian(view + at, 8) * HASH_FACTOR
        word = (word ^ (word >> 47)) * HASH_FACTOR
        result = (result ^ word) * HASH_FACTOR
    if size > whole:
        result = (result ^ _little_endian(view + whole, size - whole)) * HASH_FACTOR
    result = (result ^ (result >> 47)) * HASH_FACTOR
    return result ^ (result >> 47)


cdef inline uint64_t _little_endian(const unsigned char *view, Py_ssize_t size) noexcept:
    cdef uint64_t word = 0
    cdef Py_ssize_t i
    for i in range(size):
        word |= <uint64_t>view[i] << (8 * i)
    return word


def hash64(bytes element):
    """MurmurHash64A by Austin Appleby, in the public domain, with the real server's seed."""
    return _hash(element)


def add(bytearray value, bytes element, Py_ssize_t sparse_max_bytes):
    """Counts an element; whether it changed a register. A sparse value that would outgrow the limit turns dense."""
    cdef uint64_t bits = _hash(element)
    cdef uint64_t rest = (bits >> 14) | (<uint64_t>1 << 50)
    cdef int rank = 1
    cdef Place resume = Place(HEADER, 0)
    while not rest & 1:
        rest >>= 1
        rank += 1
    return _raise(value, <int>(bits & (REGISTER_COUNT - 1)), rank, sparse_max_bytes, &resume)


def raise_all(bytearray value, bytearray registers, Py_ssize_t sparse_max_bytes):
    """Raises each register to the one given, one after the other as PFMERGE does."""
    cdef const unsigned char *ranks = _registers(registers)
    cdef Place resume = Place(HEADER, 0)
    cdef int index
    for index in range(REGISTER_COUNT):
        if ranks[index]:
            _raise(value, index, ranks[index], sparse_max_bytes, &resume)


cdef bint _raise(bytearray value, int index, int rank, Py_ssize_t sparse_max_bytes, Place *resume) except -1:
    cdef unsigned char *view = <unsigned char *>PyByteArray_AS_STRING(value)
    cdef int changed
    if len(value) < HEADER:
        raise ValueError(CORRUPT)
    if view[4] != 0:
        changed = _raise_sparse(value, index, rank, sparse_max_bytes, resume)
        if changed >= 0:
            return changed
        _to_dense(value)
        view = <unsigned char *>PyByteArray_AS_STRING(value)
    elif len(value) != HEADER + DENSE_BYTES:
        raise ValueError(CORRUPT)
    return _raise_dense(view + HEADER, index, rank)


cdef int _to_dense(bytearray value) except -1:
    cdef unsigned char registers[REGISTER_COUNT]
    memset(registers, 0, REGISTER_COUNT)
    _merge(registers, value)
    PyByteArray_Resize(value, HEADER + DENSE_BYTES)
    cdef unsigned char *view = <unsigned char *>PyByteArray_AS_STRING(value)
    _pack(registers, view + HEADER)
    view[4] = 0
    return 0


cdef bint _raise_dense(unsigned char *packed, int index, int rank) noexcept:
    cdef int at = index * 6 >> 3, shift = index * 6 & 7
    cdef unsigned int pair = packed[at]
    if shift > 2:
        pair |= packed[at + 1] << 8
    if <int>((pair >> shift) & 0x3F) >= rank:
        return False
    pair = (pair & ~(0x3FU << shift)) | (<unsigned int>rank << shift)
    packed[at] = pair & 0xFF
    if shift > 2:
        packed[at + 1] = pair >> 8
    return True


cdef int _raise_sparse(bytearray value, int index, int rank, Py_ssize_t limit, Place *resume) except -2:
    """Whether the register had to be raised; -1 when only a dense value can hold the result.

    `resume` says where to look; it is left at the run before the one found, so that registers raised in rising
    order cost one walk.
    """
    cdef Py_ssize_t size = len(value), growth
    cdef unsigned char *view = <unsigned char *>PyByteArray_AS_STRING(value)
    cdef unsigned char runs[5]
    cdef Place place = resume[0], previous = resume[0]
    cdef Run run
    cdef int used
    if rank > HIGHEST_SPARSE_RANK:
        return -1
    while True:
        if place.at >= size:
            raise ValueError(CORRUPT)
        run = _run_at(view, place.at)
        if index < place.first + run.length:
            break
        previous = place
        place.at += run.size
        place.first += run.length
    if place.at + run.size > size:
        raise ValueError(CORRUPT)
    if place.at == previous.at != HEADER:
        # The run to resume from has grown over this register: which one precedes it is only known from the front.
        resume[0] = Place(HEADER, 0)
        return _raise_sparse(value, index, rank, limit, resume)
    resume[0] = previous
    if run.held >= rank:
        return False
    used = _put_run(runs, run.held, index - place.first)
    used += _put_run(runs + used, rank, 1)
    used += _put_run(runs + used, run.held, place.first + run.length - index - 1)
    growth = used - run.size
    if growth > 0:
        if size + growth > limit:
            return -1
        PyByteArray_Resize(value, size + growth)
        view = <unsigned char *>PyByteArray_AS_STRING(value)
    memmove(view + place.at + used, view + place.at + run.size, size - place.at - run.size)
    memcpy(view + place.at, runs, used)
    size += growth
    size -= _merge_runs(view, previous.at, size)
    if size < len(value):
        PyByteArray_Resize(value, size)
    return True


cdef inline Run _run_at(const unsigned char *view, Py_ssize_t at) noexcept:
    """May read the zero byte that follows every bytes and bytearray: the caller sees that the run is cut in two."""
    cdef unsigned char byte = view[at]
    if byte & 0x80:
        return Run(((byte >> 2) & 0x1F) + 1, (byte & 0x03) + 1, 1)
    if not byte & 0x40:
        return Run(0, byte + 1, 1)
    return Run(0, ((byte & 0x3F) << 8 | view[at + 1]) + 1, 2)


cdef int _put_run(unsigned char *out, int held, int length) noexcept:
    """Writes a run of this length, possibly 0; how many bytes it took."""
    if length == 0:
        return 0
    if held:
        out[0] = 0x80 | (held - 1) << 2 | (length - 1)
        return 1
    if length > 64:
        out[0] = 0x40 | (length - 1) >> 8
        out[1] = (length - 1) & 0xFF
        return 2
    out[0] = length - 1
    return 1


cdef int _merge_runs(unsigned char *view, Py_ssize_t at, Py_ssize_t size) noexcept:
    """Joins neighbours of equal value from `at` on, looking at as many runs as the real server; the bytes saved."""
    cdef Py_ssize_t end = size
    cdef int seen, length
    for seen in range(RUNS_TO_MERGE):
        if at >= end:
            break
        if at + 1 < end and view[at] & view[at + 1] & 0x80 and (view[at] ^ view[at + 1]) & 0x7C == 0:
            length = (view[at] & 0x03) + (view[at + 1] & 0x03) + 2
            if length <= LONGEST_VALUE_RUN:
                view[at + 1] = (view[at] & 0xFC) | (length - 1)
                memmove(view + at, view + at + 1, end - at - 1)
                end -= 1
                continue
        at += 2 if view[at] & 0xC0 == 0x40 else 1
    return <int>(size - end)


def merge(bytearray registers, value):
    """Raises registers of one byte each to those of a value."""
    _merge(_registers(registers), value)


cdef unsigned char *_registers(bytearray registers) except NULL:
    if len(registers) != REGISTER_COUNT:
        raise ValueError("there are 16384 registers")
    return <unsigned char *>PyByteArray_AS_STRING(registers)


cdef int _merge(unsigned char *registers, value) except -1:
    cdef const unsigned char *view
    if type(value) is bytes:
        view = <const unsigned char *>PyBytes_AS_STRING(value)
    else:
        view = <const unsigned char *>PyByteArray_AS_STRING(<bytearray?>value)
    if len(value) < HEADER:
        raise ValueError(CORRUPT)
    if view[4] != 0:
        return _merge_sparse(registers, view, len(value))
    if len(value) != HEADER + DENSE_BYTES:
        raise ValueError(CORRUPT)
    _merge_dense(registers, view + HEADER)
    return 0


cdef int _merge_sparse(unsigned char *registers, const unsigned char *view, Py_ssize_t size) except -1:
    """Raises registers to those of a sparse value, whose runs must cover exactly all of them."""
    cdef Py_ssize_t at = HEADER
    cdef int first = 0, i
    cdef Run run
    while at < size:
        run = _run_at(view, at)
        if run.length > REGISTER_COUNT - first or at + run.size > size:
            raise ValueError(CORRUPT)
        for i in range(first, first + run.length if run.held else first):
            if registers[i] < run.held:
                registers[i] = run.held
        first += run.length
        at += run.size
    if first != REGISTER_COUNT:
        raise ValueError(CORRUPT)
    return 0


cdef void _merge_dense(unsigned char *registers, const unsigned char *packed) noexcept:
    cdef unsigned char four[4]
    cdef unsigned int three
    cdef int i, k
    for i in range(0, REGISTER_COUNT, 4):
        three = packed[0] | packed[1] << 8 | packed[2] << 16
        packed += 3
        four[0] = three & 0x3F
        four[1] = (three >> 6) & 0x3F
        four[2] = (three >> 12) & 0x3F
        four[3] = three >> 18
        for k in range(4):
            registers[i + k] = four[k] if four[k] > registers[i + k] else registers[i + k]


def pack(bytearray registers):
    """The dense form of registers of one byte each, without a header."""
    packed = bytearray(DENSE_BYTES)
    _pack(_registers(registers), <unsigned char *>PyByteArray_AS_STRING(packed))
    return packed


cdef void _pack(const unsigned char *registers, unsigned char *packed) noexcept:
    cdef unsigned int three
    cdef int i
    for i in range(0, REGISTER_COUNT, 4):
        three = registers[i] | registers[i + 1] << 6 | registers[i + 2] << 12 | registers[i + 3] << 18
        packed[0] = three & 0xFF
        packed[1] = (three >> 8) & 0xFF
        packed[2] = three >> 16
        packed += 3


def histogram(bytearray registers):
    """How many registers have each value from 0 to 63."""
    cdef const unsigned char *view = _registers(registers)
    # Four of them, so that equal neighbours need not wait for each other's sums.
    cdef int having[4][64]
    cdef int i, k
    memset(having, 0, sizeof(having))
    for i in range(0, REGISTER_COUNT, 4):
        for k in range(4):
            having[k][view[i + k] & 0x3F] += 1
    return [having[0][i] + having[1][i] + having[2][i] + having[3][i] for i in range(64)]
