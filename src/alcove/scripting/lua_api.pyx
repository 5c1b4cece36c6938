"""The functions of the Lua that is inside lupa: looked up in the shared object that lupa was loaded from."""

import ctypes

from libc.stdint cimport uintptr_t

NAMES = (
    "lua_checkstack",
    "lua_createtable",
    "lua_gc",
    "lua_getmetatable",
    "lua_gettop",
    "lua_newuserdata",
    "lua_next",
    "lua_objlen",
    "lua_pcall",
    "lua_pushboolean",
    "lua_pushcclosure",
    "lua_pushlightuserdata",
    "lua_pushlstring",
    "lua_pushnil",
    "lua_pushnumber",
    "lua_pushvalue",
    "lua_rawequal",
    "lua_rawgeti",
    "lua_rawset",
    "lua_rawseti",
    "luaL_ref",
    "lua_remove",
    "lua_replace",
    "lua_setfield",
    "lua_settop",
    "lua_toboolean",
    "lua_tolstring",
    "lua_tonumber",
    "lua_touserdata",
    "lua_type",
    "luaL_unref",
)
# Whether they are there; None before anybody has asked.
cdef object _known = None


cdef bint is_known() except -1:
    """Whether Lua's functions can be called."""
    global _known
    if _known is None:
        try:
            look_up()
            _known = True
        except (OSError, AttributeError):
            # A lupa that keeps Lua's functions to itself.
            _known = False
    return _known


cdef look_up():
    """Finds Lua's functions. Raises `OSError` or `AttributeError`."""
    import lupa.lua51

    library = ctypes.CDLL(lupa.lua51.__file__)
    cdef list addresses = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in NAMES]
    cdef uintptr_t *slots = <uintptr_t *>&api
    for place in range(sizeof(Api) // sizeof(uintptr_t)):
        slots[place] = addresses[place]
