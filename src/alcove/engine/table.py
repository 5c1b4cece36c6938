"""How the entries of one database are stored: by key, in a dense array, and by deadline. This is the plain twin.

Nothing outside the keyspace touches a table. The dense array is what SCAN walks and RANDOMKEY and eviction index: a
removal moves the last entry into the gap, so a walk downwards misses nothing that is present throughout. The
deadlines are a binary heap with at most one node per entry; a deadline that moves to later is left where it is and
put right when its node surfaces, so sliding sessions cost the heap nothing.
"""

from __future__ import annotations

from typing import Any

from alcove.types.container import Container

# What CPython adds to the bytes of a bytes object.
BYTES_HEADER = 33
# What a key costs besides its bytes and its value: the entry, and its places in the index and the dense array.
_ENTRY_BYTES = 168


class Entry:
    """One key with its value, which `replace` changes.

    `expire_ms` is the Unix time in milliseconds at which the key expires, 0 for never; `field_ms` is when the first
    field of a hash does. `access` is what eviction goes by: seconds for LRU, or minutes and a counter for LFU.
    `size` is the memory accounted for the value, in bytes. `saved` is the number of the last snapshot that has it or
    is not to have it.
    """

    __slots__ = ("access", "expire_ms", "field_ms", "key", "position", "saved", "size", "timer", "value")

    def __init__(self, key: bytes, value: Any, position: int) -> None:
        self.key = key
        self.value = value
        self.expire_ms = 0
        self.field_ms = 0
        self.access = 0
        self.saved = 0
        self.size = 0
        self.position = position
        self.timer = 0


# In the native twin keys and small strings are no objects: these functions make as few of them as they can.


def key_of(entry: Entry) -> bytes:
    return entry.key


def value_of(entry: Entry) -> Any:
    return entry.value


def string_in(entry: Entry) -> Any:
    """The value of an entry if it is a string, otherwise None."""
    value = entry.value
    return value if type(value) is bytes or type(value) is bytearray else None


def container_in(entry: Entry) -> Any:
    """The value of an entry if it is a container, otherwise None."""
    value = entry.value
    return None if type(value) is bytes or type(value) is bytearray else value


def replace(entry: Entry, value: Any) -> int:
    """Gives an entry another value, of which nothing is accounted yet; how many bytes were of the old one."""
    entry.value = value
    size, entry.size = entry.size, 0
    return size


def weigh(entry: Entry) -> int:
    """Accounts for the value as it is now; by how many bytes that is more."""
    container: Container | None = container_in(entry)
    size = BYTES_HEADER + len(entry.value) if container is None else container.footprint()
    more = size - entry.size
    entry.size = size
    return more


def weight_of(entry: Entry) -> int:
    """The bytes of memory that an entry takes, without a value that does not lie in it."""
    return _ENTRY_BYTES + BYTES_HEADER + len(entry.key)


class Table:
    """The entries of one database."""

    def __init__(self) -> None:
        self._index: dict[bytes, Entry] = {}
        self._entries: list[Entry] = []
        # The heap: when a node surfaces, and whose it is. An entry's `timer` is its node's place plus one.
        self._when: list[int] = []
        self._who: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def volatile(self) -> int:
        """How many entries have a deadline or a node still to be put right."""
        return len(self._when)

    def get(self, key: bytes) -> Entry | None:
        return self._index.get(key)

    def fetch(self, keys: list[bytes]) -> None:
        """Tells that these keys will be looked up. Python cannot make anything of it; the native twin can."""

    def expect(self, count: int) -> None:
        """Tells that so many entries will be added, or fewer. A dict cannot make anything of it."""

    def at(self, position: int) -> Entry:
        return self._entries[position]

    def foresee(self, position: int) -> None:
        """Tells that the entry at this position will be asked for."""

    def add(self, key: bytes, value: Any) -> Entry:
        """Adds a key that is not there yet."""
        entry = Entry(key, value, len(self._entries))
        self._index[key] = entry
        self._entries.append(entry)
        return entry

    def remove(self, entry: Entry) -> None:
        if entry.timer:
            self._drop_timer(entry)
        del self._index[entry.key]
        last = self._entries.pop()
        if last is not entry:
            self._entries[entry.position] = last
            last.position = entry.position

    def field_deadline(self, entry: Entry) -> int:
        """When the first field of an entry's hash expires; 0 when none does."""
        return entry.field_ms

    def set_deadline(self, entry: Entry, expire_ms: int) -> None:
        """Sets when an entry expires; 0 takes its deadline away."""
        entry.expire_ms = expire_ms
        self._arm(entry)

    def set_field_deadline(self, entry: Entry, field_ms: int) -> None:
        """Sets when the first field of an entry's hash expires; 0 when none does."""
        entry.field_ms = field_ms
        self._arm(entry)

    def next_deadline(self) -> int:
        """When the first node surfaces, 0 when there is none."""
        return self._when[0] if self._when else 0

    def timed(self, place: int) -> Entry:
        """The entry whose node has this place in the heap, of `volatile` ones."""
        return self._who[place]

    def soonest(self) -> Entry:
        """The entry of which the key or a field expires first; there must be one."""
        while (when := _deadline(self._who[0])) > self._when[0]:
            self._when[0] = when
            self._sift_down(0)
        return self._who[0]

    def due(self, now_ms: int) -> Entry | None:
        """An entry of which the key or a field has reached its deadline, for the caller to see to.

        Nodes that surface too early are put right.
        """
        while self._when and self._when[0] <= now_ms:
            entry = self._who[0]
            deadline = _deadline(entry)
            if deadline <= now_ms:
                return entry
            self._when[0] = deadline
            self._sift_down(0)
        return None

    def drain(self, count: int) -> bool:
        """Frees up to `count` entries of a table that is no longer in use; True when nothing is left."""
        self._when.clear()
        self._who.clear()
        self._index.clear()
        del self._entries[max(len(self._entries) - count, 0) :]
        return not self._entries

    def _arm(self, entry: Entry) -> None:
        deadline = _deadline(entry)
        if not entry.timer:
            if deadline:
                self._when.append(deadline)
                self._who.append(entry)
                entry.timer = len(self._when)
                self._sift_up(entry.timer - 1)
        elif not deadline:
            self._drop_timer(entry)
        elif deadline < self._when[entry.timer - 1]:
            self._when[entry.timer - 1] = deadline
            self._sift_up(entry.timer - 1)

    def _drop_timer(self, entry: Entry) -> None:
        place = entry.timer - 1
        entry.timer = 0
        when = self._when.pop()
        who = self._who.pop()
        if who is entry:
            return
        earlier = when < self._when[place]
        self._place(place, when, who)
        if earlier:
            self._sift_up(place)
        else:
            self._sift_down(place)

    def _place(self, place: int, when: int, who: Entry) -> None:
        self._when[place] = when
        self._who[place] = who
        who.timer = place + 1

    def _sift_up(self, place: int) -> None:
        when, who = self._when[place], self._who[place]
        while place:
            parent = (place - 1) >> 1
            if self._when[parent] <= when:
                break
            self._place(place, self._when[parent], self._who[parent])
            place = parent
        self._place(place, when, who)

    def _sift_down(self, place: int) -> None:
        when, who = self._when[place], self._who[place]
        count = len(self._when)
        while (child := 2 * place + 1) < count:
            if child + 1 < count and self._when[child + 1] < self._when[child]:
                child += 1
            if self._when[child] >= when:
                break
            self._place(place, self._when[child], self._who[child])
            place = child
        self._place(place, when, who)

    def _check(self) -> None:
        assert len(self._index) == len(self._entries)
        for position, entry in enumerate(self._entries):
            assert entry.position == position
            assert self._index[entry.key] is entry
            assert bool(entry.timer) == bool(_deadline(entry))
        for place, who in enumerate(self._who):
            assert who.timer == place + 1
            assert self._when[place] <= _deadline(who)
            assert place == 0 or self._when[(place - 1) >> 1] <= self._when[place]


def _deadline(entry: Entry) -> int:
    """The earlier of the key's and the fields' deadlines, of those that are set."""
    if entry.field_ms and (not entry.expire_ms or entry.field_ms < entry.expire_ms):
        return entry.field_ms
    return entry.expire_ms
