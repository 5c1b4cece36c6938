"""How long the calls of one command took: the native twin of histogram.py, which explains the form."""

from libc.stdlib cimport calloc, free

cdef enum:
    LONGEST_US = 1_000_000
    EXACT_PLACES = 256
    # Up to the place of the longest time.
    PLACES = 3072


cdef class Histogram:
    """One command's counters: an array from the first call on."""

    def __dealloc__(self):
        free(self.counters)

    cpdef void record(self, long long elapsed_us) noexcept:
        """Counts one call. Without memory for the counters it is not counted: the command has run, and is answered."""
        if self.counters == NULL:
            self.counters = <unsigned long long *>calloc(PLACES, sizeof(unsigned long long))
            if self.counters == NULL:
                return
        if elapsed_us > LONGEST_US:
            elapsed_us = LONGEST_US
        self.counters[place_of(elapsed_us * 1000 if elapsed_us > 0 else 1)] += 1
        self.calls += 1

    def clear(self):
        free(self.counters)
        self.counters = NULL
        self.calls = 0

    def counts(self):
        """What was counted, shortest first: (place, calls)."""
        cdef Py_ssize_t place
        if self.counters == NULL:
            return []
        return [(place, self.counters[place]) for place in range(PLACES) if self.counters[place]]


cpdef Py_ssize_t place_of(long long ns) noexcept:
    """Where a time is counted."""
    cdef int shift = 0
    while (ns >> shift) >= EXACT_PLACES:
        shift += 1
    return (shift << 7) + (ns >> shift)


cpdef long long highest_of(Py_ssize_t place) noexcept:
    """The longest time in nanoseconds that is counted in a place."""
    cdef int shift = 0 if place < EXACT_PLACES else (place >> 7) - 1
    return ((<long long>place - (shift << 7) + 1) << shift) - 1
