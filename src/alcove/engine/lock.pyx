"""The one lock of an engine: held for a command, a transaction or a slice, never while anything waits.

The native twin of lock.py: an uncontended lock is taken without letting go of the interpreter.
"""


cdef class EngineLock:
    """A mutex that knows its holder, so that a nested call from the same thread is an error and not a deadlock.

    Such a call comes from a finalizer or a signal handler that happens to run inside a command: the engine is in the
    middle of a change then, and there is nothing to wait for.
    """

    def __cinit__(self):
        self._mutex = PyThread_allocate_lock()
        if self._mutex == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._mutex != NULL:
            PyThread_free_lock(self._mutex)

    cpdef int acquire(self) except -1:
        cdef unsigned long caller = PyThread_get_thread_ident()
        if self._holder == caller:
            raise RuntimeError(
                "the engine was called from inside one of its own commands "
                "(by a finalizer, a signal handler or a callback)"
            )
        if not PyThread_acquire_lock(self._mutex, NOWAIT_LOCK):
            with nogil:
                PyThread_acquire_lock(self._mutex, WAIT_LOCK)
        self._holder = caller
        return 0

    cpdef bint try_acquire(self) noexcept:
        """Takes the lock if nobody holds it; whether it did."""
        if not PyThread_acquire_lock(self._mutex, NOWAIT_LOCK):
            return False
        self._holder = PyThread_get_thread_ident()
        return True

    cpdef int release(self) except -1:
        if self._holder == 0:
            raise RuntimeError("release unlocked lock")
        self._holder = 0
        PyThread_release_lock(self._mutex)
        return 0

    def renew(self):
        """In the child of a fork: whoever held it is not there to release it."""
        cdef PyThread_type_lock mutex = PyThread_allocate_lock()
        if mutex == NULL:
            raise MemoryError
        # The old one is left as it is: freeing a lock that is held is undefined.
        self._mutex = mutex
        self._holder = 0

    def __enter__(self):
        self.acquire()

    def __exit__(self, *raised):
        self.release()
