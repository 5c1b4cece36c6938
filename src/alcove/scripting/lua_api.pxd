cdef extern from *:
    """
    typedef struct lua_State lua_State;
    typedef int (*alcove_function)(lua_State *);
    """
    ctypedef struct lua_State:
        pass
    ctypedef int (*Function "alcove_function")(lua_State *) noexcept nogil

cdef enum:
    # Of lua.h, version 5.1.
    LUA_TNIL = 0
    LUA_TBOOLEAN = 1
    LUA_TNUMBER = 3
    LUA_TSTRING = 4
    LUA_TTABLE = 5
    LUA_REGISTRYINDEX = -10000
    FIRST_UPVALUE = -10003
    LUA_MULTRET = -1
    LUA_ERRMEM = 4
    LUA_GCCOUNT = 3
    LUA_GCCOUNTB = 4

# The functions of Lua that are used, in the order of NAMES.
cdef struct Api:
    int (*checkstack)(lua_State *, int) noexcept nogil
    void (*createtable)(lua_State *, int, int) noexcept nogil
    int (*gc)(lua_State *, int, int) noexcept nogil
    int (*getmetatable)(lua_State *, int) noexcept nogil
    int (*gettop)(lua_State *) noexcept nogil
    void *(*newuserdata)(lua_State *, size_t) noexcept nogil
    int (*next)(lua_State *, int) noexcept nogil
    size_t (*objlen)(lua_State *, int) noexcept nogil
    int (*pcall)(lua_State *, int, int, int) noexcept nogil
    void (*pushboolean)(lua_State *, int) noexcept nogil
    void (*pushcclosure)(lua_State *, Function, int) noexcept nogil
    void (*pushlightuserdata)(lua_State *, void *) noexcept nogil
    void (*pushlstring)(lua_State *, const char *, size_t) noexcept nogil
    void (*pushnil)(lua_State *) noexcept nogil
    void (*pushnumber)(lua_State *, double) noexcept nogil
    void (*pushvalue)(lua_State *, int) noexcept nogil
    int (*rawequal)(lua_State *, int, int) noexcept nogil
    void (*rawgeti)(lua_State *, int, int) noexcept nogil
    void (*rawset)(lua_State *, int) noexcept nogil
    void (*rawseti)(lua_State *, int, int) noexcept nogil
    int (*ref)(lua_State *, int) noexcept nogil
    void (*remove)(lua_State *, int) noexcept nogil
    void (*replace)(lua_State *, int) noexcept nogil
    void (*setfield)(lua_State *, int, const char *) noexcept nogil
    void (*settop)(lua_State *, int) noexcept nogil
    int (*toboolean)(lua_State *, int) noexcept nogil
    const char *(*tolstring)(lua_State *, int, size_t *) noexcept nogil
    double (*tonumber)(lua_State *, int) noexcept nogil
    void *(*touserdata)(lua_State *, int) noexcept nogil
    int (*type)(lua_State *, int) noexcept nogil
    void (*unref)(lua_State *, int, int) noexcept nogil

cdef Api api
cdef bint is_known() except -1
