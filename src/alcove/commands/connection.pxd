from alcove.engine.context cimport Context
from alcove.engine.session cimport Session

cdef int IN_MULTI, MUTED, NO_TOUCH, SUBSCRIBER, UNAUTHENTICATED
