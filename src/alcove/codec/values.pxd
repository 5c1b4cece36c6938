cimport cython
from libc.stdint cimport int64_t, uint64_t

from alcove.codec.primitives cimport Decoder, Encoder
from alcove.integers cimport try_int
from alcove.types.hash cimport Hash
from alcove.types.intset cimport IntSet
from alcove.types.limits cimport Limits
from alcove.types.list cimport List
from alcove.types.listpack cimport Listpack
from alcove.types.set cimport Set
from alcove.types.sorted_set cimport SortedSet
from alcove.types.stream cimport Stream

cdef int STRING, LIST, SET, ZSET, HASH, ZSET_2, HASH_ZIPMAP, LIST_ZIPLIST, SET_INTSET, ZSET_ZIPLIST, HASH_ZIPLIST
cdef int LIST_QUICKLIST, STREAM, HASH_LISTPACK, ZSET_LISTPACK, LIST_QUICKLIST_2, STREAM_2, SET_LISTPACK, STREAM_3
cdef int HASH_2, HASH_LISTPACK_EX_EARLY, HASH_METADATA, HASH_LISTPACK_EX
cdef int _HASH_EARLY, _PLAIN, _PACKED, _VERSION_7_2, _VERSION_VALKEY
cdef Py_ssize_t _NODES
cdef int64_t _LATEST_MS

cpdef int kind_of(object value, int version) except -1
cpdef object encode(Encoder encoder, int kind, object value)
cdef object _put_elements(Encoder encoder, int kind, object value, Py_ssize_t start, Py_ssize_t stop)
@cython.locals(position=Py_ssize_t)
cdef object _put_members(Encoder encoder, Set value, Py_ssize_t start, Py_ssize_t stop)
@cython.locals(count=Py_ssize_t)
cdef object _put_scores(Encoder encoder, SortedSet value, Py_ssize_t start, Py_ssize_t stop)
@cython.locals(position=Py_ssize_t, field=bytes, deadline=int64_t, first=int64_t)
cdef object _put_fields(Encoder encoder, int kind, Hash value, Py_ssize_t start, Py_ssize_t stop)
@cython.locals(plain=bytes)
cdef object _put_node(Encoder encoder, List value, Py_ssize_t place)
@cython.locals(pack=Listpack, field=bytes, held=bytes)
cdef bytes _packed_deadlines(Hash value)

cdef class Unfinished:
    cdef public object value, steps

cdef class UnfinishedString(Unfinished):
    pass

cpdef object decode(Decoder decoder, int kind, Limits limits, int version)
cpdef object begin_decoding(Decoder decoder, int kind, Limits limits, int version)
@cython.locals(first=int64_t, count=Py_ssize_t)
cdef object _begin_counted(Decoder decoder, int kind, Limits limits, int version)
cdef object _take(Decoder decoder, int kind, object value, Py_ssize_t left, int64_t first)
cpdef bint is_empty(object value) except -1
@cython.locals(value=Hash)
cdef Hash _hash_of_listpack(Decoder decoder, Limits limits)
@cython.locals(field=bytes, _=Py_ssize_t)
cdef object _take_fields(Decoder decoder, Hash value, Py_ssize_t left)
@cython.locals(value=Hash, place=Py_ssize_t)
cdef Hash _hash_of(list flat, Limits limits)
@cython.locals(value=Hash, place=Py_ssize_t, flat=list)
cdef Hash _hash_of_triples(Decoder decoder, int kind, Limits limits)
@cython.locals(field=bytes, content=bytes, deadline=int64_t, later=uint64_t, _=Py_ssize_t)
cdef object _take_deadlines(Decoder decoder, int kind, Hash value, Py_ssize_t left, int64_t first)
cdef object _set_field(Hash value, bytes field, bytes content, int64_t deadline)
@cython.locals(value=Set)
cdef Set _decode_set(Decoder decoder, int kind, Limits limits)
@cython.locals(member=bytes, _=Py_ssize_t)
cdef object _take_members(Decoder decoder, Set value, Py_ssize_t left)
@cython.locals(value=SortedSet, pack=Listpack, flat=list, place=Py_ssize_t)
cdef SortedSet _decode_zset(Decoder decoder, int kind, Limits limits)
@cython.locals(member=bytes, _=Py_ssize_t)
cdef object _take_scores(Decoder decoder, int kind, SortedSet value, Py_ssize_t left)
cdef double _score(bytes text) except? -1
cdef object _add_member(SortedSet value, bytes member, double score)
@cython.locals(value=List, count=Py_ssize_t)
cdef object _begin_list(Decoder decoder, int kind, Limits limits)
@cython.locals(_=Py_ssize_t)
cdef object _take_nodes(Decoder decoder, int kind, List value, Py_ssize_t left)
@cython.locals(container=uint64_t)
cdef object _load_node(Decoder decoder, List value)
