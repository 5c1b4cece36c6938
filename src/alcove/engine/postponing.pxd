cimport cython

from alcove.engine.declaration cimport Command
from alcove.engine.session cimport Session
from alcove.engine.snapshot cimport Snapshot
from alcove.engine.table cimport Table

cdef unsigned long long MOVABLEKEYS, WRITE

@cython.locals(snapshot=Snapshot, meets=bint)
cpdef bint meets_snapshot(object engine, Session session, Command command, list argv) except -1
@cython.locals(meets=bint)
cdef bint _meets(Snapshot snapshot, Table table, Command command, list argv) except -1
