"""What functions on Lua's stack write into, and what they ask of a table before they write it.

A jump of Lua's loses nothing: what is more than a little lies on Lua's stack.
"""

from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, floor

from alcove.scripting.lua_api cimport LUA_TNUMBER, api, lua_State


cdef bint find_length(lua_State *L, int table, double *highest, double *count) noexcept nogil:
    """Whether all keys of a table are positive integers of C's; then the highest of them, and how many they are. The
    highest is 0 where there are other keys, and infinite where one is too large."""
    cdef double key
    highest[0] = count[0] = 0
    api.pushnil(L)
    while api.next(L, table):
        api.settop(L, -2)
        if api.type(L, -1) != LUA_TNUMBER:
            highest[0] = 0
            api.settop(L, -2)
            return False
        key = api.tonumber(L, -1)
        if not 1 <= key <= INT_MAX or floor(key) != key:
            highest[0] = INFINITY if key > INT_MAX else 0
            api.settop(L, -2)
            return False
        highest[0] = max(highest[0], key)
        count[0] += 1
    return True
