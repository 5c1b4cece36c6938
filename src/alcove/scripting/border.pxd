from alcove.scripting.bridge cimport Bridge

cdef class Border:
    cdef readonly object lua
    cdef public object run, short_ways
    cdef object _lua_error

    cpdef object kept(self, object function)
    cpdef object entered(self, object runner, Py_ssize_t keys, tuple arguments)
    cpdef object called(self, object function, tuple arguments)
    cpdef Py_ssize_t memory_used(self) except -1
    cpdef collect(self)
    cpdef breathe(self)
