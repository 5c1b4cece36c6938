cdef class Histogram:
    cdef readonly long long calls
    cdef unsigned long long *counters

    cpdef void record(self, long long elapsed_us) noexcept
