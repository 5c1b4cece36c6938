"""How the entries of one database are stored: the native twin of table.py, which explains the structure.

The index, the dense array and the heap are C arrays, and entries are hidden from the garbage collector (no cycle can
pass through one: values are bytes or structures of our own), so its full collections do not walk the keys. The index
is a table of hashes with linear probing: a look-up touches one line of it, the entry and the key. A removal closes its
gap, so that no tombstones are left.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject, PyObject_Hash
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define alcove_prefetch(address) __builtin_prefetch(address)
    #else
    #define alcove_prefetch(address) ((void)0)
    #endif
    """
    void prefetch "alcove_prefetch"(const void *) noexcept

cdef enum:
    # How many keys' memory is fetched at once.
    FETCHED_AT_ONCE = 64

# The fewest slots of an index that is not empty.
cdef Py_ssize_t FEWEST_SLOTS = 16
# Positions, and the places of timers plus one, have 32 bits.
cdef Py_ssize_t MOST_ENTRIES = 0xFFFFFFFE


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class Entry:
    """One key with its value; see the plain twin for its fields."""

    def __init__(self, bytes key, object value, Py_ssize_t position):
        self.key = key
        self.value = value
        self.position = position


cdef bint same(bytes first, bytes second) noexcept:
    """Whether two keys are equal."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(first)
    if size != PyBytes_GET_SIZE(second):
        return False
    return memcmp(PyBytes_AS_STRING(first), PyBytes_AS_STRING(second), size) == 0


cdef long long deadline(Entry entry) noexcept:
    """The earlier of the key's and the fields' deadlines, of those that are set."""
    if entry.field_ms and (not entry.expire_ms or entry.field_ms < entry.expire_ms):
        return entry.field_ms
    return entry.expire_ms


@cython.final
cdef class Table:
    """The entries of one database."""

    def __dealloc__(self):
        cdef Py_ssize_t position
        for position in range(self.used):
            Py_DECREF(<object>self.entries[position])
        free(self.slots)
        free(self.entries)
        free(self.timers)

    def __len__(self):
        return self.used

    @property
    def volatile(self):
        """How many entries have a deadline or a node still to be put right."""
        return self.timers_used

    cpdef Entry get(self, bytes key):
        cdef Py_hash_t hash
        cdef Py_ssize_t place
        cdef Entry entry
        if self.slots == NULL:
            return None
        hash = PyObject_Hash(key)
        place = hash & self.mask
        while self.slots[place].entry != NULL:
            if self.slots[place].hash == hash:
                entry = <Entry>self.slots[place].entry
                if same(entry.key, key):
                    return entry
            place = (place + 1) & self.mask
        return None

    cpdef fetch(self, list keys):
        """Has the processor fetch what `get` will read for these keys, of all at once instead of one after the other."""
        cdef Py_hash_t hashes[FETCHED_AT_ONCE]
        cdef PyObject *found[FETCHED_AT_ONCE]
        cdef Py_ssize_t start, count, at, place
        if self.slots == NULL:
            return
        for start in range(0, len(keys), FETCHED_AT_ONCE):
            count = min(len(keys) - start, <Py_ssize_t>FETCHED_AT_ONCE)
            for at in range(count):
                hashes[at] = PyObject_Hash(<bytes>PyList_GET_ITEM(keys, start + at))
                prefetch(&self.slots[hashes[at] & self.mask])
            for at in range(count):
                place = hashes[at] & self.mask
                while self.slots[place].entry != NULL and self.slots[place].hash != hashes[at]:
                    place = (place + 1) & self.mask
                found[at] = self.slots[place].entry
                if found[at] != NULL:
                    prefetch(found[at])
                    prefetch(<char *>found[at] + sizeof(PyObject) + 2 * sizeof(PyObject *))
            for at in range(count):
                if found[at] != NULL:
                    prefetch(<PyObject *>(<Entry>found[at]).key)
                    prefetch(<PyObject *>(<Entry>found[at]).value)

    cpdef Entry at(self, Py_ssize_t position):
        if not 0 <= position < self.used:
            raise IndexError(position)
        return <Entry>self.entries[position]

    cpdef Entry add(self, bytes key, object value):
        """Adds a key that is not there yet."""
        cdef PyObject **grown
        cdef Py_ssize_t room
        if self.used == MOST_ENTRIES:
            raise OverflowError("too many keys")
        if self.used == self.room:
            room = self.room + (self.room >> 1) + 16
            grown = <PyObject **>realloc(self.entries, room * sizeof(PyObject *))
            if grown == NULL:
                raise MemoryError
            self.entries = grown
            self.room = room
        cdef Entry entry = Entry.__new__(Entry)
        entry.key = key
        entry.value = value
        entry.position = self.used
        self.enter(entry)
        Py_INCREF(entry)
        self.entries[self.used] = <PyObject *>entry
        self.used += 1
        return entry

    cpdef int remove(self, Entry entry) except -1:
        cdef Entry last
        if entry.timer:
            self.drop_timer(entry)
        self.leave(entry)
        self.used -= 1
        last = <Entry>self.entries[self.used]
        if last is not entry:
            self.entries[entry.position] = <PyObject *>last
            last.position = entry.position
        Py_DECREF(entry)
        return 0

    cpdef int set_deadline(self, Entry entry, long long expire_ms) except -1:
        """Sets when an entry expires; 0 takes its deadline away."""
        entry.expire_ms = expire_ms
        return self.arm(entry)

    cpdef int set_field_deadline(self, Entry entry, long long field_ms) except -1:
        """Sets when the first field of an entry's hash expires; 0 when none does."""
        entry.field_ms = field_ms
        return self.arm(entry)

    cpdef long long next_deadline(self) noexcept:
        """When the first node surfaces, 0 when there is none."""
        return self.timers[0].when if self.timers_used else 0

    cpdef Entry timed(self, Py_ssize_t place):
        """The entry whose node has this place in the heap, of `volatile` ones."""
        if not 0 <= place < self.timers_used:
            raise IndexError(place)
        return <Entry>self.timers[place].who

    cpdef Entry soonest(self):
        """The entry of which the key or a field expires first; there must be one."""
        cdef Entry entry
        cdef long long when
        if self.timers_used == 0:
            raise IndexError(0)
        while True:
            entry = <Entry>self.timers[0].who
            when = deadline(entry)
            if when <= self.timers[0].when:
                return entry
            self.timers[0].when = when
            self.sift_down(0)

    cpdef Entry due(self, long long now_ms):
        """An entry of which the key or a field has reached its deadline, for the caller to see to.

        Nodes that surface too early are put right.
        """
        cdef Entry entry
        cdef long long when
        while self.timers_used and self.timers[0].when <= now_ms:
            entry = <Entry>self.timers[0].who
            when = deadline(entry)
            if when <= now_ms:
                return entry
            self.timers[0].when = when
            self.sift_down(0)
        return None

    cpdef bint drain(self, Py_ssize_t count) except -1:
        """Frees up to `count` entries of a table that is no longer in use; True when nothing is left."""
        cdef Entry entry
        self.timers_used = 0
        free(self.slots)
        self.slots = NULL
        while count > 0 and self.used:
            self.used -= 1
            count -= 1
            entry = <Entry>self.entries[self.used]
            Py_DECREF(entry)
        return self.used == 0

    cdef int enter(self, Entry entry) except -1:
        """Enters a new entry into the index, which stays at most two thirds full."""
        cdef Py_hash_t hash = PyObject_Hash(entry.key)
        cdef Py_ssize_t place
        if self.slots == NULL or 3 * (self.used + 1) > 2 * (self.mask + 1):
            self.grow()
        place = hash & self.mask
        while self.slots[place].entry != NULL:
            place = (place + 1) & self.mask
        self.slots[place] = Slot(hash, <PyObject *>entry)
        return 0

    cdef int grow(self) except -1:
        cdef Slot *old = self.slots
        cdef Py_ssize_t count = self.mask + 1 if old != NULL else 0
        cdef Py_ssize_t room = 2 * count if count else FEWEST_SLOTS
        cdef Py_ssize_t place, target
        cdef Slot *slots = <Slot *>calloc(room, sizeof(Slot))
        if slots == NULL:
            raise MemoryError
        self.slots = slots
        self.mask = room - 1
        for place in range(count):
            if old[place].entry != NULL:
                target = old[place].hash & self.mask
                while slots[target].entry != NULL:
                    target = (target + 1) & self.mask
                slots[target] = old[place]
        free(old)
        return 0

    cdef int leave(self, Entry entry) except -1:
        """Takes an entry out of the index; those behind it that were pushed on by it move up."""
        cdef Py_ssize_t gap = PyObject_Hash(entry.key) & self.mask
        cdef Py_ssize_t place, home
        while self.slots[gap].entry != <PyObject *>entry:
            gap = (gap + 1) & self.mask
        place = gap
        while True:
            place = (place + 1) & self.mask
            if self.slots[place].entry == NULL:
                break
            home = self.slots[place].hash & self.mask
            # It may fill the gap unless its home lies behind the gap, going round from there to where it is.
            if ((place - home) & self.mask) >= ((place - gap) & self.mask):
                self.slots[gap] = self.slots[place]
                gap = place
        self.slots[gap].entry = NULL
        return 0

    cdef int arm(self, Entry entry) except -1:
        cdef long long when = deadline(entry)
        if not entry.timer:
            if when:
                self.add_timer(entry, when)
        elif not when:
            self.drop_timer(entry)
        elif when < self.timers[entry.timer - 1].when:
            self.timers[entry.timer - 1].when = when
            self.sift_up(entry.timer - 1)
        return 0

    cdef int add_timer(self, Entry entry, long long when) except -1:
        cdef Timer *grown
        cdef Py_ssize_t room
        if self.timers_used == self.timers_room:
            room = self.timers_room + (self.timers_room >> 1) + 16
            grown = <Timer *>realloc(self.timers, room * sizeof(Timer))
            if grown == NULL:
                raise MemoryError
            self.timers = grown
            self.timers_room = room
        self.timers[self.timers_used] = Timer(when, <PyObject *>entry)
        self.timers_used += 1
        entry.timer = self.timers_used
        self.sift_up(entry.timer - 1)
        return 0

    cdef void drop_timer(self, Entry entry) noexcept:
        cdef Py_ssize_t place = entry.timer - 1
        cdef bint earlier
        entry.timer = 0
        self.timers_used -= 1
        cdef Timer last = self.timers[self.timers_used]
        if last.who == <PyObject *>entry:
            return
        earlier = last.when < self.timers[place].when
        self.place(place, last)
        if earlier:
            self.sift_up(place)
        else:
            self.sift_down(place)

    cdef void place(self, Py_ssize_t place, Timer timer) noexcept:
        self.timers[place] = timer
        (<Entry>timer.who).timer = place + 1

    cdef void sift_up(self, Py_ssize_t place) noexcept:
        cdef Timer timer = self.timers[place]
        cdef Py_ssize_t parent
        while place:
            parent = (place - 1) >> 1
            if self.timers[parent].when <= timer.when:
                break
            self.place(place, self.timers[parent])
            place = parent
        self.place(place, timer)

    cdef void sift_down(self, Py_ssize_t place) noexcept:
        cdef Timer timer = self.timers[place]
        cdef Py_ssize_t child
        while True:
            child = 2 * place + 1
            if child >= self.timers_used:
                break
            if child + 1 < self.timers_used and self.timers[child + 1].when < self.timers[child].when:
                child += 1
            if self.timers[child].when >= timer.when:
                break
            self.place(place, self.timers[child])
            place = child
        self.place(place, timer)

    def _check(self):
        cdef Entry entry
        cdef Py_ssize_t place
        cdef Py_ssize_t entered = 0
        if self.slots != NULL:
            for place in range(self.mask + 1):
                entered += self.slots[place].entry != NULL
        assert entered == self.used
        for place in range(self.used):
            entry = <Entry>self.entries[place]
            assert entry.position == place
            assert self.get(entry.key) is entry
            assert bool(entry.timer) == bool(deadline(entry))
        for place in range(self.timers_used):
            entry = <Entry>self.timers[place].who
            assert entry.timer == place + 1
            assert self.timers[place].when <= deadline(entry)
            assert place == 0 or self.timers[(place - 1) >> 1].when <= self.timers[place].when
