from libc.stdint cimport int64_t, uint64_t

cdef class Encoder:
    cdef public bint compress
    cdef unsigned char *block
    cdef Py_ssize_t used, room

    cdef unsigned char *reserve(self, Py_ssize_t size) except NULL
    cdef int put_length(self, uint64_t number) except -1
    cdef int put_string(self, const unsigned char *text, Py_ssize_t size) except -1
    cdef int put_compressed(self, const unsigned char *text, Py_ssize_t size) except -1

    cpdef bytes take(self)
    cpdef int byte(self, unsigned char value) except -1
    cpdef int raw(self, bytes data) except -1
    cpdef int length(self, uint64_t number) except -1
    cpdef int string(self, object value) except -1
    cpdef int scored(self, list members, bytes scores) except -1
    cpdef int double(self, double value) except -1
    cpdef int int64(self, int64_t number) except -1

cdef class Gathering:
    cdef readonly bytes value
    cdef Py_ssize_t at

    cpdef int add(self, bytes part) except -1

cdef class Decoder:
    cdef bytes data
    cdef const unsigned char *view
    cdef Py_ssize_t at, stop, base, summed, total
    cdef object read
    cdef bint summing
    cdef uint64_t crc

    cdef inline int need(self, Py_ssize_t size) except -1:
        if self.stop - self.at < size:
            self.fill(size)
        return 0

    cdef int fill(self, Py_ssize_t size) except -1
    cdef uint64_t length_from(self, unsigned char first) except? 0xFFFFFFFFFFFFFFFF
    cdef Py_ssize_t bounded(self, uint64_t number) except -1
    cdef bytes compressed(self)
    cdef int64_t little(self, int width) except? -1

    cpdef uint64_t checksum(self) except? 0xFFFFFFFFFFFFFFFF
    cpdef int byte(self) except -1
    cpdef bytes raw(self, Py_ssize_t size)
    cpdef uint64_t length(self) except? 0xFFFFFFFFFFFFFFFF
    cpdef Py_ssize_t count(self) except -1
    cpdef object beginning(self)
    cpdef bytes string(self)
    cpdef double double(self) except? -1
    cpdef double double_text(self) except? -1
    cpdef int64_t int64(self) except? -1
