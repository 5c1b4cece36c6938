cimport cython
from libc.stdint cimport int64_t, uint64_t

from alcove.codec.primitives cimport Decoder, Encoder
from alcove.codec.values cimport Unfinished, begin_decoding, encode, is_empty, kind_of
from alcove.engine.keyspace cimport Database, Keyspace
from alcove.engine.snapshot cimport is_long
from alcove.engine.table cimport Entry, key_of, value_of
from alcove.types.hash cimport Hash
from alcove.types.limits cimport Limits

cdef int _SLOT_INFO, _FUNCTION, _FUNCTION_EARLY, _MODULE_AUX, _IDLE, _FREQUENCY, _AUX, _RESIZE, _EXPIRE_MS, _EXPIRE_S
cdef int _SELECT, _END, _FIRST_OPCODE, _MODULE, _MODULE_2, _NOT_GIVEN, LFU_INITIAL
cdef int _STRING, _AT_END, _AT_KEY, _WITHIN_KEY
cdef Py_ssize_t FLUSH_AT, READ_AT_ONCE

cdef class RdbWriter:
    cdef object _write
    cdef int _version
    cdef bint _checksum, _frequencies, _stepping
    cdef int64_t _idle_from_s
    cdef uint64_t _crc
    cdef Encoder _out, _aside
    cdef Py_ssize_t _number
    cdef readonly Py_ssize_t keys, size

    @cython.locals(encoder=Encoder)
    cpdef object entry(self, Py_ssize_t number, Entry entry)
    @cython.locals(data=bytes)
    cpdef object flush(self)
    cdef object _select(self, Encoder encoder, Py_ssize_t number)
    @cython.locals(kind=int)
    cdef int _open(self, Encoder encoder, Py_ssize_t number, Entry entry, object value) except -1

cdef class RdbReader:
    cdef readonly Py_ssize_t total
    cdef Decoder _decoder
    cdef Limits _limits
    cdef bint _checksum, _ended
    cdef int64_t _alive_at_ms, _now_ms
    cdef readonly int version
    cdef readonly dict aux
    cdef readonly list functions
    cdef readonly Py_ssize_t announced, keys, expired, empty, number
    cdef readonly bytes key
    cdef readonly object value
    cdef readonly int64_t expire_ms, idle_s
    cdef readonly int frequency
    cdef int64_t _next_expire_ms, _next_idle_s
    cdef Py_ssize_t _expected
    cdef int _next_frequency
    cdef Unfinished _unfinished

    @cython.locals(database=Database, _=Py_ssize_t, found=int, enough=int64_t)
    cpdef bint load(self, Keyspace space, Py_ssize_t count) except -1
    @cython.locals(entry=Entry, counter=int)
    cdef object _place(self, Database database)
    @cython.locals(found=int)
    cpdef bint step(self) except -1
    @cython.locals(kind=int)
    cdef int _advance(self) except -1
    cdef object _begin(self)
    @cython.locals(decoder=Decoder)
    cdef object _key(self, int kind)
    cdef bint _is_kept(self) except -1
    @cython.locals(decoder=Decoder)
    cdef object _opcode(self, int kind)
    cdef object _finish(self)
    cdef bint _is_more(self) except -1
