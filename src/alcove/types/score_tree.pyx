"""An ordered set of (score, member) that knows every element's rank: the native twin of score_tree.py.

A counted B+tree. Leaves hold up to 64 elements as two C arrays, scores and members, and each knows the next leaf.
An inner node holds, for each child, the first element below it, the child and how many elements are below it, so one
way down finds an element and its rank. Nodes are wide because the way down costs a cache miss or two a level: four
levels hold ten million elements.

Insertion splits full nodes on its way down, before anything is counted, so running out of memory leaves the tree
whole. Deletion mends on its way up: a node under a quarter full joins its neighbour, or shares with it. Only the last
leaf may be smaller: when elements arrive in order it is split at its end, which leaves the leaves behind it full.

A leaf owns a reference to each member; an inner node borrows those of the leaves below it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.string cimport memcmp, memcpy, memmove

from alcove.types.blocks cimport prefetch


cdef enum:
    HALF = WIDTH >> 1
    FEW = WIDTH >> 2
    # Neighbours that fit into this become one node; larger ones share, so that neither is full nor nearly empty.
    JOINED = HALF + FEW
    MALLOC_BYTES = 8
    OBJECT_BYTES = 64


cdef inline int compare(PyObject *first, PyObject *second) noexcept:
    """The order of two members: by bytes, and a prefix before what it begins."""
    cdef Py_ssize_t first_size = PyBytes_GET_SIZE(<object>first)
    cdef Py_ssize_t second_size = PyBytes_GET_SIZE(<object>second)
    cdef int order = memcmp(PyBytes_AS_STRING(<object>first), PyBytes_AS_STRING(<object>second),
                            min(first_size, second_size))
    return order if order != 0 else (first_size > second_size) - (first_size < second_size)


cdef inline int scores_below(const double *scores, int count, double score, bint inclusive) noexcept:
    """How many of the ascending scores are below this one, or not above it; a bisection without branches."""
    cdef const double *base = scores
    cdef int half
    if count == 0:
        return 0
    while count > 1:
        half = count >> 1
        if inclusive:
            base += half if base[half - 1] <= score else 0
        else:
            base += half if base[half - 1] < score else 0
        count -= half
    return <int>(base - scores) + ((base[0] <= score) if inclusive else (base[0] < score))


cdef inline int members_below(PyObject *const *members, int low, int high, PyObject *member,
                              bint inclusive) noexcept:
    """The place between `low` and `high` behind the members before this one, or not behind it."""
    cdef int middle
    while low < high:
        middle = (low + high) >> 1
        if compare(members[middle], member) < inclusive:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline int position(const Node *keys, double score, PyObject *member, bint inclusive) noexcept:
    """How many keys stand before this element, or not behind it."""
    cdef int low = scores_below(keys.scores, keys.count, score, False)
    if low == keys.count or keys.scores[low] != score:
        return low
    cdef int high = low + scores_below(keys.scores + low, keys.count - low, score, True)
    return members_below(keys.members, low, high, member, inclusive)


cdef inline bint stands_at(const Node *keys, int place, double score, PyObject *member) noexcept:
    return place < keys.count and keys.scores[place] == score and compare(keys.members[place], member) == 0


cdef inline Node *fetch(Node *node) noexcept nogil:
    """Asks for all the cache lines of the keys at once, not one after another as the bisection comes to them."""
    cdef int at
    for at in range(0, WIDTH, 8):
        prefetch(node.scores + at)
        prefetch(node.members + at)
    return node


cdef inline int child_of(const Inner *inner, double score, PyObject *member) noexcept:
    """The child that holds this element, or would."""
    cdef int place = position(&inner.keys, score, member, True)
    return place - 1 if place > 0 else 0


cdef inline Py_ssize_t size_before(const Inner *inner, int slot) noexcept:
    cdef Py_ssize_t size = 0
    cdef int at
    for at in range(slot):
        size += inner.sizes[at]
    return size


cdef inline void move(Node *target, int to, Node *source, int start, int count, int height) noexcept:
    """Copies entries to another node or within one; those of inner nodes carry a child and its size."""
    memmove(target.scores + to, source.scores + start, count * sizeof(double))
    memmove(target.members + to, source.members + start, count * sizeof(PyObject *))
    if height > 0:
        memmove((<Inner *>target).children + to, (<Inner *>source).children + start, count * sizeof(Node *))
        memmove((<Inner *>target).sizes + to, (<Inner *>source).sizes + start, count * sizeof(unsigned int))


cdef inline void remove_entries(Node *node, int place, int count, int height) noexcept:
    move(node, place, node, place + count, node.count - place - count, height)
    node.count -= count


cdef inline void describe(Inner *parent, int slot, int height) noexcept:
    """Writes the first element and the size of a child of this height into its parent."""
    cdef Node *child = parent.children[slot]
    parent.keys.scores[slot] = child.scores[0]
    parent.keys.members[slot] = child.members[0]
    if height == 0:
        parent.sizes[slot] = <unsigned int>child.count
    else:
        parent.sizes[slot] = <unsigned int>size_before(<Inner *>child, child.count)


cdef class ScoreTree:
    """`start` and `stop` are ranks from 0, `stop` excluded, and must lie within the tree."""

    def __cinit__(self):
        cdef Leaf *leaf = <Leaf *>PyMem_RawMalloc(sizeof(Leaf))
        if leaf == NULL:
            raise MemoryError
        leaf.keys.count = 0
        leaf.next = NULL
        self.root = &leaf.keys
        self.leaves = 1

    def __dealloc__(self):
        if self.root != NULL:
            self.release(self.root, self.height)

    def __len__(self):
        return self.size

    cpdef int insert(self, double score, bytes member) except -1:
        """Adds an element that is not there yet; `score` is not NaN."""
        cdef Inner *root
        if self.root.count == WIDTH:
            root = <Inner *>PyMem_RawMalloc(sizeof(Inner))
            if root == NULL:
                raise MemoryError
            root.keys.count = 1
            root.children[0] = self.root
            describe(root, 0, self.height)
            self.root = &root.keys
            self.height += 1
            self.inners += 1
        self.insert_below(self.root, self.height, score, <PyObject *>member)
        self.size += 1
        return 0

    cpdef bint delete(self, double score, bytes member):
        """Removes this element; False when it is not there."""
        if not self.delete_below(self.root, self.height, score, <PyObject *>member):
            return False
        self.size -= 1
        self.lower_root()
        return True

    cpdef Py_ssize_t rank(self, double score, bytes member):
        """How many elements stand before this one, or -1 when it is not there."""
        cdef Node *node = self.root
        cdef Py_ssize_t before = 0
        cdef int height, slot
        for height in range(self.height):
            slot = child_of(<Inner *>node, score, <PyObject *>member)
            before += size_before(<Inner *>node, slot)
            node = fetch((<Inner *>node).children[slot])
        slot = position(node, score, <PyObject *>member, False)
        return before + slot if stands_at(node, slot, score, <PyObject *>member) else -1

    cpdef Py_ssize_t count_below(self, double score, bint inclusive):
        """How many elements have a score below this one, or not above it."""
        cdef Node *node = self.root
        cdef Py_ssize_t before = 0
        cdef int height, slot
        for height in range(self.height):
            slot = scores_below(node.scores, node.count, score, inclusive) - 1
            if slot < 0:
                return before
            before += size_before(<Inner *>node, slot)
            node = fetch((<Inner *>node).children[slot])
        return before + scores_below(node.scores, node.count, score, inclusive)

    cpdef Py_ssize_t count_before(self, bytes member, bint inclusive):
        """How many elements have a member before this one, or not behind it, in a tree where all scores are equal."""
        cdef Node *node = self.root
        cdef Py_ssize_t before = 0
        cdef int height, slot
        for height in range(self.height):
            slot = members_below(node.members, 0, node.count, <PyObject *>member, inclusive) - 1
            if slot < 0:
                return before
            before += size_before(<Inner *>node, slot)
            node = fetch((<Inner *>node).children[slot])
        return before + members_below(node.members, 0, node.count, <PyObject *>member, inclusive)

    cpdef list members(self, Py_ssize_t start, Py_ssize_t stop):
        """The members of these ranks, in order."""
        cdef Py_ssize_t count = stop - start, at
        if count <= 0:
            return []
        cdef list members = PyList_New(count)
        cdef int place
        cdef Leaf *leaf = self.locate(start, &place)
        cdef object member
        for at in range(count):
            if place == leaf.keys.count:
                leaf = leaf.next
                place = 0
            member = <object>leaf.keys.members[place]
            Py_INCREF(member)
            PyList_SET_ITEM(members, at, member)
            place += 1
        return members

    cpdef list pairs(self, Py_ssize_t start, Py_ssize_t stop):
        """The members of these ranks with their scores, in order."""
        cdef Py_ssize_t count = stop - start, at
        if count <= 0:
            return []
        cdef list pairs = []
        cdef int place
        cdef Leaf *leaf = self.locate(start, &place)
        for at in range(count):
            if place == leaf.keys.count:
                leaf = leaf.next
                place = 0
            pairs.append((<object>leaf.keys.members[place], leaf.keys.scores[place]))
            place += 1
        return pairs

    cpdef bytes scores(self, Py_ssize_t start, Py_ssize_t stop):
        """The scores of these ranks, in order, as the processor's doubles."""
        cdef Py_ssize_t count = stop - start, at = 0, taken
        if count <= 0:
            return b""
        cdef bytes scores = PyBytes_FromStringAndSize(NULL, 8 * count)
        cdef char *to = PyBytes_AS_STRING(scores)
        cdef int place
        cdef Leaf *leaf = self.locate(start, &place)
        while at < count:
            taken = min(count - at, <Py_ssize_t>(leaf.keys.count - place))
            memcpy(to + 8 * at, leaf.keys.scores + place, 8 * taken)
            at += taken
            leaf = leaf.next
            place = 0
        return scores

    cpdef list delete_range(self, Py_ssize_t start, Py_ssize_t stop):
        """Removes the elements of these ranks and returns their members."""
        cdef list taken = []
        cdef Py_ssize_t left = stop - start
        cdef int count
        while left > 0:
            count = self.take_below(self.root, self.height, start, <int>min(left, WIDTH), taken)
            self.size -= count
            left -= count
            self.lower_root()
        return taken

    cpdef tuple pop(self, bint highest):
        """Removes and returns the first member and its score, or with `highest` the last; there must be one."""
        cdef Py_ssize_t rank = self.size - 1 if highest else 0
        cdef int place
        cdef Leaf *leaf
        if self.size == 0:
            raise IndexError("pop from an empty tree")
        leaf = self.locate(rank, &place)
        cdef tuple popped = (<object>leaf.keys.members[place], leaf.keys.scores[place])
        self.take_below(self.root, self.height, rank, 1, None)
        self.size -= 1
        self.lower_root()
        return popped

    cpdef bint drain(self, Py_ssize_t n):
        """Frees up to `n` elements; True when none is left."""
        self.delete_range(max(0, self.size - n), self.size)
        return self.size == 0

    cpdef ScoreTree copy(self):
        """A tree of the same elements; elements that arrive in order fill its leaves."""
        cdef ScoreTree twin = ScoreTree()
        cdef int place = 0
        cdef Leaf *leaf = self.locate(0, &place) if self.size else NULL
        while leaf != NULL:
            for place in range(leaf.keys.count):
                twin.insert(leaf.keys.scores[place], <bytes>leaf.keys.members[place])
            leaf = leaf.next
        return twin

    cpdef Py_ssize_t footprint(self):
        """Bytes of memory, without the members, which the owner shares with its index."""
        return (OBJECT_BYTES + self.leaves * <Py_ssize_t>(sizeof(Leaf) + MALLOC_BYTES)
                + self.inners * <Py_ssize_t>(sizeof(Inner) + MALLOC_BYTES))

    cdef Leaf *locate(self, Py_ssize_t rank, int *place) noexcept:
        """The leaf and the place in it of an existing rank."""
        cdef Node *node = self.root
        cdef Inner *inner
        cdef int height, slot
        for height in range(self.height):
            inner = <Inner *>node
            slot = 0
            while rank >= inner.sizes[slot]:
                rank -= inner.sizes[slot]
                slot += 1
            node = inner.children[slot]
        place[0] = <int>rank
        return <Leaf *>node

    cdef int insert_below(self, Node *node, int height, double score, PyObject *member) except -1:
        cdef Inner *inner
        cdef Node *child
        cdef int slot, at
        if height == 0:
            slot = position(node, score, member, False)
            move(node, slot + 1, node, slot, node.count - slot, 0)
            node.scores[slot] = score
            node.members[slot] = member
            node.count += 1
            Py_INCREF(<object>member)
            return 0
        inner = <Inner *>node
        slot = child_of(inner, score, member)
        child = fetch(inner.children[slot])
        if child.count == WIDTH:
            at = HALF
            if height == 1 and (<Leaf *>child).next == NULL and position(child, score, member, False) == WIDTH:
                at = WIDTH - 1
            self.split_child(inner, slot, height - 1, at)
            slot = child_of(inner, score, member)
        self.insert_below(inner.children[slot], height - 1, score, member)
        inner.sizes[slot] += 1
        inner.keys.scores[slot] = inner.children[slot].scores[0]
        inner.keys.members[slot] = inner.children[slot].members[0]
        return 0

    cdef int split_child(self, Inner *parent, int slot, int height, int at) except -1:
        """Moves a child's entries from `at` on into a new child behind it; the parent has room."""
        cdef Node *child = parent.children[slot]
        cdef Node *fresh = <Node *>PyMem_RawMalloc(sizeof(Inner) if height > 0 else sizeof(Leaf))
        if fresh == NULL:
            raise MemoryError
        fresh.count = child.count - at
        move(fresh, 0, child, at, fresh.count, height)
        child.count = at
        if height > 0:
            self.inners += 1
        else:
            self.leaves += 1
            (<Leaf *>fresh).next = (<Leaf *>child).next
            (<Leaf *>child).next = <Leaf *>fresh
        move(&parent.keys, slot + 2, &parent.keys, slot + 1, parent.keys.count - slot - 1, height + 1)
        parent.children[slot + 1] = fresh
        parent.keys.count += 1
        describe(parent, slot, height)
        describe(parent, slot + 1, height)
        return 0

    cdef bint delete_below(self, Node *node, int height, double score, PyObject *member) noexcept:
        cdef int slot
        cdef PyObject *owned
        if height == 0:
            slot = position(node, score, member, False)
            if not stands_at(node, slot, score, member):
                return False
            owned = node.members[slot]
            remove_entries(node, slot, 1, 0)
            Py_DECREF(<object>owned)
            return True
        slot = child_of(<Inner *>node, score, member)
        if not self.delete_below(fetch((<Inner *>node).children[slot]), height - 1, score, member):
            return False
        self.settle(<Inner *>node, slot, height - 1, 1)
        return True

    cdef int take_below(self, Node *node, int height, Py_ssize_t rank, int limit, list taken) except -1:
        """Moves up to `limit` members from `rank` on, all of one leaf, to the list, if any; returns how many."""
        cdef Inner *inner
        cdef int slot = 0, count, at
        if height == 0:
            slot = <int>rank
            count = min(limit, node.count - slot)
            if taken is not None:
                for at in range(slot, slot + count):
                    taken.append(<object>node.members[at])
            for at in range(slot, slot + count):
                Py_DECREF(<object>node.members[at])
            remove_entries(node, slot, count, 0)
            return count
        inner = <Inner *>node
        while rank >= inner.sizes[slot]:
            rank -= inner.sizes[slot]
            slot += 1
        count = self.take_below(inner.children[slot], height - 1, rank, limit, taken)
        self.settle(inner, slot, height - 1, count)
        return count

    cdef void settle(self, Inner *parent, int slot, int height, Py_ssize_t gone) noexcept:
        """Brings a parent up to date after `gone` elements left a child, which joins or shares when it has few."""
        cdef Node *child = parent.children[slot]
        parent.sizes[slot] -= <unsigned int>gone
        if child.count >= FEW:
            parent.keys.scores[slot] = child.scores[0]
            parent.keys.members[slot] = child.members[0]
            return
        cdef int left = slot if slot + 1 < parent.keys.count else slot - 1
        cdef Node *first = parent.children[left]
        cdef Node *second = parent.children[left + 1]
        cdef int total = first.count + second.count
        cdef int keep = total if total <= JOINED else total >> 1
        cdef int moved = keep - first.count
        if moved >= 0:
            move(first, first.count, second, 0, moved, height)
            move(second, 0, second, moved, second.count - moved, height)
        else:
            move(second, -moved, second, 0, second.count, height)
            move(second, 0, first, keep, -moved, height)
        first.count = keep
        second.count = total - keep
        describe(parent, left, height)
        if second.count > 0:
            describe(parent, left + 1, height)
            return
        if height > 0:
            self.inners -= 1
        else:
            self.leaves -= 1
            (<Leaf *>first).next = (<Leaf *>second).next
        PyMem_RawFree(second)
        remove_entries(&parent.keys, left + 1, 1, height + 1)

    cdef void lower_root(self) noexcept:
        """A root with one child gives way to it."""
        cdef Node *root
        while self.height > 0 and self.root.count == 1:
            root = self.root
            self.root = (<Inner *>root).children[0]
            self.height -= 1
            self.inners -= 1
            PyMem_RawFree(root)

    cdef void release(self, Node *node, int height) noexcept:
        cdef int slot
        for slot in range(node.count):
            if height > 0:
                self.release((<Inner *>node).children[slot], height - 1)
            else:
                Py_DECREF(<object>node.members[slot])
        PyMem_RawFree(node)

    def _check(self):
        """Asserts every invariant."""
        assert self.height == 0 or self.root.count >= 2
        assert self.check_below(self.root, self.height, True) == self.size
        cdef int place = 0
        cdef Leaf *leaf = self.locate(0, &place) if self.size else NULL
        cdef Py_ssize_t leaves = 0
        while leaf != NULL:
            leaves += 1
            leaf = leaf.next
        assert leaves == self.leaves or self.size == 0
        pairs = self.pairs(0, self.size)
        assert all((first[1], first[0]) < (second[1], second[0]) for first, second in zip(pairs, pairs[1:]))
        assert all(type(member) is bytes for member, _ in pairs)

    cdef Py_ssize_t check_below(self, Node *node, int height, bint last) except -1:
        cdef Inner *inner = <Inner *>node
        cdef Py_ssize_t total = 0, size
        cdef int slot
        assert node == self.root or FEW <= node.count <= WIDTH or (last and height == 0 and node.count > 0)
        if height == 0:
            assert not last or (<Leaf *>node).next == NULL
            return node.count
        for slot in range(node.count):
            size = self.check_below(inner.children[slot], height - 1, last and slot == node.count - 1)
            assert size == inner.sizes[slot]
            assert node.scores[slot] == inner.children[slot].scores[0]
            assert node.members[slot] == inner.children[slot].members[0]
            total += size
        return total
