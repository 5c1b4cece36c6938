"""Where the engine gets the time from: the native twin of clock.py, where the time is one C call."""

from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec


cdef class Clock:
    """The machine's clock."""

    cpdef long long now_us(self):
        """Microseconds since 1970; it may jump when the machine's clock is set. Deadlines of keys go by it."""
        cdef timespec time
        clock_gettime(CLOCK_REALTIME, &time)
        return <long long>time.tv_sec * 1000000 + time.tv_nsec // 1000

    cpdef long long monotonic_us(self):
        """Microseconds that never go back. Timeouts go by it."""
        cdef timespec time
        clock_gettime(CLOCK_MONOTONIC, &time)
        return <long long>time.tv_sec * 1000000 + time.tv_nsec // 1000


cdef class ManualClock(Clock):
    """A clock that stands still until it is moved, for tests."""

    def __init__(self, long long now_us=1_700_000_000_000_000):
        self._now_us = now_us
        self._monotonic_us = 1_000_000

    cpdef long long now_us(self):
        return self._now_us

    cpdef long long monotonic_us(self):
        return self._monotonic_us

    def advance(self, double seconds):
        """Time passes."""
        self._now_us += round(seconds * 1_000_000)
        self._monotonic_us += round(seconds * 1_000_000)

    def jump(self, double seconds):
        """The machine's clock is set to another time: only the wall clock moves."""
        self._now_us += round(seconds * 1_000_000)
