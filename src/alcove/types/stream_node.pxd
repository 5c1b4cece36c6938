cimport cython
from libc.stdint cimport int64_t, uint64_t

from alcove.integers cimport try_int
from alcove.types.stream_id cimport number, pack, text

cdef int _DELETED, _SAME_FIELDS, _HEADER_BYTES, _END

@cython.locals(place=int, width=int)
cdef int _put_integer(bytearray out, int64_t value) except -1

@cython.locals(size=Py_ssize_t, opening=Py_ssize_t, place=int)
cdef void _put_string(bytearray out, bytes value) except *

@cython.locals(width=int, place=int)
cdef int _put_back_length(bytearray out, Py_ssize_t size) except -1

cdef int _back_width(Py_ssize_t size) noexcept

@cython.locals(kind=int, size=Py_ssize_t)
cdef Py_ssize_t _size(const unsigned char *view, Py_ssize_t at) noexcept

@cython.locals(size=Py_ssize_t)
cdef Py_ssize_t _skip(const unsigned char *view, Py_ssize_t at) noexcept

@cython.locals(place=Py_ssize_t, size=Py_ssize_t, shift=int)
cdef Py_ssize_t _before(const unsigned char *view, Py_ssize_t at) noexcept

cdef bint _is_integer(int kind) noexcept

@cython.locals(kind=int, value=int64_t, size=Py_ssize_t, place=Py_ssize_t)
cdef int64_t _integer(const unsigned char *view, Py_ssize_t at) noexcept

@cython.locals(kind=int)
cdef bytes _string(const unsigned char *view, Py_ssize_t at)

@cython.locals(kind=int, size=Py_ssize_t, width=int, back=Py_ssize_t, place=Py_ssize_t)
cdef Py_ssize_t _checked_skip(const unsigned char *view, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(mask=uint64_t, half=uint64_t, gap=uint64_t)
cdef int64_t _difference(uint64_t value, uint64_t base) noexcept

@cython.locals(mask=uint64_t)
cdef uint64_t _advance(uint64_t base, int64_t difference) noexcept

cdef Py_ssize_t _count_size(Py_ssize_t count) noexcept

cdef int64_t _checked_integer(const unsigned char *view, Py_ssize_t at, Py_ssize_t stop) except? -1

@cython.locals(data=bytes, view="const unsigned char *", stop=Py_ssize_t, at=Py_ssize_t, fields=int64_t,
               elements=int64_t, pairs=int64_t, flags=int, ms=uint64_t, stream_id=bytes, last=bytes)
cdef void _measure(Node node) except *

@cython.locals(size=Py_ssize_t, stop=Py_ssize_t, at=Py_ssize_t, live=int64_t, deleted=int64_t, node=Node)
cpdef Node load_node(bytes first, bytes listpack)


@cython.final
cdef class Node:
    cdef readonly bytes first
    cdef readonly uint64_t ms, seq
    cdef readonly Py_ssize_t live, deleted
    cdef readonly bytearray data
    cdef readonly Py_ssize_t elements, begin

    cdef void _open(self, list pairs) except *
    cpdef Py_ssize_t byte_size(self) noexcept
    @cython.locals(data=bytearray, count=Py_ssize_t, index=Py_ssize_t, elements=Py_ssize_t, same=bint)
    cpdef object append(self, bytes stream_id, list pairs)
    @cython.locals(view="const unsigned char *", at=Py_ssize_t, index=Py_ssize_t)
    cdef bint _has_fields_of(self, list pairs) except -1
    cpdef object delete(self, Py_ssize_t at)
    @cython.locals(view="const unsigned char *", at=Py_ssize_t, ms=uint64_t)
    cpdef bytes last(self)
    cpdef object seal(self)
    @cython.locals(twin=Node)
    cpdef Node copy(self)
    cpdef bytes pack(self)


@cython.final
cdef class Cursor:
    cdef list _nodes
    cdef readonly Py_ssize_t index
    cdef uint64_t _start_ms, _start_seq, _stop_ms, _stop_seq
    cdef bint _backwards, _with_deleted
    cdef readonly Node node
    cdef list _names
    cdef readonly Py_ssize_t at
    cdef readonly int flags
    cdef readonly uint64_t ms, seq
    cdef int64_t _pairs
    cdef Py_ssize_t _values_at, _behind

    cdef void _enter(self) except *
    cpdef bint step(self) except -1
    cdef bint _move_on(self) except -1
    @cython.locals(view="const unsigned char *", at=Py_ssize_t, elements=int64_t)
    cdef bint _move_back(self) except -1
    @cython.locals(node=Node, view="const unsigned char *")
    cdef void _read(self, Py_ssize_t at) except *
    @cython.locals(view="const unsigned char *", at=Py_ssize_t)
    cdef Py_ssize_t _end_of_entry(self) except -1
    cdef bint _is_before_start(self) noexcept
    cdef bint _is_behind_stop(self) noexcept
    cpdef bint is_deleted(self) noexcept
    cpdef bytes id(self)
    cpdef list entry(self)
    @cython.locals(view="const unsigned char *", at=Py_ssize_t, found=list, name=bytes)
    cpdef list fields(self)
    @cython.locals(view="const unsigned char *", at=Py_ssize_t, found=list)
    cdef list _master_fields(self)
