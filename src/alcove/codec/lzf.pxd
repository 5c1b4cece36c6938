cpdef bytes compress(bytes data)
cpdef bytes compress_part(bytes data)
cpdef bytes decompress(bytes data, Py_ssize_t size)
cdef Py_ssize_t compress_into(unsigned char *to, Py_ssize_t room, const unsigned char *data, Py_ssize_t size) noexcept
cdef bytes decompressed(const unsigned char *data, Py_ssize_t stop, Py_ssize_t size)

cdef class Expansion:
    cdef bytes data
    cdef readonly bytes value
    cdef Py_ssize_t at, out

    cpdef bint step(self, Py_ssize_t count) except -1
