from libc.stdint cimport uint32_t
from libc.string cimport memset

# Has the processor fetch the memory at an address, of which something will be asked soon.
cdef extern from *:
    """
    #if defined(__GNUC__)
    #define alcove_prefetch(address) __builtin_prefetch(address)
    #else
    #define alcove_prefetch(address) ((void)0)
    #endif
    """
    void prefetch "alcove_prefetch"(const void *) noexcept nogil

# An array in blocks of 4096 elements, so that growing it moves nothing; only the first block can be smaller.
cdef struct Blocks:
    char **blocks
    uint32_t number
    uint32_t width
    Py_ssize_t room

cdef enum:
    BLOCK_BITS = 12
    BLOCK = 1 << BLOCK_BITS
    # The number of heads that an index begins with.
    FEWEST_HEADS = 8

cdef inline void *blocks_at(const Blocks *blocks, Py_ssize_t index) noexcept:
    return blocks.blocks[index >> BLOCK_BITS] + (index & (BLOCK - 1)) * blocks.width

cdef int blocks_grow(Blocks *blocks) except -1
cdef void blocks_trim(Blocks *blocks, Py_ssize_t needed) noexcept
cdef void blocks_free(Blocks *blocks) noexcept
cdef int blocks_copy(Blocks *to, const Blocks *source, Py_ssize_t elements) except -1

# The heads of an index by linear hashing, whose owner hangs chains on them: `number` of them are in use, and `mask` has
# the bits of a hash that count in this round.
cdef struct Heads:
    Blocks array
    uint32_t number, mask

cdef inline void *heads_at(const Heads *heads, uint32_t head) noexcept:
    return blocks_at(&heads.array, head)

# The head that another was parted from, and will be joined to.
cdef inline uint32_t heads_origin(const Heads *heads, uint32_t head) noexcept:
    return head & (heads.mask >> 1)

# The head of the chain where `hash` belongs: heads not parted yet in this round take one bit less.
cdef inline void *heads_for(const Heads *heads, uint32_t hash) noexcept:
    cdef uint32_t head = hash & heads.mask
    return heads_at(heads, head if head < heads.number else heads_origin(heads, head))

# Adds a head, to which its owner moves what belongs there from the chain of its origin. The first ones come together,
# filled with the byte `empty`, and need nothing: for them False.
cdef inline bint heads_add(Heads *heads, int empty) except -1:
    if heads.number == heads.array.room:
        blocks_grow(&heads.array)
    if heads.number == 0:
        memset(heads.array.blocks[0], empty, FEWEST_HEADS * heads.array.width)
        heads.number = FEWEST_HEADS
        heads.mask = FEWEST_HEADS - 1
        return False
    if heads.number > heads.mask:
        heads.mask = 2 * heads.mask + 1
    heads.number += 1
    return True

# Takes the last head away, whose chain its owner joins to that of its origin, and returns it.
cdef inline uint32_t heads_drop(Heads *heads) noexcept:
    heads.number -= 1
    if heads.number <= (heads.mask >> 1) + 1:
        heads.mask >>= 1
    return heads.number

cdef inline void heads_trim(Heads *heads) noexcept:
    blocks_trim(&heads.array, heads.number)

cdef inline void heads_free(Heads *heads) noexcept:
    blocks_free(&heads.array)
    heads.number = 0
