"""Short ways of Lua's libraries: what scripts mostly ask of cjson, cmsgpack, struct and bit, on Lua's own stack.

Each function does all or nothing. What is out of the ordinary (errors above all, which are to name the script's line,
options, deep nesting) it leaves to the library in lua/, which knows everything: then it returns nothing. What it does
return is the same to the bit.

Lua may leave any function here by a jump when it has no memory. So what is made on the way lies on Lua's stack, and no
object of Python is touched.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcpy

from alcove.scripting.lua_api cimport LUA_TNUMBER, Function, api, lua_State
from alcove.scripting.native_json cimport read_json, write_json
from alcove.scripting.native_packing cimport pack, pack_struct, unpack, unpack_struct

# Words of 32 bits, as lua/bit.lua has them

cdef inline bint take_word(lua_State *L, int place, uint32_t *word) noexcept nogil:
    """The word of a number: what is added to it leaves the integer in the low half of the double."""
    cdef double number
    cdef uint64_t bits
    if api.type(L, place) != LUA_TNUMBER:
        return False
    number = api.tonumber(L, place) + 6755399441055744.0
    memcpy(&bits, &number, 8)
    word[0] = <uint32_t>bits
    return True


cdef inline int answer(lua_State *L, uint32_t word) noexcept nogil:
    api.pushnumber(L, <double><int32_t>word)
    return 1


cdef int combined(lua_State *L, unsigned char operation) noexcept nogil:
    cdef uint32_t word = 0, other = 0
    cdef int place
    if not take_word(L, 1, &word):
        return 0
    for place in range(2, api.gettop(L) + 1):
        if not take_word(L, place, &other):
            return 0
        if operation == b"&":
            word &= other
        elif operation == b"|":
            word |= other
        else:
            word ^= other
    return answer(L, word)


cdef int band(lua_State *L) noexcept nogil:
    return combined(L, b"&")


cdef int bor(lua_State *L) noexcept nogil:
    return combined(L, b"|")


cdef int bxor(lua_State *L) noexcept nogil:
    return combined(L, b"^")


cdef int bnot(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0
    return answer(L, ~word) if take_word(L, 1, &word) else 0


cdef int tobit(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0
    return answer(L, word) if take_word(L, 1, &word) else 0


cdef int lshift(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0, by = 0
    return answer(L, word << (by & 31)) if take_word(L, 1, &word) and take_word(L, 2, &by) else 0


cdef int rshift(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0, by = 0
    return answer(L, word >> (by & 31)) if take_word(L, 1, &word) and take_word(L, 2, &by) else 0


cdef int arshift(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0, by = 0
    if not take_word(L, 1, &word) or not take_word(L, 2, &by):
        return 0
    return answer(L, <uint32_t>(<int32_t>word >> (by & 31)))


cdef int rol(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0, by = 0
    if not take_word(L, 1, &word) or not take_word(L, 2, &by):
        return 0
    return answer(L, word << (by & 31) | word >> (-by & 31))


cdef int ror(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0, by = 0
    if not take_word(L, 1, &word) or not take_word(L, 2, &by):
        return 0
    return answer(L, word >> (by & 31) | word << (-by & 31))


# The table of them all

cdef void add(lua_State *L, const char *name, Function function) noexcept nogil:
    api.pushcclosure(L, function, 0)
    api.setfield(L, -2, name)


cdef void push_short_ways(lua_State *L) noexcept nogil:
    """Pushes a table of all the functions."""
    api.createtable(L, 0, 0)
    add(L, b"write_json", write_json)
    add(L, b"read_json", read_json)
    add(L, b"pack", pack)
    add(L, b"unpack", unpack)
    add(L, b"pack_struct", pack_struct)
    add(L, b"unpack_struct", unpack_struct)
    add(L, b"band", band)
    add(L, b"bor", bor)
    add(L, b"bxor", bxor)
    add(L, b"bnot", bnot)
    add(L, b"tobit", tobit)
    add(L, b"lshift", lshift)
    add(L, b"rshift", rshift)
    add(L, b"arshift", arshift)
    add(L, b"rol", rol)
    add(L, b"ror", ror)
