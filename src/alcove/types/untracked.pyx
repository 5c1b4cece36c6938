"""Takes an object out of the garbage collector's sight: the native twin of untracked.py."""

from cpython.object cimport PyObject

cdef extern from "Python.h":
    void PyObject_GC_UnTrack(void *)


def untrack(object owner):
    """Called at the end of `__init__` by classes whose instances can be as many as there are keys."""
    PyObject_GC_UnTrack(<PyObject *>owner)
