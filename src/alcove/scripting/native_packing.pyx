"""The short ways of cmsgpack and struct (see native_libraries.pyx): values as bytes, as lua/ has them."""

from libc.math cimport floor
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy

from alcove.scripting.lua_api cimport (
    LUA_TBOOLEAN,
    LUA_TNIL,
    LUA_TNUMBER,
    LUA_TSTRING,
    LUA_TTABLE,
    api,
    lua_State,
)
from alcove.scripting.lua_output cimport (
    DEEPEST,
    PLACES,
    SHORT_BYTES,
    Output,
    begin,
    find_length,
    more,
    put,
    put_byte,
)

cdef enum:
    # As deep as cmsgpack writes.
    DEEPEST_PACKED = 16
    # The most members of a structure.
    MOST_MEMBERS = 12


# Numbers as bits

cdef inline uint64_t single_bits(double number) noexcept nogil:
    cdef float single = <float>number
    cdef uint32_t bits
    memcpy(&bits, &single, 4)
    return bits


cdef inline uint64_t double_bits(double number) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, &number, 8)
    return bits


cdef inline double of_single_bits(uint64_t bits) noexcept nogil:
    cdef uint32_t short_bits = <uint32_t>bits
    cdef float single
    memcpy(&single, &short_bits, 4)
    return single


cdef inline double of_double_bits(uint64_t bits) noexcept nogil:
    cdef double number
    memcpy(&number, &bits, 8)
    return number


cdef inline double of_signed(uint64_t bits, int width) noexcept nogil:
    """The integer in two's complement that so many low bytes are."""
    cdef int unused = 8 * (8 - width)
    return <double>(<int64_t>(bits << unused) >> unused)


# MessagePack

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
    if -9223372036854775808.0 <= number < 9223372036854775808.0 and floor(number) == number:
        whole = <int64_t>number
        if 0 <= whole <= 127 or -32 <= whole < 0:
            put_byte(out, <unsigned char>(whole & 0xFF))
        elif whole > 0:
            pack_sized(out, whole, 0xCC, <uint64_t>whole)
        else:
            # A negative one has a bit more, its sign.
            pack_sized(out, whole, 0xD0, <uint64_t>(-1 - whole) << 1)
    elif <float>number == number:
        put_byte(out, 0xCA)
        put_integer(out, single_bits(number), 4)
    else:
        put_byte(out, 0xCB)
        put_integer(out, double_bits(number), 8)


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
    cdef double number
    cdef int width = 4 << (first - 0xCA) if first <= 0xCB else 1 << (first & 3)
    if not take_integer(unpacker, width, &bits):
        return False
    if first == 0xCA:
        number = of_single_bits(bits)
    elif first == 0xCB:
        number = of_double_bits(bits)
    elif width == 8 or first >= 0xD0:
        # Those of 64 bits are always read as signed.
        number = of_signed(bits, width)
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


# Structures

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
    cdef uint64_t bits
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
        bits = single_bits(number)
    elif format.option == b"d":
        bits = double_bits(number)
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
    cdef double number
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
        number = of_single_bits(bits)
    elif format.option == b"d":
        number = of_double_bits(bits)
    elif format.option == b"b" or format.option == b"h" or format.option == b"l" or format.option == b"i":
        number = of_signed(bits, format.size)
    else:
        number = <double>bits
    api.pushnumber(unpacker.L, number)
    return True
