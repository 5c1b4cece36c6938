from alcove.commands.stream_arguments cimport Trimming
from alcove.engine.context cimport Context
from alcove.numeric cimport parse_int
from alcove.types.stream cimport Stream, total_size
from alcove.types.stream_id cimport text

cdef int _STREAM
