"""The short ways of cjson (see native_libraries.pyx): JSON as lua/cjson.lua has it."""

from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, isfinite
from libc.stdint cimport uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport strtod
from libc.string cimport memcmp

from alcove.scripting.lua_api cimport (
    LUA_TBOOLEAN,
    LUA_TNIL,
    LUA_TNUMBER,
    LUA_TSTRING,
    LUA_TTABLE,
    api,
    lua_State,
)
from alcove.scripting.lua_output cimport DEEPEST, PLACES, SHORT_BYTES, Output, begin, find_length, put, put_byte

cdef enum:
    # The text of a number at its longest, and the digits of which every integer is exact.
    NUMBER_BYTES = 40
    EXACT_DIGITS = 15


# Writing

cdef struct JsonWriter:
    Output out
    int precision
    double deepest, sparse_ratio, sparse_safe


cdef int write_json(lua_State *L) noexcept nogil:
    """(value, null, nesting, precision, ratio, safe): the text of a value."""
    cdef char memory[SHORT_BYTES]
    cdef JsonWriter writer
    writer.deepest = min(api.tonumber(L, 3), <double>DEEPEST)
    writer.precision = <int>api.tonumber(L, 4)
    writer.sparse_ratio = api.tonumber(L, 5)
    writer.sparse_safe = api.tonumber(L, 6)
    begin(&writer.out, L, 3, memory)
    api.pushvalue(L, 1)
    if not write_value(&writer, 0):
        return 0
    api.pushlstring(L, writer.out.data, writer.out.used)
    return 1


cdef bint write_value(JsonWriter *writer, int depth) noexcept nogil:
    """Writes the value on top of the stack; False where that is not for here."""
    cdef lua_State *L = writer.out.L
    cdef int kind = api.type(L, -1)
    if kind == LUA_TSTRING:
        write_string(writer)
        return True
    if kind == LUA_TNUMBER:
        return write_number(writer, api.tonumber(L, -1))
    if kind == LUA_TTABLE:
        return depth < writer.deepest and write_table(writer, api.gettop(L), depth + 1)
    if kind == LUA_TBOOLEAN:
        if api.toboolean(L, -1):
            put(&writer.out, b"true", 4)
        else:
            put(&writer.out, b"false", 5)
        return True
    if kind == LUA_TNIL or api.rawequal(L, -1, 2):
        put(&writer.out, b"null", 4)
        return True
    return False


cdef bint write_table(JsonWriter *writer, int table, int depth) noexcept nogil:
    cdef lua_State *L = writer.out.L
    cdef double highest, count
    if not api.checkstack(L, PLACES) or api.getmetatable(L, table):
        return False
    find_length(L, table, &highest, &count)
    if highest == 0:
        return write_object(writer, table, depth)
    if highest == INFINITY:
        return False
    if writer.sparse_ratio > 0 and highest > count * writer.sparse_ratio and highest > writer.sparse_safe:
        return False
    return write_array(writer, table, <int>highest, depth)


cdef bint write_array(JsonWriter *writer, int table, int length, int depth) noexcept nogil:
    cdef lua_State *L = writer.out.L
    cdef int place
    for place in range(1, length + 1):
        put_byte(&writer.out, b"[" if place == 1 else b",")
        api.rawgeti(L, table, place)
        if not write_value(writer, depth):
            return False
        api.settop(L, table)
    put_byte(&writer.out, b"]")
    return True


cdef bint write_object(JsonWriter *writer, int table, int depth) noexcept nogil:
    cdef lua_State *L = writer.out.L
    cdef unsigned char separator = b"{"
    cdef int kind
    api.pushnil(L)
    while api.next(L, table):
        put_byte(&writer.out, separator)
        separator = b","
        kind = api.type(L, -2)
        api.pushvalue(L, -2)
        if kind == LUA_TSTRING:
            write_string(writer)
        elif kind == LUA_TNUMBER:
            put_byte(&writer.out, b'"')
            if not write_number(writer, api.tonumber(L, -1)):
                return False
            put_byte(&writer.out, b'"')
        else:
            return False
        put_byte(&writer.out, b":")
        api.settop(L, -2)
        if not write_value(writer, depth):
            return False
        api.settop(L, table + 1)
    if separator == b"{":
        put_byte(&writer.out, separator)
    put_byte(&writer.out, b"}")
    return True


cdef bint write_number(JsonWriter *writer, double number) noexcept nogil:
    cdef char text[NUMBER_BYTES]
    if not isfinite(number):
        return False
    put(&writer.out, text, snprintf(text, NUMBER_BYTES, b"%.*g", writer.precision, number))
    return True


cdef void write_string(JsonWriter *writer) noexcept nogil:
    """Writes the string on top of the stack; runs of plain bytes at once."""
    cdef size_t size, start = 0, place
    cdef const unsigned char *text = <const unsigned char *>api.tolstring(writer.out.L, -1, &size)
    cdef unsigned char byte
    put_byte(&writer.out, b'"')
    for place in range(size):
        byte = text[place]
        if byte >= 32 and byte != b'"' and byte != b"\\" and byte != b"/" and byte != 127:
            continue
        put(&writer.out, <const char *>text + start, place - start)
        start = place + 1
        write_escape(writer, byte)
    put(&writer.out, <const char *>text + start, size - start)
    put_byte(&writer.out, b'"')


cdef void write_escape(JsonWriter *writer, unsigned char byte) noexcept nogil:
    cdef char text[NUMBER_BYTES]
    cdef unsigned char letter = 0
    if byte == b'"' or byte == b"\\" or byte == b"/":
        letter = byte
    elif byte == 8:
        letter = b"b"
    elif byte == 9:
        letter = b"t"
    elif byte == 10:
        letter = b"n"
    elif byte == 12:
        letter = b"f"
    elif byte == 13:
        letter = b"r"
    if letter:
        put_byte(&writer.out, b"\\")
        put_byte(&writer.out, letter)
    else:
        put(&writer.out, text, snprintf(text, NUMBER_BYTES, b"\\u%04x", <unsigned int>byte))


# Reading

cdef struct JsonReader:
    lua_State *L
    # Ended by a zero byte.
    const unsigned char *text
    size_t size, at
    double deepest


cdef int read_json(lua_State *L) noexcept nogil:
    """(text, null, nesting): true and the value of a text."""
    cdef JsonReader reader
    reader.L = L
    reader.text = <const unsigned char *>api.tolstring(L, 1, &reader.size)
    reader.at = 0
    reader.deepest = min(api.tonumber(L, 3), <double>DEEPEST)
    api.pushboolean(L, 1)
    if not read_value(&reader, 0):
        return 0
    skip(&reader)
    return 2 if reader.at == reader.size else 0


cdef inline unsigned char skip(JsonReader *reader) noexcept nogil:
    """The next byte that is no whitespace."""
    cdef unsigned char byte = reader.text[reader.at]
    while byte == 32 or 9 <= byte <= 10 or byte == 13:
        reader.at += 1
        byte = reader.text[reader.at]
    return byte


cdef bint read_value(JsonReader *reader, int depth) noexcept nogil:
    """Pushes the value that comes next; False where that is not for here."""
    cdef lua_State *L = reader.L
    cdef unsigned char byte = skip(reader)
    if byte == b'"':
        return read_string(reader)
    if byte == b"{" or byte == b"[":
        if depth >= reader.deepest or not api.checkstack(L, PLACES):
            return False
        reader.at += 1
        api.createtable(L, 0, 0)
        return read_object(reader, depth + 1) if byte == b"{" else read_array(reader, depth + 1)
    if byte == b"-" or b"0" <= byte <= b"9":
        return read_number(reader)
    if is_word(reader, b"true", 4):
        api.pushboolean(L, 1)
    elif is_word(reader, b"false", 5):
        api.pushboolean(L, 0)
    elif is_word(reader, b"null", 4):
        api.pushvalue(L, 2)
    else:
        return False
    return True


cdef bint is_word(JsonReader *reader, const char *word, size_t size) noexcept nogil:
    if reader.size - reader.at < size or memcmp(reader.text + reader.at, word, size) != 0:
        return False
    reader.at += size
    return True


cdef bint read_array(JsonReader *reader, int depth) noexcept nogil:
    cdef int place = 0
    cdef unsigned char byte
    if skip(reader) == b"]":
        reader.at += 1
        return True
    while place < INT_MAX:
        place += 1
        if not read_value(reader, depth):
            return False
        api.rawseti(reader.L, -2, place)
        byte = skip(reader)
        reader.at += 1
        if byte == b"]":
            return True
        if byte != b",":
            return False
    return False


cdef bint read_object(JsonReader *reader, int depth) noexcept nogil:
    cdef unsigned char byte = skip(reader)
    if byte == b"}":
        reader.at += 1
        return True
    while byte == b'"' and read_string(reader) and skip(reader) == b":":
        reader.at += 1
        if not read_value(reader, depth):
            return False
        api.rawset(reader.L, -3)
        byte = skip(reader)
        reader.at += 1
        if byte == b"}":
            return True
        if byte != b",":
            return False
        byte = skip(reader)
    return False


cdef inline bint skip_digits(const unsigned char *text, size_t *at) noexcept nogil:
    """Goes behind a byte and the digits that follow it; whether there are any."""
    cdef size_t first = at[0] + 1
    at[0] = first
    while b"0" <= text[at[0]] <= b"9":
        at[0] += 1
    return at[0] > first


cdef bint read_number(JsonReader *reader) noexcept nogil:
    """Reads what JSON calls a number; strtod would read more."""
    cdef const unsigned char *text = reader.text
    cdef size_t start = reader.at, at = start, first
    cdef uint64_t whole = 0
    cdef char *end
    cdef double number
    at += text[at] == b"-"
    first = at
    while b"0" <= text[at] <= b"9":
        whole = whole * 10 + (text[at] - 48)
        at += 1
    if at == first or (text[first] == b"0" and at - first > 1):
        return False
    if at - first <= EXACT_DIGITS and text[at] != b"." and text[at] | 32 != b"e" and text[at] | 32 != b"x":
        number = <double>whole
        api.pushnumber(reader.L, -number if first > start else number)
        reader.at = at
        return True
    if text[at] == b"." and not skip_digits(text, &at):
        return False
    if text[at] | 32 == b"e":
        if text[at + 1] == b"-" or text[at + 1] == b"+":
            at += 1
        if not skip_digits(text, &at):
            return False
    number = strtod(<const char *>text + start, &end)
    if end != <const char *>text + at:
        return False
    api.pushnumber(reader.L, number)
    reader.at = at
    return True


cdef bint read_string(JsonReader *reader) noexcept nogil:
    """Pushes the string of which the opening quote comes next."""
    cdef const unsigned char *text = reader.text
    cdef size_t start = reader.at + 1, at = start
    cdef bint is_escaped = False
    while text[at] != b'"':
        if text[at] == b"\\":
            is_escaped = True
            at += 1
        # A zero byte, of which the text's end has one, is for others.
        if text[at] == 0:
            return False
        at += 1
    reader.at = at + 1
    if is_escaped:
        return push_unescaped(reader.L, text + start, at - start)
    api.pushlstring(reader.L, <const char *>text + start, at - start)
    return True


cdef bint push_unescaped(lua_State *L, const unsigned char *text, size_t size) noexcept nogil:
    """Pushes a string without its escapes, which are never shorter than what they stand for."""
    cdef char memory[SHORT_BYTES]
    cdef char *to = memory
    cdef size_t used = 0, at = 0, taken
    cdef bint is_long = size > SHORT_BYTES
    if is_long:
        to = <char *>api.newuserdata(L, size)
    while at < size:
        if text[at] != b"\\":
            to[used] = <char>text[at]
            used += 1
            at += 1
            continue
        taken = unescape(text + at, size - at, to, &used)
        if taken == 0:
            return False
        at += taken
    api.pushlstring(L, to, used)
    if is_long:
        api.remove(L, -2)
    return True


cdef size_t unescape(const unsigned char *text, size_t size, char *to, size_t *used) noexcept nogil:
    """Appends what an escape stands for; how long the escape is, 0 if it is none."""
    cdef unsigned char letter = text[1]
    cdef uint32_t code, second
    cdef size_t taken = 2
    if letter == b"u":
        if not read_hexadecimal(text, size, &code) or 0xDC00 <= code < 0xE000:
            return 0
        taken = 6
        if 0xD800 <= code < 0xDC00:
            if not read_hexadecimal(text + 6, size - 6, &second) or not 0xDC00 <= second < 0xE000:
                return 0
            code = 0x10000 + ((code - 0xD800) << 10) + second - 0xDC00
            taken = 12
        append_utf8(code, to, used)
        return taken
    if letter == b"b":
        letter = 8
    elif letter == b"f":
        letter = 12
    elif letter == b"n":
        letter = 10
    elif letter == b"r":
        letter = 13
    elif letter == b"t":
        letter = 9
    elif letter != b'"' and letter != b"\\" and letter != b"/":
        return 0
    to[used[0]] = <char>letter
    used[0] += 1
    return taken


cdef bint read_hexadecimal(const unsigned char *text, size_t size, uint32_t *code) noexcept nogil:
    """The number of an escape of the form \\u1234; whether it is one."""
    cdef size_t place
    cdef unsigned char byte
    code[0] = 0
    if size < 6 or text[0] != b"\\" or text[1] != b"u":
        return False
    for place in range(2, 6):
        byte = text[place]
        if b"0" <= byte <= b"9":
            byte -= 48
        elif b"a" <= byte | 32 <= b"f":
            byte = (byte | 32) - 87
        else:
            return False
        code[0] = code[0] << 4 | byte
    return True


cdef void append_utf8(uint32_t code, char *to, size_t *used) noexcept nogil:
    cdef int following = 0 if code < 0x80 else 1 if code < 0x800 else 2 if code < 0x10000 else 3
    cdef uint32_t mark = 0 if following == 0 else 0xF0 << (3 - following) & 0xFF
    to[used[0]] = <char>(mark | code >> 6 * following)
    used[0] += 1
    while following:
        following -= 1
        to[used[0]] = <char>(0x80 | (code >> 6 * following & 0x3F))
        used[0] += 1
