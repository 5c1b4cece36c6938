cdef class Clock:
    cpdef long long now_us(self)
    cpdef long long monotonic_us(self)

cdef class ManualClock(Clock):
    cdef long long _now_us, _monotonic_us
