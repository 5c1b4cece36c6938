from cpython.object cimport PyObject

# How many elements a leaf, and children an inner node, can hold.
cdef enum:
    WIDTH = 64

cdef struct Node:
    int count
    double scores[WIDTH]
    PyObject *members[WIDTH]

cdef struct Leaf:
    Node keys
    Leaf *next

cdef struct Inner:
    Node keys
    Node *children[WIDTH]
    # No more than 2**32 elements: the bound of the index beside the tree, and Redis's own.
    unsigned int sizes[WIDTH]

cdef class ScoreTree:
    cdef Node *root
    cdef int height
    cdef Py_ssize_t size, leaves, inners

    cpdef int insert(self, double score, bytes member) except -1
    cpdef bint delete(self, double score, bytes member)
    cpdef Py_ssize_t rank(self, double score, bytes member)
    cpdef Py_ssize_t count_below(self, double score, bint inclusive)
    cpdef Py_ssize_t count_before(self, bytes member, bint inclusive)
    cpdef list members(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef list pairs(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef bytes scores(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef list delete_range(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef tuple pop(self, bint highest)
    cpdef bint drain(self, Py_ssize_t n)
    cpdef ScoreTree copy(self)
    cpdef Py_ssize_t footprint(self)

    cdef Leaf *locate(self, Py_ssize_t rank, int *place) noexcept
    cdef int insert_below(self, Node *node, int height, double score, PyObject *member) except -1
    cdef int split_child(self, Inner *parent, int slot, int height, int at) except -1
    cdef bint delete_below(self, Node *node, int height, double score, PyObject *member) noexcept
    cdef int take_below(self, Node *node, int height, Py_ssize_t rank, int limit, list taken) except -1
    cdef void settle(self, Inner *parent, int slot, int height, Py_ssize_t gone) noexcept
    cdef void lower_root(self) noexcept
    cdef void release(self, Node *node, int height) noexcept
    cdef Py_ssize_t check_below(self, Node *node, int height, bint last) except -1
