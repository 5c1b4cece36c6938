from libc.stdint cimport uint64_t


cdef inline uint64_t read_number(const unsigned char *at) noexcept:
    """The big-endian number there; compilers make one load and one swap of it."""
    return (
        (<uint64_t>at[0] << 56) | (<uint64_t>at[1] << 48) | (<uint64_t>at[2] << 40) | (<uint64_t>at[3] << 32)
        | (<uint64_t>at[4] << 24) | (<uint64_t>at[5] << 16) | (<uint64_t>at[6] << 8) | <uint64_t>at[7]
    )


cdef inline void write_number(unsigned char *to, uint64_t value) noexcept:
    to[0] = <unsigned char>(value >> 56)
    to[1] = <unsigned char>(value >> 48)
    to[2] = <unsigned char>(value >> 40)
    to[3] = <unsigned char>(value >> 32)
    to[4] = <unsigned char>(value >> 24)
    to[5] = <unsigned char>(value >> 16)
    to[6] = <unsigned char>(value >> 8)
    to[7] = <unsigned char>value


cpdef bytes pack(uint64_t ms, uint64_t seq)
cpdef uint64_t number(bytes data, Py_ssize_t at) except? 0xFFFFFFFFFFFFFFFF
cpdef bytes text(bytes stream_id)
cpdef bytes successor(bytes stream_id)
cpdef bytes predecessor(bytes stream_id)
