from alcove.scripting.lua_api cimport lua_State

cdef void push_short_ways(lua_State *L) noexcept nogil
