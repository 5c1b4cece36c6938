"""Arrays in blocks, of which the native tables, sets and maps are made: growing and shrinking moves no element.

On them stand the heads of linear hashing (Litwin, 1980): chains hang from an array of heads, and each addition beyond the
load parts one chain in two, so that an index grows and shrinks by single steps.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.string cimport memcpy

# The least that an array grows by.
cdef enum:
    LEAST_GROWTH = 8


cdef int _resize_first(Blocks *blocks, Py_ssize_t elements) except -1:
    cdef char *block
    if blocks.blocks == NULL:
        blocks.blocks = <char **>PyMem_RawCalloc(1, sizeof(char *))
        if blocks.blocks == NULL:
            raise MemoryError()
        blocks.number = 1
    block = <char *>PyMem_RawRealloc(blocks.blocks[0], elements * blocks.width)
    if block == NULL:
        raise MemoryError()
    blocks.blocks[0] = block
    blocks.room = elements
    return 0


cdef int _add_block(Blocks *blocks) except -1:
    cdef char **directory
    cdef char *block
    if blocks.number & (blocks.number - 1) == 0:
        directory = <char **>PyMem_RawRealloc(blocks.blocks, 2 * blocks.number * sizeof(char *))
        if directory == NULL:
            raise MemoryError()
        blocks.blocks = directory
    block = <char *>PyMem_RawMalloc(BLOCK * blocks.width)
    if block == NULL:
        raise MemoryError()
    blocks.blocks[blocks.number] = block
    blocks.number += 1
    blocks.room += BLOCK
    return 0


cdef int blocks_grow(Blocks *blocks) except -1:
    """Makes room for at least one element more."""
    if blocks.room < BLOCK:
        return _resize_first(blocks, min(blocks.room + (blocks.room >> 1) + LEAST_GROWTH, <Py_ssize_t>BLOCK))
    return _add_block(blocks)


cdef void blocks_trim(Blocks *blocks, Py_ssize_t needed) noexcept:
    """Gives back what lies well behind `needed` elements; a little is kept, for those that may soon come again."""
    cdef char *block
    while blocks.number > 1 and blocks.room - BLOCK - BLOCK // 2 >= needed:
        blocks.number -= 1
        blocks.room -= BLOCK
        PyMem_RawFree(blocks.blocks[blocks.number])
    if blocks.number == 1 and blocks.room > 4 * needed + LEAST_GROWTH:
        block = <char *>PyMem_RawRealloc(blocks.blocks[0], (2 * needed + LEAST_GROWTH) * blocks.width)
        if block != NULL:
            blocks.blocks[0] = block
            blocks.room = 2 * needed + LEAST_GROWTH


cdef void blocks_free(Blocks *blocks) noexcept:
    cdef uint32_t index
    for index in range(blocks.number):
        PyMem_RawFree(blocks.blocks[index])
    PyMem_RawFree(blocks.blocks)
    blocks.blocks = NULL
    blocks.number = 0
    blocks.room = 0


cdef int blocks_copy(Blocks *to, const Blocks *source, Py_ssize_t elements) except -1:
    """Fills the empty `to` with the first `elements` of `source`."""
    cdef uint32_t index
    cdef Py_ssize_t copied = 0
    _resize_first(to, min(elements, <Py_ssize_t>BLOCK))
    while to.room < elements:
        _add_block(to)
    for index in range(to.number):
        memcpy(to.blocks[index], source.blocks[index], min(elements - copied, <Py_ssize_t>BLOCK) * to.width)
        copied += BLOCK
    return 0
