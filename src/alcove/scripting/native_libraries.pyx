"""Short ways of Lua's libraries: what scripts mostly ask of cjson, cmsgpack, struct and bit, on Lua's own stack.

Each function does all or nothing. What is out of the ordinary (errors above all, which are to name the script's line,
options, deep nesting) it leaves to the library in lua/, which knows everything: then it returns nothing. What it does
return is the same to the bit.

Lua may leave any function here by a jump when it has no memory. So what is made on the way lies on Lua's stack, and no
object of Python is touched.
"""

from libc.math cimport INFINITY, floor, isfinite
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport strtod
from libc.string cimport memchr, memcmp, memcpy

from alcove.scripting.lua_api cimport (
    LUA_TBOOLEAN,
    LUA_TNIL,
    LUA_TNUMBER,
    LUA_TSTRING,
    LUA_TTABLE,
    Function,
    api,
    lua_State,
)

cdef enum:
    # How deep the short ways go at most, and as deep as cmsgpack writes.
    DEEPEST = 64
    DEEPEST_PACKED = 16
    # What each level needs of Lua's stack.
    PLACES = 8
    # The text of a number at its longest, and the digits of which every integer is exact.
    NUMBER_BYTES = 40
    EXACT_DIGITS = 15
    # The most members of a structure.
    MOST_MEMBERS = 12
    # Where values are written to, until they are more.
    SHORT_BYTES = 1024
    INT_MAX = 2147483647


# Writing

# What has been written: in the function's own memory, then in a userdata at `place` on Lua's stack.
cdef struct Output:
    lua_State *L
    int place
    char *data
    size_t used, room


cdef inline char *more(Output *out, size_t size) noexcept nogil:
    """Where so many further bytes go; they count as written."""
    cdef size_t room = out.room
    cdef char *data
    if out.used + size > room:
        while out.used + size > room:
            room *= 2
        data = <char *>api.newuserdata(out.L, room)
        memcpy(data, out.data, out.used)
        api.replace(out.L, out.place)
        out.data = data
        out.room = room
    out.used += size
    return out.data + out.used - size


cdef inline void put(Output *out, const char *data, size_t size) noexcept nogil:
    memcpy(more(out, size), data, size)


cdef inline void put_byte(Output *out, unsigned char byte) noexcept nogil:
    more(out, 1)[0] = <char>byte


cdef inline void begin(Output *out, lua_State *L, int place, char *memory) noexcept nogil:
    out.L = L
    out.place = place
    out.data = memory
    out.used = 0
    out.room = SHORT_BYTES


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


# JSON, as lua/cjson.lua has it

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
    if text[at] == b".":
        at += 1
        first = at
        while b"0" <= text[at] <= b"9":
            at += 1
        if at == first:
            return False
    if text[at] | 32 == b"e":
        at += 1
        if text[at] == b"-" or text[at] == b"+":
            at += 1
        first = at
        while b"0" <= text[at] <= b"9":
            at += 1
        if at == first:
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


# MessagePack, as lua/cmsgpack.lua has it

cdef int pack(lua_State *L) noexcept nogil:
    """(...): the values, one behind the other."""
    cdef char memory[SHORT_BYTES]
    cdef Output out
    cdef int count = api.gettop(L), place
    if count == 0 or not api.checkstack(L, PLACES):
        return 0
    api.pushnil(L)
    begin(&out, L, count + 1, memory)
    for place in range(1, count + 1):
        api.pushvalue(L, place)
        if not pack_value(&out, 0):
            return 0
        api.settop(L, count + 1)
    api.pushlstring(L, out.data, out.used)
    return 1


cdef bint pack_value(Output *out, int depth) noexcept nogil:
    """Packs the value on top of the stack; False where that is not for here."""
    cdef lua_State *L = out.L
    cdef int kind = api.type(L, -1)
    cdef const char *text
    cdef size_t size
    if kind == LUA_TSTRING:
        text = api.tolstring(L, -1, &size)
        if size < 32:
            put_byte(out, <unsigned char>(0xA0 + size))
        elif size <= 0xFF:
            put_byte(out, 0xD9)
            put_byte(out, <unsigned char>size)
        else:
            put_length(out, size, 0xDA)
        put(out, text, size)
    elif kind == LUA_TNUMBER:
        pack_number(out, api.tonumber(L, -1))
    elif kind == LUA_TBOOLEAN:
        put_byte(out, 0xC3 if api.toboolean(L, -1) else 0xC2)
    elif kind == LUA_TTABLE and depth < DEEPEST_PACKED:
        return pack_table(out, api.gettop(L), depth + 1)
    else:
        put_byte(out, 0xC0)
    return True


cdef inline void put_integer(Output *out, uint64_t number, int width) noexcept nogil:
    """Puts the low bytes of a number, the highest first."""
    cdef char *to = more(out, width)
    cdef int place
    for place in range(width):
        to[place] = <char>(number >> 8 * (width - 1 - place))


cdef inline void put_length(Output *out, size_t length, unsigned char kind) noexcept nogil:
    """Puts a length in two bytes behind the byte `kind`, or in four behind the next one."""
    if length <= 0xFFFF:
        put_byte(out, kind)
        put_integer(out, length, 2)
    else:
        put_byte(out, kind + 1)
        put_integer(out, length, 4)


cdef bint pack_table(Output *out, int table, int depth) noexcept nogil:
    cdef lua_State *L = out.L
    cdef double highest, count
    cdef size_t length = 0, place
    if not api.checkstack(L, PLACES):
        return False
    if find_length(L, table, &highest, &count) and highest == count:
        length = api.objlen(L, table)
        if length <= 15:
            put_byte(out, <unsigned char>(0x90 + length))
        else:
            put_length(out, length, 0xDC)
        for place in range(1, length + 1):
            api.rawgeti(L, table, <int>place)
            if not pack_value(out, depth):
                return False
            api.settop(L, table)
        return True
    api.pushnil(L)
    while api.next(L, table):
        length += 1
        api.settop(L, -2)
    if length <= 15:
        put_byte(out, <unsigned char>(0x80 + length))
    else:
        put_length(out, length, 0xDE)
    api.pushnil(L)
    while api.next(L, table):
        api.pushvalue(L, -2)
        if not pack_value(out, depth):
            return False
        api.settop(L, -2)
        if not pack_value(out, depth):
            return False
        api.settop(L, table + 1)
    return True


cdef void pack_number(Output *out, double number) noexcept nogil:
    cdef int64_t whole
    cdef float single = <float>number
    cdef uint64_t bits
    cdef uint32_t short_bits
    if -9223372036854775808.0 <= number < 9223372036854775808.0 and floor(number) == number:
        whole = <int64_t>number
        if 0 <= whole <= 127 or -32 <= whole < 0:
            put_byte(out, <unsigned char>(whole & 0xFF))
        elif whole > 0:
            pack_sized(out, whole, 0xCC, <uint64_t>whole)
        else:
            # A negative one has a bit more, its sign.
            pack_sized(out, whole, 0xD0, <uint64_t>(-1 - whole) << 1)
    elif single == number:
        memcpy(&short_bits, &single, 4)
        put_byte(out, 0xCA)
        put_integer(out, short_bits, 4)
    else:
        memcpy(&bits, &number, 8)
        put_byte(out, 0xCB)
        put_integer(out, bits, 8)


cdef void pack_sized(Output *out, int64_t number, unsigned char kind, uint64_t bits) noexcept nogil:
    """Puts an integer in the 1, 2, 4 or 8 bytes that `bits` fit into."""
    cdef int size = 0
    while size < 3 and bits >> (8 << size):
        size += 1
    put_byte(out, <unsigned char>(kind + size))
    put_integer(out, <uint64_t>number, 1 << size)


cdef struct Unpacker:
    lua_State *L
    const uint8_t *data
    size_t size, at


cdef int unpack(lua_State *L) noexcept nogil:
    """(data): true and the value, if data is one."""
    cdef Unpacker unpacker
    unpacker.L = L
    unpacker.data = <const uint8_t *>api.tolstring(L, 1, &unpacker.size)
    unpacker.at = 0
    api.pushboolean(L, 1)
    return 2 if unpack_value(&unpacker, 0) and unpacker.at == unpacker.size else 0


cdef inline bint take_integer(Unpacker *unpacker, int width, uint64_t *number) noexcept nogil:
    """Reads so many bytes as a number, the highest first; False where there are fewer."""
    cdef int place
    if unpacker.size - unpacker.at < <size_t>width:
        return False
    number[0] = 0
    for place in range(width):
        number[0] = number[0] << 8 | unpacker.data[unpacker.at]
        unpacker.at += 1
    return True


cdef bint unpack_value(Unpacker *unpacker, int depth) noexcept nogil:
    """Pushes the value that comes next; False where that is not for here."""
    cdef uint64_t number = 0
    cdef uint8_t first
    if unpacker.at >= unpacker.size:
        return False
    first = unpacker.data[unpacker.at]
    unpacker.at += 1
    if first < 0x80 or first >= 0xE0:
        api.pushnumber(unpacker.L, first if first < 0x80 else <int>first - 256)
        return True
    if first < 0x90:
        return unpack_map(unpacker, first - 0x80, depth)
    if first < 0xA0:
        return unpack_array(unpacker, first - 0x90, depth)
    if first < 0xC0:
        return unpack_string(unpacker, first - 0xA0)
    if 0xCA <= first <= 0xD3:
        return unpack_number(unpacker, first)
    if 0xD9 <= first <= 0xDB:
        return take_integer(unpacker, 1 << (first - 0xD9), &number) and unpack_string(unpacker, number)
    if first == 0xDC or first == 0xDD:
        return take_integer(unpacker, 2 << (first - 0xDC), &number) and unpack_array(unpacker, number, depth)
    if first == 0xDE or first == 0xDF:
        return take_integer(unpacker, 2 << (first - 0xDE), &number) and unpack_map(unpacker, number, depth)
    if first == 0xC2 or first == 0xC3:
        api.pushboolean(unpacker.L, first == 0xC3)
        return True
    if first == 0xC0:
        api.pushnil(unpacker.L)
        return True
    return False


cdef bint unpack_number(Unpacker *unpacker, uint8_t first) noexcept nogil:
    cdef uint64_t bits = 0
    cdef uint32_t short_bits
    cdef float single
    cdef double number
    cdef int width = 4 << (first - 0xCA) if first <= 0xCB else 1 << (first & 3)
    if not take_integer(unpacker, width, &bits):
        return False
    if first == 0xCA:
        short_bits = <uint32_t>bits
        memcpy(&single, &short_bits, 4)
        number = single
    elif first == 0xCB:
        memcpy(&number, &bits, 8)
    elif width == 8 or first >= 0xD0:
        # Those of 64 bits are always read as signed.
        number = <double>(<int64_t>(bits << 8 * (8 - width)) >> 8 * (8 - width))
    else:
        number = <double>bits
    api.pushnumber(unpacker.L, number)
    return True


cdef bint unpack_string(Unpacker *unpacker, uint64_t length) noexcept nogil:
    if unpacker.size - unpacker.at < length:
        return False
    api.pushlstring(unpacker.L, <const char *>unpacker.data + unpacker.at, length)
    unpacker.at += length
    return True


cdef bint unpack_array(Unpacker *unpacker, uint64_t length, int depth) noexcept nogil:
    cdef uint64_t place
    # Each element takes a byte.
    if depth >= DEEPEST or length > unpacker.size - unpacker.at or not api.checkstack(unpacker.L, PLACES):
        return False
    api.createtable(unpacker.L, 0, 0)
    for place in range(1, length + 1):
        if not unpack_value(unpacker, depth + 1):
            return False
        api.rawseti(unpacker.L, -2, <int>place)
    return True


cdef bint unpack_map(Unpacker *unpacker, uint64_t length, int depth) noexcept nogil:
    cdef uint64_t place
    cdef double key
    if depth >= DEEPEST or length > unpacker.size - unpacker.at or not api.checkstack(unpacker.L, PLACES):
        return False
    api.createtable(unpacker.L, 0, 0)
    for place in range(length):
        if not unpack_value(unpacker, depth + 1) or api.type(unpacker.L, -1) == LUA_TNIL:
            return False
        if api.type(unpacker.L, -1) == LUA_TNUMBER:
            key = api.tonumber(unpacker.L, -1)
            if key != key:
                return False
        if not unpack_value(unpacker, depth + 1):
            return False
        api.rawset(unpacker.L, -3)
    return True


# Structures, as lua/struct.lua has them

cdef struct Format:
    # Ended by a zero byte.
    const char *text
    bint is_big
    # The option that came last, and the size that it says.
    unsigned char option
    int size


cdef bint next_option(Format *format) noexcept nogil:
    """Goes to the next option that says a value; False where there is none, the option being 0, or another one."""
    cdef unsigned char byte
    while True:
        byte = format.option = <unsigned char>format.text[0]
        if byte == 0:
            return False
        format.text += 1
        if byte == b"<" or byte == b">":
            format.is_big = byte == b">"
        elif byte != b" ":
            break
    if byte == b"b" or byte == b"B" or byte == b"x":
        format.size = 1
    elif byte == b"h" or byte == b"H":
        format.size = 2
    elif byte == b"f":
        format.size = 4
    elif byte == b"l" or byte == b"L" or byte == b"T" or byte == b"d":
        format.size = 8
    elif byte == b"s":
        format.size = 0
    elif byte == b"i" or byte == b"I":
        return read_size(format, 4) and 1 <= format.size <= 8
    elif byte == b"c":
        return read_size(format, 1) and format.size >= 1
    else:
        return False
    return True


cdef bint read_size(Format *format, int default) noexcept nogil:
    """Reads the number behind an option; whether it is short."""
    cdef int digits = 0
    format.size = default
    while b"0" <= format.text[0] <= b"9":
        format.size = (0 if digits == 0 else 10 * format.size) + format.text[0] - 48
        format.text += 1
        digits += 1
    return digits <= 6


cdef int pack_struct(lua_State *L) noexcept nogil:
    """(format, ...): the values in that layout."""
    cdef char memory[SHORT_BYTES]
    cdef Output out
    cdef Format format
    cdef int last = api.gettop(L), place = 1
    if api.type(L, 1) != LUA_TSTRING or not api.checkstack(L, PLACES):
        return 0
    format.text = api.tolstring(L, 1, NULL)
    format.is_big = False
    api.pushnil(L)
    begin(&out, L, last + 1, memory)
    while next_option(&format):
        if format.option == b"x":
            put_byte(&out, 0)
            continue
        place += 1
        if place > last or not put_member(&out, &format, place):
            return 0
    if format.option:
        return 0
    api.pushlstring(L, out.data, out.used)
    return 1


cdef bint put_member(Output *out, const Format *format, int place) noexcept nogil:
    cdef const char *text
    cdef size_t size
    cdef double number
    cdef float single
    cdef uint64_t bits = 0
    cdef uint32_t short_bits
    if format.option == b"s" or format.option == b"c":
        if api.type(out.L, place) != LUA_TSTRING:
            return False
        text = api.tolstring(out.L, place, &size)
        if format.option == b"s":
            # With the zero byte that ends it.
            put(out, text, size + 1)
            return True
        if size < <size_t>format.size:
            return False
        put(out, text, format.size)
        return True
    if api.type(out.L, place) != LUA_TNUMBER:
        return False
    number = api.tonumber(out.L, place)
    if format.option == b"f":
        single = <float>number
        memcpy(&short_bits, &single, 4)
        bits = short_bits
    elif format.option == b"d":
        memcpy(&bits, &number, 8)
    elif 0 <= number < 18446744073709551616.0:
        bits = <uint64_t>number
    elif -9223372036854775808.0 <= number < 0:
        bits = <uint64_t><int64_t>number
    else:
        return False
    if not format.is_big:
        bits = mirrored(bits, format.size)
    put_integer(out, bits, format.size)
    return True


cdef uint64_t mirrored(uint64_t bits, int width) noexcept nogil:
    """The low bytes of a number, the other way round."""
    cdef uint64_t turned = 0
    cdef int place
    for place in range(width):
        turned = turned << 8 | (bits & 0xFF)
        bits >>= 8
    return turned


cdef int unpack_struct(lua_State *L) noexcept nogil:
    """(format, data, offset): the values, and the offset behind them."""
    cdef Format format
    cdef Unpacker unpacker
    cdef double offset = 1
    cdef int found = 0
    if api.type(L, 1) != LUA_TSTRING or api.type(L, 2) != LUA_TSTRING:
        return 0
    if api.type(L, 3) == LUA_TNUMBER:
        offset = api.tonumber(L, 3)
    elif api.gettop(L) > 2:
        return 0
    format.text = api.tolstring(L, 1, NULL)
    format.is_big = False
    unpacker.L = L
    unpacker.data = <const uint8_t *>api.tolstring(L, 2, &unpacker.size)
    if not 1 <= offset <= <double>unpacker.size or floor(offset) != offset:
        return 0
    unpacker.at = <size_t>offset - 1
    while next_option(&format):
        if format.option == b"x":
            unpacker.at += 1
        elif found == MOST_MEMBERS or not push_member(&unpacker, &format):
            return 0
        else:
            found += 1
        if unpacker.at > unpacker.size:
            return 0
    if format.option:
        return 0
    api.pushnumber(L, <double>(unpacker.at + 1))
    return found + 1


cdef bint push_member(Unpacker *unpacker, const Format *format) noexcept nogil:
    cdef const uint8_t *stop
    cdef uint64_t bits = 0
    cdef uint32_t short_bits
    cdef float single
    cdef double number
    cdef int unused = 8 * (8 - format.size)
    if format.option == b"c":
        return unpack_string(unpacker, format.size)
    if format.option == b"s":
        stop = <const uint8_t *>memchr(unpacker.data + unpacker.at, 0, unpacker.size - unpacker.at)
        if stop == NULL:
            return False
        unpack_string(unpacker, stop - (unpacker.data + unpacker.at))
        unpacker.at += 1
        return True
    if not take_integer(unpacker, format.size, &bits):
        return False
    if not format.is_big:
        bits = mirrored(bits, format.size)
    if format.option == b"f":
        short_bits = <uint32_t>bits
        memcpy(&single, &short_bits, 4)
        number = single
    elif format.option == b"d":
        memcpy(&number, &bits, 8)
    elif format.option == b"b" or format.option == b"h" or format.option == b"l" or format.option == b"i":
        number = <double>(<int64_t>(bits << unused) >> unused)
    else:
        number = <double>bits
    api.pushnumber(unpacker.L, number)
    return True


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


cdef int band(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0, other = 0
    cdef int place, count = api.gettop(L)
    if not take_word(L, 1, &word):
        return 0
    for place in range(2, count + 1):
        if not take_word(L, place, &other):
            return 0
        word &= other
    return answer(L, word)


cdef int bor(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0, other = 0
    cdef int place, count = api.gettop(L)
    if not take_word(L, 1, &word):
        return 0
    for place in range(2, count + 1):
        if not take_word(L, place, &other):
            return 0
        word |= other
    return answer(L, word)


cdef int bxor(lua_State *L) noexcept nogil:
    cdef uint32_t word = 0, other = 0
    cdef int place, count = api.gettop(L)
    if not take_word(L, 1, &word):
        return 0
    for place in range(2, count + 1):
        if not take_word(L, place, &other):
            return 0
        word ^= other
    return answer(L, word)


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
