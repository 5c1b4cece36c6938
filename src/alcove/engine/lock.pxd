cdef extern from "pythread.h":
    ctypedef void *PyThread_type_lock
    enum: WAIT_LOCK
    enum: NOWAIT_LOCK
    unsigned long PyThread_get_thread_ident() nogil
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock)
    int PyThread_acquire_lock(PyThread_type_lock, int) nogil
    void PyThread_release_lock(PyThread_type_lock) nogil

cdef class EngineLock:
    cdef PyThread_type_lock _mutex
    cdef unsigned long _holder

    cpdef int acquire(self) except -1
    cpdef bint try_acquire(self) noexcept
    cpdef int release(self) except -1
