# cython: boundscheck=False
"""How the entries of one database are stored: the native twin of table.py, which explains the structure.

An entry is one block of memory: what is known of the key, the key's bytes, and room behind them. A small string lies in
that room, as it is; in the place of anything else there are a reference to it and its accounted size. Bytes objects
are made of keys and small strings when somebody asks for them. An entry never moves, for others may hold it: a string
that outgrows the room gets an object, and comes back when it fits again. Entries are hidden from the garbage collector
(no cycle can pass through one: values are bytes or structures of our own), so its full collections do not walk the keys.

The index is one of linear hashing, its chains going through the entries: each addition beyond the load splits one or
two, each removal joins a few. Heads, places and the heap's nodes are arrays of blocks. So no write, whatever the number of keys, rehashes a table or moves
an array. An entry keeps 32 bits of its key's hash, by which it is compared first.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject, PyObject_Hash, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy

from alcove.types.blocks cimport (
    FEWEST_HEADS,
    blocks_free,
    blocks_grow,
    blocks_trim,
    heads_add,
    heads_drop,
    heads_free,
    heads_origin,
    heads_trim,
    prefetch,
)

cdef extern from "Python.h":
    void *PyObject_Malloc(size_t)
    PyObject *PyObject_Init(PyObject *, PyTypeObject *)
    void _decref "Py_DECREF"(PyObject *) noexcept

cdef enum:
    # How many keys' memory is fetched at once.
    FETCHED_AT_ONCE = 64
    # The length of a line of the processor's cache.
    LINE = 64
    # How many splits lie between asking for an entry's memory and using it.
    SPLITS_AHEAD = 8
    # There are so many heads for every three entries.
    HEADS_FOR_THREE = 4
    # How many chains are parted at once at the most when many entries are expected, and joined when many have gone.
    STEPS_AT_ONCE = 8
    # Strings up to this length lie in their entry.
    LONGEST_INSIDE = 128
    # The `value_size` of what does not.
    OUTSIDE = 255

# Positions, and the places of timers plus one, have 32 bits; so have the sizes of keys.
cdef Py_ssize_t MOST_ENTRIES = 0xFFFFFFFE
cdef Py_ssize_t LONGEST_KEY = 0xFFFFFFFF
# More are not believed; heads have numbers of 32 bits.
cdef Py_ssize_t MOST_EXPECTED = 1 << 30

# What CPython adds to the bytes of a bytes object.
BYTES_HEADER = 33
cdef Py_ssize_t HEADER = BYTES_HEADER
# What a key costs besides its entry: its places in the index and the dense array, and what allocators lose.
cdef Py_ssize_t PLACES_BYTES = 20

# A value that is not in its entry.
cdef struct Outside:
    PyObject *value
    Py_ssize_t size


@cython.final
cdef class Entry:
    """One key with its value; see the plain twin for its fields."""

    def __cinit__(self):
        raise TypeError("entries are made by tables")

    def __dealloc__(self):
        if self.value_size == OUTSIDE:
            _decref(outside(self).value)

    @property
    def key(self):
        return key_of(self)

    @property
    def value(self):
        return value_of(self)

    @property
    def size(self):
        """The memory accounted for the value, in bytes: none if it lies in the entry."""
        return outside(self).size if self.value_size == OUTSIDE else 0

    def __sizeof__(self):
        return block_size(self.key_size, self.room)


cdef inline Py_ssize_t key_start() noexcept:
    """How much of an entry's block comes before its key."""
    return sizeof(Entry) - sizeof(uint32_t)


cdef inline char *name_of(const void *entry) noexcept:
    """The bytes of an entry's key."""
    return <char *>entry + key_start()


cdef inline char *room_of(Entry entry) noexcept:
    return name_of(<PyObject *>entry) + entry.key_size


# The room is not aligned: its content is copied.

cdef inline Outside outside(Entry entry) noexcept:
    cdef Outside found
    memcpy(&found, room_of(entry), sizeof(Outside))
    return found


cdef inline void set_outside(Entry entry, PyObject *value, Py_ssize_t size) noexcept:
    cdef Outside kept = Outside(value, size)
    memcpy(room_of(entry), &kept, sizeof(Outside))


cdef inline Py_ssize_t block_size(Py_ssize_t key_size, Py_ssize_t room) noexcept:
    """The length of an entry's block; the allocator gives multiples of 16."""
    return (key_start() + key_size + room + 15) & ~<Py_ssize_t>15


cdef inline void take_in(Entry entry, object value) noexcept:
    """Makes a value that of an entry which has none: in the room, or by a reference."""
    if type(value) is bytes and PyBytes_GET_SIZE(value) <= min(<Py_ssize_t>entry.room, <Py_ssize_t>LONGEST_INSIDE):
        entry.value_size = <unsigned char>PyBytes_GET_SIZE(value)
        memcpy(room_of(entry), PyBytes_AS_STRING(value), entry.value_size)
    else:
        Py_INCREF(value)
        set_outside(entry, <PyObject *>value, 0)
        entry.value_size = OUTSIDE


cdef PyObject *new_entry(bytes key, object value) except NULL:
    cdef Py_ssize_t key_size = PyBytes_GET_SIZE(key)
    cdef Py_ssize_t room = sizeof(Outside)
    cdef Py_ssize_t size
    cdef PyObject *block
    if key_size > LONGEST_KEY:
        raise OverflowError("too long a key")
    if type(value) is bytes and room < PyBytes_GET_SIZE(value) <= LONGEST_INSIDE:
        room = PyBytes_GET_SIZE(value)
    size = block_size(key_size, room)
    block = <PyObject *>PyObject_Malloc(size)
    if block == NULL:
        raise MemoryError
    PyObject_Init(block, <PyTypeObject *>Entry)
    cdef Entry entry = <Entry>block
    entry.next = NULL
    entry.hash = <uint32_t>PyObject_Hash(key)
    entry.key_size = <uint32_t>key_size
    entry.timer = 0
    entry.room = <unsigned char>(size - key_start() - key_size)
    entry.has_field_deadline = False
    entry.access = 0
    entry.expire_ms = 0
    entry.saved = 0
    memcpy(name_of(block), PyBytes_AS_STRING(key), key_size)
    take_in(entry, value)
    return block


cpdef bytes key_of(Entry entry):
    return PyBytes_FromStringAndSize(name_of(<PyObject *>entry), entry.key_size)


cpdef object value_of(Entry entry):
    if entry.value_size == OUTSIDE:
        return <object>outside(entry).value
    return PyBytes_FromStringAndSize(room_of(entry), entry.value_size)


cpdef object string_in(Entry entry):
    """The value of an entry if it is a string, otherwise None."""
    cdef object value
    if entry.value_size != OUTSIDE:
        return PyBytes_FromStringAndSize(room_of(entry), entry.value_size)
    value = <object>outside(entry).value
    return value if type(value) is bytes or type(value) is bytearray else None


cpdef Container container_in(Entry entry):
    """The value of an entry if it is a container, otherwise None."""
    cdef object value
    if entry.value_size != OUTSIDE:
        return None
    value = <object>outside(entry).value
    return None if type(value) is bytes or type(value) is bytearray else <Container>value


cpdef Py_ssize_t replace(Entry entry, object value) except -1:
    """Gives an entry another value, of which nothing is accounted yet; how many bytes were of the old one."""
    cdef Outside old
    if entry.value_size != OUTSIDE:
        take_in(entry, value)
        return 0
    old = outside(entry)
    take_in(entry, value)
    _decref(old.value)
    return old.size


cpdef Py_ssize_t weigh(Entry entry) except? -1:
    """Accounts for the value as it is now; by how many bytes that is more."""
    cdef Outside kept
    cdef Py_ssize_t size
    cdef object value
    if entry.value_size != OUTSIDE:
        return 0
    kept = outside(entry)
    value = <object>kept.value
    if type(value) is bytes or type(value) is bytearray:
        size = HEADER + len(value)
    else:
        size = (<Container?>value).footprint()
    set_outside(entry, kept.value, size)
    return size - kept.size


cpdef Py_ssize_t weight_of(Entry entry) noexcept:
    """The bytes of memory that an entry takes, without a value that does not lie in it."""
    return PLACES_BYTES + block_size(entry.key_size, entry.room)


cdef inline bint is_named(PyObject *entry, bytes key, uint32_t hash) noexcept:
    return (
        (<Entry>entry).hash == hash
        and (<Entry>entry).key_size == PyBytes_GET_SIZE(key)
        and memcmp(name_of(entry), PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) == 0
    )


cdef inline long long earlier(long long expire_ms, long long field_ms) noexcept:
    """The earlier of the key's and the fields' deadlines, of those that are set."""
    return field_ms if field_ms and (not expire_ms or field_ms < expire_ms) else expire_ms


@cython.final
cdef class Table:
    """The entries of one database."""

    def __cinit__(self):
        self.heads.array.width = sizeof(PyObject *)
        self.entries.width = sizeof(PyObject *)
        self.timers.width = sizeof(Timer)

    def __dealloc__(self):
        self.drain(self.used)

    def __len__(self):
        return self.used

    @property
    def volatile(self):
        """How many entries have a deadline or a node still to be put right."""
        return self.timers_used

    cpdef Entry get(self, bytes key):
        cdef uint32_t hash
        cdef PyObject *found
        if self.heads.number == 0:
            return None
        hash = <uint32_t>PyObject_Hash(key)
        found = self.head_of(hash)[0]
        while found != NULL:
            if is_named(found, key, hash):
                return <Entry>found
            found = (<Entry>found).next
        return None

    cpdef fetch(self, list keys):
        """Has the processor fetch what `get` will read for these keys, of all at once instead of one after the other."""
        cdef PyObject **heads[FETCHED_AT_ONCE]
        cdef Py_ssize_t start, count, at
        cdef PyObject *found
        if self.heads.number == 0:
            return
        for start in range(0, len(keys), FETCHED_AT_ONCE):
            count = min(len(keys) - start, <Py_ssize_t>FETCHED_AT_ONCE)
            for at in range(count):
                heads[at] = self.head_of(<uint32_t>PyObject_Hash(<bytes>PyList_GET_ITEM(keys, start + at)))
                prefetch(heads[at])
            for at in range(count):
                found = heads[at][0]
                if found != NULL:
                    prefetch(found)
                    prefetch(<char *>found + LINE)
            for at in range(count):
                found = heads[at][0]
                if found == NULL:
                    continue
                if (<Entry>found).next != NULL:
                    prefetch((<Entry>found).next)
                if (<Entry>found).value_size == OUTSIDE:
                    prefetch(outside(<Entry>found).value)
                else:
                    prefetch(room_of(<Entry>found) + (<Entry>found).value_size)

    cpdef Entry at(self, Py_ssize_t position):
        if not 0 <= position < self.used:
            raise IndexError(position)
        return <Entry>self.place(position)[0]

    cpdef foresee(self, Py_ssize_t position):
        """Tells that the entry at this position will be asked for."""
        prefetch(self.place(position)[0])

    cpdef Entry add(self, bytes key, object value):
        """Adds a key that is not there yet."""
        cdef PyObject *entry
        cdef PyObject **head
        if self.used == MOST_ENTRIES:
            raise OverflowError("too many keys")
        if self.used == self.entries.room:
            blocks_grow(&self.entries)
        while 3 * <Py_ssize_t>self.heads.number <= HEADS_FOR_THREE * self.used:
            self.split()
        if self.used < self.expected:
            self.split_ahead()
        entry = new_entry(key, value)
        head = self.head_of((<Entry>entry).hash)
        (<Entry>entry).next = head[0]
        head[0] = entry
        (<Entry>entry).position = <unsigned int>self.used
        self.place(self.used)[0] = entry
        self.used += 1
        return <Entry>entry

    cpdef expect(self, Py_ssize_t count):
        """So many entries will be added, or fewer: the index grows ahead of them, while its chains are short."""
        self.expected = min(max(count, 0), MOST_EXPECTED)

    cpdef int remove(self, Entry entry) except -1:
        cdef PyObject **link = self.head_of(entry.hash)
        cdef PyObject *last = self.place(self.used - 1)[0]
        prefetch(last)
        if entry.timer:
            self.drop_timer(entry)
        while link[0] != <PyObject *>entry:
            link = &(<Entry>link[0]).next
        link[0] = entry.next
        entry.next = NULL
        self.used -= 1
        self.expected = 0
        self.place(entry.position)[0] = last
        (<Entry>last).position = entry.position
        self.join()
        Py_DECREF(entry)
        return 0

    cdef int split(self) except -1:
        """Parts one chain in two by the next bit of the hashes."""
        cdef PyObject **low
        cdef PyObject **high
        cdef PyObject *entry
        cdef uint32_t added
        if not heads_add(&self.heads, 0):
            return 0
        added = self.heads.number - 1
        low = self.head(heads_origin(&self.heads, added))
        high = self.head(added)
        entry = low[0]
        while entry != NULL:
            if (<Entry>entry).hash & self.heads.mask == added:
                high[0] = entry
                high = &(<Entry>entry).next
            else:
                low[0] = entry
                low = &(<Entry>entry).next
            entry = (<Entry>entry).next
        low[0] = NULL
        high[0] = NULL
        # Chains are split in order, so what a split will wait for is known well before: first of all the first entry,
        # and when that is there, the next.
        prefetch(self.head(heads_origin(&self.heads, self.heads.number + 2 * SPLITS_AHEAD))[0])
        entry = self.head(heads_origin(&self.heads, self.heads.number + SPLITS_AHEAD))[0]
        if entry != NULL:
            prefetch((<Entry>entry).next)
        return 0

    cdef int split_ahead(self) except -1:
        """Parts some of the chains that the entries to come will need parted."""
        cdef int step
        for step in range(STEPS_AT_ONCE):
            if 3 * <Py_ssize_t>self.heads.number > HEADS_FOR_THREE * self.expected:
                break
            self.split()
        return 0

    cdef void join(self) noexcept:
        """Joins some of the chains that fewer entries do not need, and gives unused memory back."""
        cdef PyObject **tail
        cdef uint32_t gone
        cdef int step
        for step in range(STEPS_AT_ONCE):
            if self.heads.number <= 2 * HEADS_FOR_THREE * self.used // 3 or self.heads.number <= FEWEST_HEADS:
                break
            gone = heads_drop(&self.heads)
            tail = self.head(heads_origin(&self.heads, gone))
            while tail[0] != NULL:
                tail = &(<Entry>tail[0]).next
            tail[0] = self.head(gone)[0]
        blocks_trim(&self.entries, self.used)
        heads_trim(&self.heads)

    cpdef long long field_deadline(self, Entry entry) noexcept:
        """When the first field of an entry's hash expires; 0 when none does."""
        return self.node(entry.timer - 1).field_ms if entry.has_field_deadline else 0

    cpdef int set_deadline(self, Entry entry, long long expire_ms) except -1:
        """Sets when an entry expires; 0 takes its deadline away."""
        entry.expire_ms = expire_ms
        return self.arm(entry, self.field_deadline(entry))

    cpdef int set_field_deadline(self, Entry entry, long long field_ms) except -1:
        """Sets when the first field of an entry's hash expires; 0 when none does."""
        return self.arm(entry, field_ms)

    cpdef long long next_deadline(self) noexcept:
        """When the first node surfaces, 0 when there is none."""
        return self.node(0).when if self.timers_used else 0

    cpdef Entry timed(self, Py_ssize_t place):
        """The entry whose node has this place in the heap, of `volatile` ones."""
        if not 0 <= place < self.timers_used:
            raise IndexError(place)
        return <Entry>self.node(place).who

    cpdef Entry soonest(self):
        """The entry of which the key or a field expires first; there must be one."""
        cdef Timer *first
        cdef long long when
        if self.timers_used == 0:
            raise IndexError(0)
        first = self.node(0)
        while True:
            when = self.deadline(<Entry>first.who)
            if when <= first.when:
                return <Entry>first.who
            first.when = when
            self.sift_down(0)

    cpdef Entry due(self, long long now_ms):
        """An entry of which the key or a field has reached its deadline, for the caller to see to.

        Nodes that surface too early are put right.
        """
        cdef Timer *first
        cdef long long when
        if self.timers_used == 0:
            return None
        first = self.node(0)
        while first.when <= now_ms:
            when = self.deadline(<Entry>first.who)
            if when <= now_ms:
                return <Entry>first.who
            first.when = when
            self.sift_down(0)
        return None

    cpdef bint drain(self, Py_ssize_t count) noexcept:
        """Frees up to `count` entries of a table that is no longer in use; True when nothing is left."""
        self.heads.number = 0
        while count > 0 and self.used:
            self.used -= 1
            count -= 1
            _decref(self.place(self.used)[0])
        self.timers_used = min(self.timers_used, self.used)
        if self.used:
            blocks_trim(&self.heads.array, self.used)
            blocks_trim(&self.entries, self.used)
            blocks_trim(&self.timers, self.timers_used)
            return False
        heads_free(&self.heads)
        blocks_free(&self.entries)
        blocks_free(&self.timers)
        return True

    cdef long long deadline(self, Entry entry) noexcept:
        return earlier(entry.expire_ms, self.field_deadline(entry))

    cdef int arm(self, Entry entry, long long field_ms) except -1:
        """Sees to it that an entry's node surfaces in time, if it needs one."""
        cdef long long when = earlier(entry.expire_ms, field_ms)
        cdef Timer *node
        if not entry.timer:
            if when:
                self.add_timer(entry, when, field_ms)
                entry.has_field_deadline = field_ms != 0
            return 0
        if not when:
            self.drop_timer(entry)
            return 0
        node = self.node(entry.timer - 1)
        node.field_ms = field_ms
        entry.has_field_deadline = field_ms != 0
        if when < node.when:
            node.when = when
            self.sift_up(entry.timer - 1)
        return 0

    cdef int add_timer(self, Entry entry, long long when, long long field_ms) except -1:
        if self.timers_used == self.timers.room:
            blocks_grow(&self.timers)
        self.node(self.timers_used)[0] = Timer(when, field_ms, <PyObject *>entry)
        self.timers_used += 1
        entry.timer = <unsigned int>self.timers_used
        self.sift_up(entry.timer - 1)
        return 0

    cdef void drop_timer(self, Entry entry) noexcept:
        cdef Py_ssize_t place = entry.timer - 1
        cdef bint is_earlier
        entry.timer = 0
        entry.has_field_deadline = False
        self.timers_used -= 1
        cdef Timer last = self.node(self.timers_used)[0]
        blocks_trim(&self.timers, self.timers_used)
        if last.who == <PyObject *>entry:
            return
        is_earlier = last.when < self.node(place).when
        self.settle(place, last)
        if is_earlier:
            self.sift_up(place)
        else:
            self.sift_down(place)

    cdef void settle(self, Py_ssize_t place, Timer timer) noexcept:
        self.node(place)[0] = timer
        (<Entry>timer.who).timer = <unsigned int>(place + 1)

    cdef void sift_up(self, Py_ssize_t place) noexcept:
        cdef Timer timer = self.node(place)[0]
        cdef Py_ssize_t parent
        while place:
            parent = (place - 1) >> 1
            if self.node(parent).when <= timer.when:
                break
            self.settle(place, self.node(parent)[0])
            place = parent
        self.settle(place, timer)

    cdef void sift_down(self, Py_ssize_t place) noexcept:
        cdef Timer timer = self.node(place)[0]
        cdef Py_ssize_t child
        while True:
            child = 2 * place + 1
            if child >= self.timers_used:
                break
            if child + 1 < self.timers_used and self.node(child + 1).when < self.node(child).when:
                child += 1
            if self.node(child).when >= timer.when:
                break
            self.settle(place, self.node(child)[0])
            place = child
        self.settle(place, timer)

    def _check(self):
        cdef Entry entry
        cdef PyObject *found
        cdef uint32_t head
        cdef Py_ssize_t place
        cdef Py_ssize_t entered = 0
        assert self.used <= self.entries.room
        assert self.heads.number <= self.heads.array.room
        for head in range(self.heads.number):
            found = self.head(head)[0]
            while found != NULL:
                assert self.head_of((<Entry>found).hash) == self.head(head)
                found = (<Entry>found).next
                entered += 1
        assert entered == self.used
        for place in range(self.used):
            entry = <Entry>self.place(place)[0]
            assert entry.position == place
            assert entry.hash == <uint32_t>PyObject_Hash(entry.key)
            assert self.get(entry.key) is entry
            assert bool(entry.timer) == bool(self.deadline(entry))
            assert entry.value_size == OUTSIDE or entry.value_size <= entry.room
        for place in range(self.timers_used):
            entry = <Entry>self.node(place).who
            assert entry.timer == place + 1
            assert self.node(place).when <= self.deadline(entry)
            assert entry.has_field_deadline == (self.node(place).field_ms != 0)
            assert place == 0 or self.node((place - 1) >> 1).when <= self.node(place).when
