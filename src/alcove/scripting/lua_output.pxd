from libc.string cimport memcpy

from alcove.scripting.lua_api cimport api, lua_State

cdef enum:
    # How deep the short ways go at most, and what each level needs of Lua's stack.
    DEEPEST = 64
    PLACES = 8
    # Where values are written to, until they are more.
    SHORT_BYTES = 1024

# What has been written: in the function's own memory, then in a userdata at `place` on Lua's stack.
cdef struct Output:
    lua_State *L
    int place
    char *data
    size_t used, room

cdef inline char *more(Output *out, size_t size) noexcept nogil:
    """Where so many further bytes go; they count as written."""
    cdef size_t room = out.room
    cdef char *data
    if out.used + size > room:
        while out.used + size > room:
            room *= 2
        data = <char *>api.newuserdata(out.L, room)
        memcpy(data, out.data, out.used)
        api.replace(out.L, out.place)
        out.data = data
        out.room = room
    out.used += size
    return out.data + out.used - size

cdef inline void put(Output *out, const char *data, size_t size) noexcept nogil:
    memcpy(more(out, size), data, size)

cdef inline void put_byte(Output *out, unsigned char byte) noexcept nogil:
    more(out, 1)[0] = <char>byte

cdef inline void begin(Output *out, lua_State *L, int place, char *memory) noexcept nogil:
    out.L = L
    out.place = place
    out.data = memory
    out.used = 0
    out.room = SHORT_BYTES

cdef bint find_length(lua_State *L, int table, double *highest, double *count) noexcept nogil
