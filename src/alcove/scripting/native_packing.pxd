from alcove.scripting.lua_api cimport lua_State

cdef int pack(lua_State *L) noexcept nogil
cdef int unpack(lua_State *L) noexcept nogil
cdef int pack_struct(lua_State *L) noexcept nogil
cdef int unpack_struct(lua_State *L) noexcept nogil
