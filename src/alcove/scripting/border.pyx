"""By what way Lua calls the commands of the engine: the native twin of border.py.

lupa's way makes a tuple of the arguments, calls a Python object as Python does, and pushes results one by one. Here a
function of Lua's own kind reads the arguments where they lie on Lua's stack, and pushes the reply there, a list as a
table. The Lua is the one inside lupa: its functions are looked up in the shared object that lupa was loaded from. Where
they are not to be found, it is lupa's way after all.

Nothing here is left by a jump of Lua's: what is pushed was measured before (see `Bridge`), strings are read as they
are, and errors are answered, for lua/prelude.lua to raise.
"""

import ctypes

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsDouble
from libc.math cimport fabs, floor
from libc.stdint cimport uintptr_t

from alcove.errors import ARGUMENTS_OF_SCRIPT, INTERNAL, NO_ARGUMENTS_IN_SCRIPT, CommandError
from alcove.scripting.bridge import ERROR

from alcove.integers cimport format_int
from alcove.scripting.bridge cimport Bridge
from alcove.scripting.conversion cimport argument_of

cdef extern from *:
    """
    typedef struct lua_State lua_State;
    typedef int (*alcove_function)(lua_State *);
    static alcove_function alcove_opener = 0;
    /* What package.loadlib finds in this module: given the address of a bridge in two halves, its `host.run`. */
    #if defined(_WIN32)
    __declspec(dllexport)
    #elif defined(__GNUC__)
    __attribute__((visibility("default")))
    #endif
    int alcove_open_border(lua_State *L) { return alcove_opener(L); }
    """
    ctypedef struct lua_State:
        pass
    ctypedef int (*Function "alcove_function")(lua_State *) noexcept nogil
    Function opener "alcove_opener"

cdef enum:
    # Of lua.h, version 5.1.
    LUA_TNUMBER = 3
    LUA_TSTRING = 4
    FIRST_UPVALUE = -10003

# The functions of Lua that are used here, in the order of NAMES.
cdef struct Api:
    void (*createtable)(lua_State *, int, int) noexcept nogil
    int (*gettop)(lua_State *) noexcept nogil
    void (*pushboolean)(lua_State *, int) noexcept nogil
    void (*pushcclosure)(lua_State *, Function, int) noexcept nogil
    void (*pushlightuserdata)(lua_State *, void *) noexcept nogil
    void (*pushlstring)(lua_State *, const char *, size_t) noexcept nogil
    void (*pushnil)(lua_State *) noexcept nogil
    void (*pushnumber)(lua_State *, double) noexcept nogil
    void (*rawseti)(lua_State *, int, int) noexcept nogil
    const char *(*tolstring)(lua_State *, int, size_t *) noexcept nogil
    double (*tonumber)(lua_State *, int) noexcept nogil
    void *(*touserdata)(lua_State *, int) noexcept nogil
    int (*type)(lua_State *, int) noexcept nogil

cdef Api api
NAMES = (
    "createtable",
    "gettop",
    "pushboolean",
    "pushcclosure",
    "pushlightuserdata",
    "pushlstring",
    "pushnil",
    "pushnumber",
    "rawseti",
    "tolstring",
    "tonumber",
    "touserdata",
    "type",
)
# Whether they are there; None before anybody has asked.
cdef object _known = None

# Integers up to here are exact in a double.
cdef double EXACT = 9007199254740992.0


def entrance(lua, Bridge bridge):
    """The function that is `host.run` in lua/prelude.lua: see `Bridge.run`. `bridge` must outlive `lua`."""
    cdef uintptr_t address = <uintptr_t><void *>bridge
    if is_known():
        opened = lua.globals()[b"package"][b"loadlib"](__file__.encode(), b"alcove_open_border")
        if callable(opened):
            return opened(address >> 32, address & 0xFFFFFFFF)
    return lua.globals()[b"python"][b"as_function"](bridge.run)


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
    cdef list addresses = [ctypes.cast(getattr(library, f"lua_{name}"), ctypes.c_void_p).value for name in NAMES]
    cdef uintptr_t *slots = <uintptr_t *>&api
    for place in range(sizeof(Api) // sizeof(uintptr_t)):
        slots[place] = addresses[place]


cdef int open_border(lua_State *L) noexcept nogil:
    cdef uintptr_t address = (<uintptr_t>api.tonumber(L, 1) << 32) | <uintptr_t>api.tonumber(L, 2)
    api.pushlightuserdata(L, <void *>address)
    api.pushcclosure(L, run, 1)
    return 1


opener = open_border


cdef int run(lua_State *L) noexcept nogil:
    return answered(L)


cdef int answered(lua_State *L) noexcept with gil:
    """Runs a command; how many results are on Lua's stack."""
    cdef Bridge bridge = <Bridge>api.touserdata(L, FIRST_UPVALUE)
    try:
        return push(L, bridge.answered(argv_of(L)))
    except BaseException as error:
        bridge.failure = error
        return push(L, (None, ERROR, INTERNAL.encode()))


cdef object argv_of(lua_State *L):
    """The arguments of a call, or the error that there is among them."""
    cdef int count = api.gettop(L)
    cdef int place, kind
    cdef size_t size
    cdef const char *text
    cdef double number
    cdef list argv = []
    if count == 0:
        return CommandError(NO_ARGUMENTS_IN_SCRIPT)
    for place in range(1, count + 1):
        kind = api.type(L, place)
        if kind == LUA_TSTRING:
            text = api.tolstring(L, place, &size)
            argv.append(PyBytes_FromStringAndSize(text, size))
        elif kind == LUA_TNUMBER:
            number = api.tonumber(L, place)
            if fabs(number) < EXACT and number == floor(number):
                argv.append(format_int(<long long>number))
            else:
                argv.append(argument_of(number))
        else:
            return CommandError(ARGUMENTS_OF_SCRIPT)
    return argv


cdef int push(lua_State *L, object answer) except -1:
    """Pushes what `Bridge.answered` answers; how many values that are."""
    cdef int place
    if answer is None:
        return 0
    if type(answer) is tuple:
        for value in <tuple>answer:
            push_plain(L, value)
        return len(<tuple>answer)
    if type(answer) is not list:
        push_plain(L, answer)
        return 1
    api.createtable(L, <int>len(<list>answer), 0)
    for place in range(<int>len(<list>answer)):
        push_plain(L, (<list>answer)[place])
        api.rawseti(L, -2, place + 1)
    return 1


cdef int push_plain(lua_State *L, object value) except -1:
    if type(value) is bytes:
        api.pushlstring(L, PyBytes_AS_STRING(<bytes>value), PyBytes_GET_SIZE(<bytes>value))
    elif type(value) is int:
        api.pushnumber(L, PyLong_AsDouble(value))
    elif type(value) is bool:
        api.pushboolean(L, value)
    elif value is None:
        api.pushnil(L)
    else:
        raise TypeError(f"a {type(value).__name__} is no plain value")
    return 0
