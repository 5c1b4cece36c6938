-- cmsgpack: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), as lua-cmsgpack 0.4.0 has it.
--
-- Numbers are written as the shortest integer or float that holds them, tables as arrays if their keys are 1..n (so is
-- the empty one) and as maps otherwise; what has no MessagePack is nil, and so are tables nested deeper than 16.

local arguments, floats, short = ...
local error, floor, next, select, type, unpack = error, math.floor, next, select, type, unpack
local byte, char, format, sub = string.byte, string.char, string.format, string.sub
local concat = table.concat
local check_string, integer, optional_integer = arguments.string, arguments.integer, arguments.optional_integer
local fail, int32 = arguments.fail, arguments.int32
local as_single, pack_single, pack_double = floats.as_single, floats.pack_single, floats.pack_double
local unpack_single, unpack_double = floats.unpack_single, floats.unpack_double

local MAX_NESTING = 16
local INT_MAX = 2 ^ 31 - 1
-- The values that the stack of one C function has room for, which bounds nesting and results of the real library; of
-- results, Lua's own `unpack` returns a few less.
local STACK = 8000
local MAX_RESULTS = STACK - 10

-- The first bytes of what follows in the next ones.
local NIL, FALSE, TRUE = char(0xc0), char(0xc2), char(0xc3)
local SINGLE, DOUBLE = char(0xca), char(0xcb)
local UINT16, UINT32, UINT64 = char(0xcd), char(0xce), char(0xcf)
local INT16, INT32, INT64 = char(0xd1), char(0xd2), char(0xd3)
local STRING16, STRING32 = char(0xda), char(0xdb)

-- ---------------------------------------------------------------------------------------------------- writing

local function uint16(number)
  return char(floor(number / 256), number % 256)
end

local function uint32(number)
  return char(floor(number / 2 ^ 24), floor(number / 2 ^ 16) % 256, floor(number / 256) % 256, number % 256)
end

-- An integer's eight bytes, a negative one in two's complement.
local function int64(number)
  return uint32(floor(number / 2 ^ 32) % 2 ^ 32) .. uint32(number % 2 ^ 32)
end

local function pack_integer(number)
  if number >= 0 then
    if number <= 127 then
      return char(number)
    elseif number <= 0xff then
      return char(0xcc, number)
    elseif number <= 0xffff then
      return UINT16 .. uint16(number)
    elseif number <= 0xffffffff then
      return UINT32 .. uint32(number)
    end
    return UINT64 .. int64(number)
  elseif number >= -32 then
    return char(256 + number)
  elseif number >= -128 then
    return char(0xd0, 256 + number)
  elseif number >= -32768 then
    return INT16 .. uint16(65536 + number)
  elseif number >= -2147483648 then
    return INT32 .. uint32(2 ^ 32 + number)
  end
  return INT64 .. int64(number)
end

local function pack_number(number)
  if number % 1 == 0 and number >= -2 ^ 63 and number < 2 ^ 63 then
    return pack_integer(number)
  elseif as_single(number) == number then
    return SINGLE .. pack_single(number)
  end
  return DOUBLE .. pack_double(number)
end

local function string_header(length)
  if length < 32 then
    return char(0xa0 + length)
  elseif length <= 0xff then
    return char(0xd9, length)
  elseif length <= 0xffff then
    return STRING16 .. uint16(length)
  end
  return STRING32 .. uint32(length)
end

-- The header of an array (0x90 if short, else 0xdc or 0xdd) or of a map (0x80, 0xde, 0xdf).
local function container_header(length, short, long)
  if length <= 15 then
    return char(short + length)
  elseif length <= 0xffff then
    return char(long) .. uint16(length)
  end
  return char(long + 1) .. uint32(length)
end

-- How many keys a table has, and whether they are 1..n.
local function count_keys(value)
  local count, highest, is_array = 0, 0, true
  local key = next(value)
  while key ~= nil do
    count = count + 1
    if is_array then
      if type(key) == "number" and key > 0 and key % 1 == 0 and key <= INT_MAX then
        highest = key > highest and key or highest
      else
        is_array = false
      end
    end
    key = next(value, key)
  end
  return count, is_array and highest == count
end

-- Appends a value to the pieces of the output and returns how many there are then.
local function append(pieces, used, value, level)
  local kind = type(value)
  if kind == "string" then
    pieces[used + 1] = string_header(#value)
    pieces[used + 2] = value
    return used + 2
  elseif kind == "table" and level < MAX_NESTING then
    local count, is_array = count_keys(value)
    if is_array then
      count = #value
      used = used + 1
      pieces[used] = container_header(count, 0x90, 0xdc)
      for index = 1, count do
        used = append(pieces, used, value[index], level + 1)
      end
      return used
    end
    used = used + 1
    pieces[used] = container_header(count, 0x80, 0xde)
    for key, element in next, value do
      used = append(pieces, used, key, level + 1)
      used = append(pieces, used, element, level + 1)
    end
    return used
  elseif kind == "number" then
    pieces[used + 1] = pack_number(value)
  elseif kind == "boolean" then
    pieces[used + 1] = value and TRUE or FALSE
  else
    pieces[used + 1] = NIL
  end
  return used + 1
end

-- pack(...): the values, one behind the other.
local function pack(...)
  local count = select("#", ...)
  if count == 0 then
    fail(0, "MessagePack pack needs input.")
  end
  local text = short and short.pack(...)
  if text then
    return text
  end
  local pieces, used = {}, 0
  for position = 1, count do
    local value = select(position, ...)
    used = append(pieces, used, value, 0)
  end
  return concat(pieces)
end

-- ---------------------------------------------------------------------------------------------------- reading
-- The readers take the data and the position behind the first byte, and return the value and the position behind it;
-- or, instead of the position, nothing, and what is wrong.

local MISSING = "Missing bytes in input."
local BAD_FORMAT = "Bad data format in input."
-- These two are Lua's own, and say no line.
local NIL_KEY = "table index is nil"
local NAN_KEY = "table index is NaN"

local function read_uint8(data, position)
  local a = byte(data, position)
  if not a then
    return nil, nil, MISSING
  end
  return a, position + 1
end

local function read_uint16(data, position)
  local a, b = byte(data, position, position + 1)
  if not b then
    return nil, nil, MISSING
  end
  return a * 256 + b, position + 2
end

local function read_uint32(data, position)
  local a, b, c, d = byte(data, position, position + 3)
  if not d then
    return nil, nil, MISSING
  end
  return ((a * 256 + b) * 256 + c) * 256 + d, position + 4
end

-- Of a number that is read as unsigned, the signed one of as many bits.
local function signed(read, range)
  return function(data, position)
    local number, behind, wrong = read(data, position)
    if behind and number >= range / 2 then
      number = number - range
    end
    return number, behind, wrong
  end
end

-- Both of 64 bits are read as signed: numbers above 2^63 are negative in the real library, too.
local function read_int64(data, position)
  local high, behind = read_uint32(data, position)
  local low
  if behind then
    low, behind = read_uint32(data, behind)
  end
  if not behind then
    return nil, nil, MISSING
  end
  return int32(high) * 2 ^ 32 + low, behind
end

local function read_single(data, position)
  local a, b, c, d = byte(data, position, position + 3)
  if not d then
    return nil, nil, MISSING
  end
  return unpack_single(a, b, c, d), position + 4
end

local function read_double(data, position)
  local a, b, c, d, e, f, g, h = byte(data, position, position + 7)
  if not h then
    return nil, nil, MISSING
  end
  return unpack_double(a, b, c, d, e, f, g, h), position + 8
end

local function read_string(data, position, length)
  if position + length - 1 > #data then
    return nil, nil, MISSING
  end
  return sub(data, position, position + length - 1), position + length
end

local function string_of(read_length)
  return function(data, position)
    local length, behind, wrong = read_length(data, position)
    if not behind then
      return nil, nil, wrong
    end
    return read_string(data, behind, length)
  end
end

local function constant(value)
  return function(_, position)
    return value, position
  end
end

-- What stands behind a first byte that says all but the value.
local READERS = {
  [0xc0] = constant(nil), [0xc2] = constant(false), [0xc3] = constant(true),
  [0xca] = read_single, [0xcb] = read_double,
  [0xcc] = read_uint8, [0xcd] = read_uint16, [0xce] = read_uint32, [0xcf] = read_int64,
  [0xd0] = signed(read_uint8, 2 ^ 8), [0xd1] = signed(read_uint16, 2 ^ 16), [0xd2] = signed(read_uint32, 2 ^ 32),
  [0xd3] = read_int64,
  [0xd9] = string_of(read_uint8), [0xda] = string_of(read_uint16), [0xdb] = string_of(read_uint32),
}
-- The lengths of containers.
local ARRAYS = { [0xdc] = read_uint16, [0xdd] = read_uint32 }
local MAPS = { [0xde] = read_uint16, [0xdf] = read_uint32 }

local read

-- `room` is what is left of the stack of the real library, where every container being read takes two places.
local function read_array(data, position, length, room)
  local array = {}
  if room < 2 then
    return nil, nil, "stack overflow (in function mp_decode_to_lua_array)"
  end
  for index = 1, length do
    local wrong
    array[index], position, wrong = read(data, position, room - 2)
    if not position then
      return nil, nil, wrong
    end
  end
  return array, position
end

local function read_map(data, position, length, room)
  local map = {}
  for _ = 1, length do
    local key, value, wrong
    key, position, wrong = read(data, position, room - 1)
    if position then
      value, position, wrong = read(data, position, room - 2)
    end
    if not position then
      return nil, nil, wrong
    elseif key == nil or key ~= key then
      return nil, nil, key == nil and NIL_KEY or NAN_KEY
    end
    map[key] = value
  end
  return map, position
end

function read(data, position, room)
  local first = byte(data, position)
  if not first then
    return nil, nil, MISSING
  elseif room < 1 then
    return nil, nil, "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)"
  end
  position = position + 1
  if first < 0x80 then
    return first, position
  elseif first >= 0xe0 then
    return first - 256, position
  elseif first < 0x90 then
    return read_map(data, position, first - 0x80, room)
  elseif first < 0xa0 then
    return read_array(data, position, first - 0x90, room)
  elseif first < 0xc0 then
    return read_string(data, position, first - 0xa0)
  end
  local reader = READERS[first]
  if reader then
    return reader(data, position)
  end
  local read_length = ARRAYS[first] or MAPS[first]
  if not read_length then
    return nil, nil, BAD_FORMAT
  end
  local length, behind, wrong = read_length(data, position)
  if not behind then
    return nil, nil, wrong
  end
  return (ARRAYS[first] and read_array or read_map)(data, behind, length, room)
end

-- Up to `limit` values from an offset: what to return, from results[first_result] on, and how many results there are.
-- Without limit and offset all values; otherwise the offset behind them (-1 at the end) comes first. Called by the
-- library's functions themselves: errors name their caller's line.
local function unpack_from(data, limit, offset)
  if offset < 0 or limit < 0 then
    local text = "Invalid request to unpack with offset of %d and limit of %d."
    error(format(text, int32(offset), int32(#data)), 3)
  elseif offset > #data then
    error(format("Start offset %d greater than input length %d.", int32(offset), int32(#data)), 3)
  end
  local all = limit == 0 and offset == 0
  local results, found, position = {}, 0, offset + 1
  while position <= #data and (all or found < limit) do
    local value, behind, wrong = read(data, position, found < MAX_RESULTS and STACK - 1 - found or 0)
    if not behind then
      error(wrong, (wrong == NIL_KEY or wrong == NAN_KEY) and 0 or 3)
    end
    found, position = found + 1, behind
    results[found] = value
  end
  if not all then
    results[0] = position > #data and -1 or position - 1
  end
  return results, all and 1 or 0, found
end

local function unpack_all(...)
  local data = ...
  if short and type(data) == "string" then
    local read, value = short.unpack(data)
    if read then
      return value
    end
  end
  return unpack(unpack_from(check_string(data, 1, select("#", ...)), 0, 0))
end

local function unpack_one(...)
  local count = select("#", ...)
  local data, offset = ...
  offset = optional_integer(offset, 2, count, 0)
  return unpack(unpack_from(check_string(data, 1, count), 1, offset))
end

local function unpack_limit(...)
  local count = select("#", ...)
  local data, limit, offset = ...
  limit = integer(limit, 2, count)
  offset = optional_integer(offset, 3, count, 0)
  return unpack(unpack_from(check_string(data, 1, count), limit, offset))
end

return {
  pack = pack,
  unpack = unpack_all,
  unpack_one = unpack_one,
  unpack_limit = unpack_limit,
  _NAME = "cmsgpack",
  _VERSION = "lua-cmsgpack 0.4.0",
  _COPYRIGHT = "Copyright (C) 2012, Redis Ltd.",
  _DESCRIPTION = "MessagePack C implementation for Lua",
}
