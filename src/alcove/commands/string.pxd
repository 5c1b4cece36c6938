from alcove.engine.arguments cimport Arguments, Deadline, deadline_ms
from alcove.engine.context cimport Context
from alcove.engine.keyspace cimport string_of
from alcove.engine.table cimport Entry, string_in
from alcove.integers cimport format_int
from alcove.numeric cimport parse_int

cdef int _GENERIC, _STRING
