from alcove.scripting.lua_api cimport lua_State

cdef int write_json(lua_State *L) noexcept nogil
cdef int read_json(lua_State *L) noexcept nogil
