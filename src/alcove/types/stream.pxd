cimport cython
from libc.stdint cimport int64_t, uint64_t

from alcove.types.container cimport Container
from alcove.types.limits cimport Limits
from alcove.types.stream_group cimport Consumer, Group, Tally
from alcove.types.stream_id cimport number, pack, successor
from alcove.types.stream_node cimport Cursor, Node, load_node

cdef Py_ssize_t _STREAM_BYTES, _NODE_BYTES

@cython.locals(size=Py_ssize_t, value=bytes)
cpdef Py_ssize_t total_size(list values) except -1


cdef class Stream(Container):
    cdef readonly Limits limits
    cdef readonly Tally tally
    cdef int64_t _length
    cdef public bytes last_id, first_id, max_deleted_id
    cdef public int64_t entries_added
    cdef dict _groups
    cdef list _nodes
    cdef Py_ssize_t _head

    cpdef Py_ssize_t footprint(self) except -1
    cpdef bytes next_id(self, uint64_t now_ms)
    @cython.locals(following=bytes)
    cpdef bytes next_id_in(self, uint64_t ms)

    @cython.locals(node=Node, before=Py_ssize_t)
    cpdef object add(self, bytes stream_id, list pairs)
    @cython.locals(node=Node, count=Py_ssize_t, limit=int64_t, size=int64_t, entries=int64_t)
    cdef Node _tail(self, list pairs)
    cpdef Cursor cursor(self, bytes start, bytes stop, bint backwards=*)
    cdef Node _node(self, Py_ssize_t index)
    @cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t)
    cdef Py_ssize_t _find(self, bytes stream_id) except -1
    @cython.locals(found=list, cursor=Cursor)
    cpdef list range(self, bytes start, bytes stop, int64_t count=*, bint backwards=*)
    @cython.locals(cursor=Cursor)
    cpdef list find(self, bytes stream_id)
    cpdef bint has(self, bytes stream_id) except -1
    @cython.locals(cursor=Cursor)
    cpdef bytes last_entry_id(self)

    @cython.locals(cursor=Cursor, node=Node)
    cpdef bint delete(self, bytes stream_id) except -1
    @cython.locals(cursor=Cursor)
    cpdef object renew_first(self)
    cdef Py_ssize_t _remove_node(self, Py_ssize_t index) except -1
    @cython.locals(node=Node, reach=bytes, deleted=int64_t, last=bytes, index=Py_ssize_t, whole=bint, length=int64_t)
    cpdef tuple trim(self, int64_t maxlen, bytes minid, bint approximate, int64_t limit, int references)
    @cython.locals(node=Node, last=bytes, cursor=Cursor, stream_id=bytes)
    cdef bytes _trim_within(self, Py_ssize_t index, bint whole, int64_t maxlen, bytes minid, int references)

    cpdef Group group(self, bytes name)
    cpdef list groups(self)
    cpdef Py_ssize_t group_count(self) except -1
    @cython.locals(group=Group)
    cpdef Group create_group(self, bytes name, bytes last_id, int64_t entries_read)
    @cython.locals(group=Group)
    cpdef bint destroy_group(self, bytes name) except -1
    @cython.locals(group=Group, found=bint)
    cpdef bint dereference(self, bytes stream_id) except -1
    @cython.locals(group=Group, needed=bint)
    cpdef bint needed(self, bytes stream_id) except -1
    @cython.locals(group=Group, lowest=bytes)
    cdef bytes _delivered(self)
    @cython.locals(found=list, start=bytes, cursor=Cursor, stream_id=bytes)
    cpdef list read_group(self, Group group, Consumer consumer, int64_t count, int64_t now_ms)
    cdef object _count_read(self, Group group, bytes stream_id)
    cdef bint _hole_behind(self, bytes stream_id) except -1
    cdef int64_t _entries_up_to(self, bytes stream_id) except? -1
    @cython.locals(read=int64_t)
    cpdef int64_t lag(self, Group group) except? -1

    cpdef Py_ssize_t node_count(self) except -1
    cpdef list nodes(self)
    @cython.locals(node=Node)
    cpdef object load(self, bytes first, bytes listpack)
    @cython.locals(group=Group)
    cpdef bint drain(self, int64_t count) except -1
    @cython.locals(twin=Stream, group=Group, node=Node)
    cpdef Stream copy(self)
