from libc.stdint cimport uint64_t

cpdef uint64_t crc64(object data, uint64_t crc=*) except? 0xFFFFFFFFFFFFFFFF
cdef uint64_t crc64_of(const unsigned char *at, size_t size, uint64_t crc) noexcept nogil
