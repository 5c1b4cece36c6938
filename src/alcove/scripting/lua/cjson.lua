-- cjson: JSON, as lua-cjson 2.1.0 reads and writes it (https://kyne.au/~mark/software/lua-cjson-manual.html).
--
-- A table is an array if its keys are positive integers, and not too sparse; the empty one is an object. Strings are
-- bytes, taken as they are. What differs from the real library: `null` is a full userdata, not a light one.

local arguments, _, short = ...
local error, getmetatable, newproxy, next, rawget, select, setmetatable, tonumber, type =
  error, getmetatable, newproxy, next, rawget, select, setmetatable, tonumber, type
local floor, min, HUGE = math.floor, math.min, math.huge
local byte, char, find, format, gsub, lower, sub, upper =
  string.byte, string.char, string.find, string.format, string.gsub, string.lower, string.sub, string.upper
local concat = table.concat
local fail, check_string, integer, int32 = arguments.fail, arguments.string, arguments.integer, arguments.int32

local INT_MAX = 2 ^ 31 - 1
local SPARSE_RANGE = "expected integer between 0 and 2147483647"
-- The values that the stack of one C function has room for: the real library's last bound of nesting.
local STACK = 8000

local null = newproxy(true)
do
  local metatable = getmetatable(null)
  metatable.__metatable = false
  metatable.__tostring = function()
    return "userdata: (nil)"
  end
end

-- ---------------------------------------------------------------------------------------------------- writing

local NUMBER_FORMATS = {}
for precision = 1, 14 do
  NUMBER_FORMATS[precision] = format("%%.%dg", precision)
end

local ESCAPED = '[%z\1-\31"\\/\127]'
local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\127"] = "\\u007f" }
for code = 0, 31 do
  ESCAPES[char(code)] = format("\\u%04x", code)
end
ESCAPES["\b"], ESCAPES["\t"], ESCAPES["\n"] = "\\b", "\\t", "\\n"
ESCAPES["\f"], ESCAPES["\r"] = "\\f", "\\r"

-- All other bytes; a range is quicker than a class, and the frequent ones come first.
local PLAIN = '^[0-[^-~ !#-.%]\128-\255]*$'

local function quoted(text)
  if not find(text, PLAIN) then
    text = gsub(text, ESCAPED, ESCAPES)
  end
  return '"' .. text .. '"'
end

-- The texts of keys, which are few and come again and again: at most so many, of keys that are short.
local KEPT_KEYS = 512
local KEPT_LENGTH = 64
local keys, kept = {}, 0

local function quoted_key(key)
  local text = quoted(key) .. ":"
  if #key <= KEPT_LENGTH then
    if kept >= KEPT_KEYS then
      keys, kept = {}, 0
    end
    keys[key], kept = text, kept + 1
  end
  return text
end

-- `level` is where the error stands: 1 the function that calls this, 2 its caller.
local function refuse(value, reason, level)
  error(format("Cannot serialise %s: %s", type(value), reason), level + 1)
end

local function number_text(number, settings, level)
  if number - number ~= 0 then
    local policy = settings.encode_invalid_numbers
    if not policy then
      refuse(number, "must not be NaN or Inf", level + 1)
    elseif policy == "null" then
      return "null"
    elseif number ~= number then
      return "nan"
    end
  end
  return format(NUMBER_FORMATS[settings.encode_number_precision], number)
end

-- How long the array is that a table stands for, or 0 if it is an object.
local function array_length(value, settings, level)
  local highest, count = 0, 0
  local key = next(value)
  while key ~= nil do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 and key ~= HUGE then
      return 0
    end
    if key > highest then
      -- The real library keeps it in an int.
      highest = key <= INT_MAX and key or -INT_MAX - 1
    end
    count = count + 1
    key = next(value, key)
  end
  local ratio = settings.sparse_ratio
  if ratio > 0 and highest > count * ratio and highest > settings.sparse_safe then
    if not settings.sparse_convert then
      refuse(value, "excessively sparse array", level + 1)
    end
    return 0
  end
  return highest
end

local function is_marked_array(value)
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__is_cjson_array
end

local append

local function append_array(pieces, used, value, length, depth, room, settings)
  pieces[used + 1] = "["
  used = used + 1
  for index = 1, length do
    if index > 1 then
      used = used + 1
      pieces[used] = ","
    end
    used = append(pieces, used, rawget(value, index), depth, room - 1, settings)
  end
  pieces[used + 1] = "]"
  return used + 1
end

local function append_object(pieces, used, value, depth, room, settings)
  local separator = "{"
  for key, element in next, value do
    local kind = type(key)
    if kind == "string" then
      pieces[used + 1] = separator
      pieces[used + 2] = keys[key] or quoted_key(key)
    elseif kind == "number" then
      pieces[used + 1] = separator
      pieces[used + 2] = '"' .. number_text(key, settings, 2 * depth + 2) .. '":'
    else
      refuse(key, "table key must be a number or string", 2 * depth + 2)
    end
    used = append(pieces, used + 2, element, depth, room - 2, settings)
    separator = ","
  end
  pieces[used + 1] = separator == "{" and "{}" or "}"
  return used + 1
end

-- Appends a value's text to the pieces of the output and returns how many there are then. `depth` is how many tables
-- it stands in, each of which is two calls, and `room` what they leave of the stack.
function append(pieces, used, value, depth, room, settings)
  local kind = type(value)
  if kind == "string" then
    pieces[used + 1] = quoted(value)
  elseif kind == "number" then
    pieces[used + 1] = number_text(value, settings, 2 * depth + 3)
  elseif kind == "table" then
    depth = depth + 1
    if depth > settings.encode_max_depth or room < 3 then
      error(format("Cannot serialise, excessive nesting (%d)", depth), 2 * depth + 1)
    end
    local length = array_length(value, settings, 2 * depth + 1)
    if length > 0 then
      used = append_array(pieces, used, value, length, depth, room, settings)
    elseif length == 0 and is_marked_array(value) and next(value) == nil then
      pieces[used + 1] = "[]"
      used = used + 1
    else
      used = append_object(pieces, used, value, depth, room, settings)
    end
    return used
  elseif kind == "boolean" then
    pieces[used + 1] = value and "true" or "false"
  elseif value == nil or value == null then
    pieces[used + 1] = "null"
  else
    refuse(value, "type not supported", 2 * depth + 3)
  end
  return used + 1
end

-- ---------------------------------------------------------------------------------------------------- tokens

local WHITESPACE = "^[ \t\n\r]*"
local PUNCTUATION = {
  ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END",
  [":"] = "T_COLON", [","] = "T_COMMA", [""] = "T_END", ["\0"] = "T_END",
}
local LITERALS = { t = { "true", true }, f = { "false", false }, n = { "null", null } }
local UNESCAPED = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local function utf8(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xc0 + floor(code / 64), 0x80 + code % 64)
  elseif code < 0x10000 then
    return char(0xe0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  local first, second = 0xf0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64
  return char(first, second, 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

-- The character of the escape at a position, such as \u20ac (or of two of them, a surrogate pair), and the position
-- behind it.
local function unicode_escape(text, position)
  local _, stop, digits = find(text, "^\\u(%x%x%x%x)", position)
  if not stop then
    return nil
  end
  local code = tonumber(digits, 16)
  if code >= 0xd800 and code < 0xe000 then
    _, stop, digits = find(text, "^\\u([dD][c-fC-F]%x%x)", stop + 1)
    if code >= 0xdc00 or not stop then
      return nil
    end
    code = 0x10000 + (code - 0xd800) * 1024 + tonumber(digits, 16) - 0xdc00
  end
  return utf8(code), stop + 1
end

-- The string whose opening quote stands before a position, and the position behind it. If it is wrong: nil, where, and
-- what is wrong.
local function read_string(text, position, settings)
  local stop = find(text, '"', position, true)
  if stop and stop < settings.plain_until then
    return sub(text, position, stop - 1), stop + 1
  end
  local pieces = {}
  stop = find(text, '["\\%z]', position)
  while stop and byte(text, stop) == 92 do
    pieces[#pieces + 1] = sub(text, position, stop - 1)
    local letter = sub(text, stop + 1, stop + 1)
    local unescaped = UNESCAPED[letter]
    position = stop + 2
    if letter == "u" then
      unescaped, position = unicode_escape(text, stop)
      if not unescaped then
        return nil, stop, "invalid unicode escape code"
      end
    elseif not unescaped then
      return nil, stop, "invalid escape code"
    end
    pieces[#pieces + 1] = unescaped
    stop = find(text, '["\\%z]', position)
  end
  if not stop or byte(text, stop) == 0 then
    return nil, stop or #text + 1, "unexpected end of string"
  end
  pieces[#pieces + 1] = sub(text, position, stop - 1)
  return concat(pieces), stop + 1
end

-- What C's strtod reads besides plain numbers, as far as it comes: hexadecimal ones, infinities, not-a-number.
local UNUSUAL_NUMBERS = {
  "^[+-]?0[xX]%x+%.?%x*[pP][+-]?%d+", "^[+-]?0[xX]%.%x+[pP][+-]?%d+", "^[+-]?0[xX]%x+%.?%x*", "^[+-]?0[xX]%.%x+",
  "^[+-]?[iI][nN][fF][iI][nN][iI][tT][yY]", "^[+-]?[iI][nN][fF]",
  "^[+-]?[nN][aA][nN]%([%w_]*%)", "^[+-]?[nN][aA][nN]",
  "^[+-]?%d+%.?%d*[eE][+-]?%d+", "^[+-]?%.%d+[eE][+-]?%d+", "^[+-]?%d+%.?%d*", "^[+-]?%.%d+",
}

local function unusual_number(text, position)
  for _, pattern in next, UNUSUAL_NUMBERS do
    local _, stop = find(text, pattern, position)
    if stop then
      return tonumber(sub(text, position, stop)), stop + 1
    end
  end
  return nil, position, "invalid number"
end

-- Whether strtod would read at a position what is no JSON: a sign +, a leading zero, hexadecimal, inf, nan.
local function is_invalid_number(text, position)
  local start = lower(sub(text, position, position + 3))
  return find(start, "^%+") or find(start, "^%-?0[%dx]") or find(start, "^%-?inf") or find(start, "^%-?nan")
end

-- The number at a position and the position behind it; or nil, where, and what is wrong.
local function read_number(text, position, settings)
  if not settings.decode_invalid_numbers and is_invalid_number(text, position) then
    return nil, position, "invalid number"
  end
  local _, stop = find(text, "^-?%d+%.?%d*", position)
  local following = stop and byte(text, stop + 1)
  if not stop or following == 120 or following == 88 then
    return unusual_number(text, position)
  elseif following == 101 or following == 69 then
    local _, exponent_stop = find(text, "^[+-]?%d+", stop + 2)
    stop = exponent_stop or stop
  end
  return tonumber(sub(text, position, stop)), stop + 1
end

-- What stands at a position, of which a value starts with neither quote, bracket, brace, digit nor minus.
local function read_literal(text, position, settings)
  local literal = LITERALS[sub(text, position, position)]
  if literal and sub(text, position, position + #literal[1] - 1) == literal[1] then
    return literal[2], position + #literal[1]
  elseif settings.decode_invalid_numbers and is_invalid_number(text, position) then
    return unusual_number(text, position)
  end
  return nil, position, "invalid token"
end

-- The name of the token at a position where another one should stand, and where it is: an error has its own place.
local function describe_token(text, position, settings)
  local letter = sub(text, position, position)
  if PUNCTUATION[letter] then
    return PUNCTUATION[letter], position
  end
  local value, where, wrong
  if letter == '"' then
    value, where, wrong = read_string(text, position + 1, settings)
  elseif find(letter, "[%d-]") then
    value, where, wrong = read_number(text, position, settings)
  else
    value, where, wrong = read_literal(text, position, settings)
  end
  if wrong then
    return wrong, where
  end
  return value == null and "T_NULL" or "T_" .. upper(type(value)), position
end

-- ---------------------------------------------------------------------------------------------------- reading

-- `level` is where the error stands: 1 the function that calls this, 2 its caller.
local function unexpected(expected, text, position, settings, level)
  local name, where = describe_token(text, position, settings)
  error(format("Expected %s but found %s at character %d", expected, name, where), level + 1)
end

-- The byte at the first position that holds no whitespace, and that position.
local function skip(text, position)
  local code = byte(text, position)
  if code == 32 or code == 10 or code == 13 or code == 9 then
    local _, stop = find(text, WHITESPACE, position)
    position = stop + 1
    code = byte(text, position)
  end
  return code, position
end

local QUOTE, COMMA, COLON = 34, 44, 58
local OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT = 91, 93, 123, 125

local read_value

local function read_array(text, position, depth, room, settings)
  local array = {}
  if settings.array_marker then
    setmetatable(array, settings.array_marker)
  end
  local code
  code, position = skip(text, position)
  if code == CLOSE_ARRAY then
    return array, position + 1
  end
  local index = 1
  while true do
    array[index], position = read_value(text, position, depth, room - 1, settings)
    code, position = skip(text, position)
    if code == COMMA then
      index = index + 1
      position = position + 1
    elseif code == CLOSE_ARRAY then
      return array, position + 1
    else
      unexpected("comma or array end", text, position, settings, 2 * depth + 2)
    end
  end
end

local function read_object(text, position, depth, room, settings)
  local object = {}
  local code
  code, position = skip(text, position)
  if code == CLOSE_OBJECT then
    return object, position + 1
  end
  while true do
    local key, behind
    if code == QUOTE then
      key, behind = read_string(text, position + 1, settings)
    end
    if not key then
      unexpected("object key string", text, position, settings, 2 * depth + 2)
    end
    code, position = skip(text, behind)
    if code ~= COLON then
      unexpected("colon", text, position, settings, 2 * depth + 2)
    end
    object[key], position = read_value(text, position + 1, depth, room - 2, settings)
    code, position = skip(text, position)
    if code == CLOSE_OBJECT then
      return object, position + 1
    elseif code ~= COMMA then
      unexpected("comma or object end", text, position, settings, 2 * depth + 2)
    end
    code, position = skip(text, position + 1)
  end
end

-- The value at a position, and the position behind it. `depth` is how many containers it stands in, each of which is
-- two calls, and `room` what they leave of the stack.
function read_value(text, position, depth, room, settings)
  local code
  code, position = skip(text, position)
  local value, behind, wrong
  if code == QUOTE then
    value, behind, wrong = read_string(text, position + 1, settings)
  elseif code == OPEN_OBJECT or code == OPEN_ARRAY then
    depth = depth + 1
    if depth > settings.decode_max_depth or room < (code == OPEN_OBJECT and 3 or 2) then
      local problem = "Found too many nested data structures (%d) at character %d"
      error(format(problem, depth, position), 2 * depth + 1)
    end
    local read = code == OPEN_OBJECT and read_object or read_array
    value, behind = read(text, position + 1, depth, room, settings)
    return value, behind
  elseif code and (code >= 48 and code <= 57 or code == 45) then
    value, behind, wrong = read_number(text, position, settings)
  else
    value, behind, wrong = read_literal(text, position, settings)
  end
  if wrong then
    unexpected("value", text, position, settings, 2 * depth + 3)
  end
  return value, behind
end

-- ---------------------------------------------------------------------------------------------------- the library

-- What marks decoded arrays if decode_array_with_array_mt says so: a metatable that cannot be changed.
local function new_array_marker()
  return setmetatable({}, {
    __index = { __is_cjson_array = true },
    __newindex = function()
      error("Attempt to modify a readonly table", 2)
    end,
    __metatable = false,
  })
end

local function encoder(settings)
  return function(...)
    if select("#", ...) ~= 1 then
      fail(1, "expected 1 argument")
    end
    local value = ...
    if short then
      local text = short.write_json(
        value, null, settings.encode_max_depth, settings.encode_number_precision, settings.sparse_ratio,
        settings.sparse_safe
      )
      if text then
        return text
      end
    end
    local pieces = {}
    append(pieces, 0, value, 0, STACK - 1, settings)
    return concat(pieces)
  end
end

local function decoder(settings)
  return function(...)
    if select("#", ...) ~= 1 then
      fail(1, "expected 1 argument")
    end
    local text = ...
    text = check_string(text, 1, 1)
    if short and not settings.decode_array_with_array_mt then
      local read, value = short.read_json(text, null, settings.decode_max_depth)
      if read then
        return value
      end
    end
    if #text > 1 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
      error("JSON parser does not support UTF-16 or UTF-32", 2)
    end
    -- Up to the first backslash or zero byte, strings end at the next quote.
    settings.plain_until = min(find(text, "\\", 1, true) or HUGE, find(text, "\0", 1, true) or HUGE)
    settings.array_marker = settings.decode_array_with_array_mt and new_array_marker()
    local value, position = read_value(text, 1, 0, STACK - 1, settings)
    local code
    code, position = skip(text, position)
    if code and code ~= 0 then
      unexpected("the end", text, position, settings, 2)
    end
    return value
  end
end

-- A function that sets a number if it is given one, and returns what is set then.
local function integer_setting(settings, name, least, greatest)
  return function(...)
    local count = select("#", ...)
    if count > 1 then
      fail(2, "found too many arguments")
    end
    local value = ...
    if value ~= nil then
      value = int32(integer(value, 1, count))
      if value < least or value > greatest then
        fail(1, format("expected integer between %d and %d", least, greatest))
      end
      settings[name] = value
    end
    return settings[name]
  end
end

-- The same for a choice among words; the first two also go by the names of false and true.
local function choice_setting(settings, name, choices)
  return function(...)
    local count = select("#", ...)
    if count > 1 then
      fail(2, "found too many arguments")
    end
    local value = ...
    if value ~= nil then
      if type(value) ~= "boolean" then
        local word = check_string(value, 1, count)
        value = choices[word]
        if value == nil then
          fail(1, format("invalid option '%s'", word))
        end
      end
      settings[name] = value
    end
    return settings[name]
  end
end

local FLAG = { off = false, on = true }

-- encode_sparse_array([convert [, ratio [, safe]]])
local function sparse_setting(settings)
  return function(...)
    local count = select("#", ...)
    if count > 3 then
      fail(4, "found too many arguments")
    end
    local convert, ratio, safe = ...
    if type(convert) == "boolean" then
      settings.sparse_convert = convert
    elseif convert ~= nil then
      local word = check_string(convert, 1, count)
      if FLAG[word] == nil then
        fail(1, format("invalid option '%s'", word))
      end
      settings.sparse_convert = FLAG[word]
    end
    if ratio ~= nil then
      ratio = int32(integer(ratio, 2, count))
      if ratio < 0 then
        fail(1, SPARSE_RANGE)
      end
      settings.sparse_ratio = ratio
    end
    if safe ~= nil then
      safe = int32(integer(safe, 3, count))
      if safe < 0 then
        fail(1, SPARSE_RANGE)
      end
      settings.sparse_safe = safe
    end
    return settings.sparse_convert, settings.sparse_ratio, settings.sparse_safe
  end
end

-- An instance of the library with settings of its own.
local function new()
  local settings = {
    encode_max_depth = 1000,
    decode_max_depth = 1000,
    encode_number_precision = 14,
    encode_keep_buffer = true,
    encode_invalid_numbers = false,
    decode_invalid_numbers = true,
    decode_array_with_array_mt = false,
    sparse_convert = false,
    sparse_ratio = 2,
    sparse_safe = 10,
  }
  return {
    _NAME = "cjson",
    _VERSION = "2.1.0",
    null = null,
    new = new,
    encode = encoder(settings),
    decode = decoder(settings),
    encode_max_depth = integer_setting(settings, "encode_max_depth", 1, INT_MAX),
    decode_max_depth = integer_setting(settings, "decode_max_depth", 1, INT_MAX),
    encode_number_precision = integer_setting(settings, "encode_number_precision", 1, 14),
    encode_keep_buffer = choice_setting(settings, "encode_keep_buffer", FLAG),
    encode_invalid_numbers = choice_setting(
      settings, "encode_invalid_numbers", { off = false, on = true, null = "null" }
    ),
    decode_invalid_numbers = choice_setting(settings, "decode_invalid_numbers", FLAG),
    decode_array_with_array_mt = choice_setting(settings, "decode_array_with_array_mt", FLAG),
    encode_sparse_array = sparse_setting(settings),
  }
end

return new()
