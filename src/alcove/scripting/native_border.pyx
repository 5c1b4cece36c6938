"""Which way leads into Lua and out of it: the native twin of native_border.py.

lupa's way makes a tuple of the arguments, calls a Python object as Python does, and pushes results one by one. Here a
function of Lua's own kind reads the arguments where they lie on Lua's stack, and pushes the reply there, a list as a
table; and a script is entered as Lua enters a function. The Lua is the one inside lupa: its functions are looked up in
the shared object that lupa was loaded from. Where they are not to be found, it is lupa's way after all.

Nothing here is left by a jump of Lua's: what is pushed was measured before (see `Bridge`), strings are read as they
are, and errors are answered, for lua/prelude.lua to raise.

A script runs with Python's lock held, which commands want again and again; other threads get it when it breathes.
"""

import ctypes

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsDouble
from libc.math cimport fabs, floor
from libc.stdint cimport uintptr_t

from alcove.errors import (
    ARGUMENTS_OF_SCRIPT,
    INTERNAL,
    NO_ARGUMENTS_IN_SCRIPT,
    NO_MEMORY_IN_SCRIPT,
    CommandError,
    lua_failed,
)
from alcove.scripting.bridge import ERROR
from alcove.scripting.c_locale import c_locale

from alcove.integers cimport format_int
from alcove.scripting.border cimport Border
from alcove.scripting.bridge cimport Bridge
from alcove.scripting.lua_api cimport (
    FIRST_UPVALUE,
    LUA_ERRMEM,
    LUA_GCCOUNT,
    LUA_GCCOUNTB,
    LUA_MULTRET,
    LUA_REGISTRYINDEX,
    LUA_TBOOLEAN,
    LUA_TNIL,
    LUA_TNUMBER,
    LUA_TSTRING,
    Function,
    api,
    is_known,
    lua_State,
)
from alcove.scripting.native_libraries cimport push_short_ways
from alcove.scripting.conversion cimport argument_of

cdef extern from *:
    """
    static alcove_function alcove_opener = 0;
    /* What package.loadlib finds in this module: given the address of a border in two halves, its `run`, its `keep`,
       and the short ways of the libraries. */
    #if defined(_WIN32)
    __declspec(dllexport)
    #elif defined(__GNUC__)
    __attribute__((visibility("default")))
    #endif
    int alcove_open_border(lua_State *L) { return alcove_opener(L); }
    """
    Function opener "alcove_opener"

cdef enum:
    # How many places on Lua's stack are wanted besides those of arguments.
    SPARE_PLACES = 20

# Integers up to here are exact in a double.
cdef double EXACT = 9007199254740992.0
# Below this they fit 64 bits.
cdef double LARGEST = 9223372036854775808.0

ctypedef void *(*UseLocale)(void *) noexcept nogil
# What `c_locale` says, if anything.
cdef UseLocale use_locale = NULL
cdef void *locale_of_c = NULL


def border_of(lua, Bridge bridge):
    """The border of one Lua, which it and `bridge` must outlive."""
    if is_known():
        loadlib = lua.globals()[b"package"][b"loadlib"]
        opener = loadlib(__file__.encode(), b"alcove_open_border")
        if callable(opener):
            find_locale()
            return NativeBorder(lua, bridge, opener)
    return Border(lua, bridge)


cdef find_locale():
    global use_locale, locale_of_c
    found = c_locale()
    if found is not None:
        locale_of_c = <void *><uintptr_t>found[1]
        use_locale = <UseLocale><uintptr_t>ctypes.cast(found[0], ctypes.c_void_p).value


cdef class Runner:
    """A function of Lua's that is entered here: a reference in Lua's registry."""

    cdef NativeBorder border
    cdef int reference

    def __dealloc__(self):
        # Whoever lets go of it may be in the midst of anything.
        if self.border is not None and self.border.forgotten is not None:
            self.border.forgotten.append(self.reference)


cdef class NativeBorder(Border):
    """The border of one Lua, by Lua's own functions."""

    cdef lua_State *state
    cdef Bridge bridge
    cdef object keep
    # References that nobody has any more.
    cdef list forgotten

    def __init__(self, lua, Bridge bridge, opener):
        cdef uintptr_t address = <uintptr_t><void *>self
        Border.__init__(self, lua, bridge)
        self.bridge = bridge
        self.forgotten = []
        self.run, self.keep, self.short_ways = opener(address >> 32, address & 0xFFFFFFFF)

    cpdef object kept(self, object function):
        cdef Runner runner = Runner.__new__(Runner)
        runner.reference = self.keep(function)
        runner.border = self
        return runner

    cpdef object entered(self, object runner, Py_ssize_t keys, tuple arguments):
        cdef lua_State *L = self.state
        cdef int bottom = api.gettop(L)
        cdef int count = <int>len(arguments)
        cdef int status
        cdef void *before
        cdef bytes argument
        self.let_go()
        if not api.checkstack(L, count + SPARE_PLACES):
            raise CommandError(NO_MEMORY_IN_SCRIPT)
        api.rawgeti(L, LUA_REGISTRYINDEX, (<Runner?>runner).reference)
        api.pushnumber(L, keys)
        for argument in arguments:
            api.pushlstring(L, PyBytes_AS_STRING(argument), PyBytes_GET_SIZE(argument))
        if use_locale == NULL:
            status = api.pcall(L, count + 1, LUA_MULTRET, 0)
        else:
            before = use_locale(locale_of_c)
            status = api.pcall(L, count + 1, LUA_MULTRET, 0)
            use_locale(before)
        try:
            if status:
                self.collect()
                raise CommandError(NO_MEMORY_IN_SCRIPT if status == LUA_ERRMEM else lua_failed(text_at(L, -1)))
            return answer_from(L, bottom + 1)
        finally:
            api.settop(L, bottom)

    cpdef Py_ssize_t memory_used(self) except -1:
        return <Py_ssize_t>api.gc(self.state, LUA_GCCOUNT, 0) * 1024 + api.gc(self.state, LUA_GCCOUNTB, 0)

    cpdef collect(self):
        self.let_go()
        self.lua.gccollect()

    cdef int let_go(self) except -1:
        while self.forgotten:
            api.unref(self.state, LUA_REGISTRYINDEX, self.forgotten.pop())
        return 0

    cpdef breathe(self):
        with nogil:
            pass


cdef object text_at(lua_State *L, int place):
    """An error's text."""
    cdef object value = value_at(L, place)
    return value.decode("utf-8", "replace") if type(value) is bytes else repr(value)


cdef object answer_from(lua_State *L, int first):
    """What lies on Lua's stack from a place on: None, a value, or a tuple of them."""
    cdef int last = api.gettop(L)
    if last < first:
        return None
    if last == first:
        return value_at(L, first)
    return tuple([value_at(L, place) for place in range(first, last + 1)])


cdef object value_at(lua_State *L, int place):
    """A plain value as lupa has them: numbers that are whole are integers."""
    cdef int kind = api.type(L, place)
    cdef size_t size
    cdef const char *text
    cdef double number
    if kind == LUA_TSTRING:
        text = api.tolstring(L, place, &size)
        return PyBytes_FromStringAndSize(text, size)
    if kind == LUA_TNUMBER:
        number = api.tonumber(L, place)
        return <long long>number if fabs(number) < LARGEST and number == floor(number) else number
    if kind == LUA_TBOOLEAN:
        return api.toboolean(L, place) != 0
    if kind == LUA_TNIL:
        return None
    raise TypeError("a runner answers plain values")


cdef int open_border(lua_State *L) noexcept nogil:
    cdef uintptr_t address = (<uintptr_t>api.tonumber(L, 1) << 32) | <uintptr_t>api.tonumber(L, 2)
    with gil:
        (<NativeBorder><void *>address).state = L
    api.pushlightuserdata(L, <void *>address)
    api.pushcclosure(L, run, 1)
    api.pushcclosure(L, keep, 0)
    push_short_ways(L)
    return 3


opener = open_border


cdef int keep(lua_State *L) noexcept nogil:
    api.settop(L, 1)
    api.pushnumber(L, api.ref(L, LUA_REGISTRYINDEX))
    return 1


cdef int run(lua_State *L) noexcept nogil:
    return answered(L)


cdef int answered(lua_State *L) noexcept with gil:
    """Runs a command; how many results are on Lua's stack."""
    cdef Bridge bridge = (<NativeBorder>api.touserdata(L, FIRST_UPVALUE)).bridge
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
