-- struct: numbers and strings in the layout of C structures (http://www.inf.puc-rio.br/~roberto/struct/, version 0.3).
--
-- A format is a line of options: `<` and `>` little and big endian, `![n]` alignment, `x` a byte of padding, `b/B`
-- byte, `h/H` 2 bytes, `l/L` 8 bytes, `T` size_t, `i/I[n]` n bytes (4), signed if lower case, `f` and `d` floats, `s`
-- a string ended by a zero byte, `c[n]` n bytes of a string (`c0`: all of it; unpacking, as many as the number before
-- says).

local arguments, floats, short = ...
local error, next, select, tonumber, unpack = error, next, select, tonumber, unpack
local floor = math.floor
local byte, char, find, format, match, rep, reverse, sub =
  string.byte, string.char, string.find, string.format, string.match, string.rep, string.reverse, string.sub
local concat = table.concat
local fail, check_number, check_string = arguments.fail, arguments.number, arguments.string
local optional_integer, truncated = arguments.optional_integer, arguments.truncated

local INT_MAX = 2 ^ 31 - 1
local MAX_INTEGER_SIZE = 32
local MAX_ALIGNMENT = 8
-- What Lua leaves room for on the stack of one function: results beyond it cannot be returned.
local MAX_RESULTS = 7990

local SIZES = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1 }
local SIGNED = { b = true, h = true, l = true, i = true }
local NUMBERS = { f = true, d = true, B = true, H = true, L = true, T = true, I = true }
for option in next, SIGNED do
  NUMBERS[option] = true
end

-- The number in a format at a position, or the default: the number and the position behind it.
local function format_number(text, position, default)
  local digits = match(text, "^%d+", position)
  if not digits then
    return default, position
  end
  local number = tonumber(digits)
  if number > INT_MAX then
    error("integral size overflow", 4)
  end
  return number, position + #digits
end

-- The size of an option, and the position behind it.
local function option_size(text, option, position)
  local size = SIZES[option]
  if size then
    return size, position
  elseif option == "c" then
    return format_number(text, position, 1)
  elseif option == "i" or option == "I" then
    size, position = format_number(text, position, 4)
    if size > MAX_INTEGER_SIZE then
      error(format("integral size %d is larger than limit of %d", size, MAX_INTEGER_SIZE), 3)
    end
    return size, position
  end
  return 0, position
end

local function is_power_of_2(number)
  while number > 1 do
    number = number / 2
  end
  return number == 1
end

-- The bits that two numbers share, for C's `(size - (length & (size - 1))) & (size - 1)`. Sizes that are no powers of
-- two (as `i3`) make no sense there, but give what they give.
local function conjunction(x, y)
  local result, place = 0, 1
  while x > 0 and y > 0 do
    if x % 2 == 1 and y % 2 == 1 then
      result = result + place
    end
    x, y, place = floor(x / 2), floor(y / 2), place * 2
  end
  return result
end

local function padding(length, alignment, option, size)
  if size == 0 or alignment == 1 or option == "c" then
    return 0
  end
  if size > alignment then
    size = alignment
  end
  return conjunction(size - conjunction(length, size - 1), size - 1)
end

-- An option that controls the layout: whether it is big endian, the alignment, and the position behind the option.
local function control(text, option, position, big, alignment)
  if option == ">" then
    return true, alignment, position
  elseif option == "<" then
    return false, alignment, position
  elseif option == "!" then
    alignment, position = format_number(text, position, MAX_ALIGNMENT)
    if not is_power_of_2(alignment) then
      error(format("alignment %d is not a power of 2", alignment), 3)
    end
  elseif option ~= " " then
    return nil
  end
  return big, alignment, position
end

local function invalid_option(option)
  return format("invalid format option '%s'", option)
end

-- C strings end at the first zero byte.
local function c_string(text)
  return match(text, "^%Z*")
end

-- The low bytes of an integer, least first. What is wider than 64 bits is filled up with zeros.
local function integer_bytes(number, size)
  if number >= 2 ^ 64 then
    number = 0
  elseif number >= 0 then
    number = floor(number)
  else
    number = truncated(number)
  end
  local bytes = {}
  for index = 1, size <= 8 and size or 8 do
    local low = number % 256
    bytes[index] = char(low)
    number = (number - low) / 256
  end
  if size > 8 then
    bytes[9] = rep("\0", size - 8)
  end
  return concat(bytes)
end

local function packed(option, size, value)
  if option == "f" then
    return reverse(floats.pack_single(value))
  elseif option == "d" then
    return reverse(floats.pack_double(value))
  end
  return integer_bytes(value, size)
end

-- pack(format, ...). A value that is missing is "nil" in the errors, not "no value".
local function pack(...)
  local quick = short and short.pack_struct(...)
  if quick then
    return quick
  end
  local text = ...
  text = c_string(check_string(text, 1, select("#", ...)))
  local pieces, argument = {}, 1
  local length, position, big, alignment = 0, 1, false, 1
  while position <= #text do
    local option, size = sub(text, position, position), nil
    size, position = option_size(text, option, position + 1)
    local gap = padding(length, alignment, option, size)
    local piece = ""
    if NUMBERS[option] then
      argument = argument + 1
      local value = select(argument, ...)
      piece = packed(option, size, check_number(value, argument, argument))
      piece = big and reverse(piece) or piece
    elseif option == "c" or option == "s" then
      argument = argument + 1
      local value = select(argument, ...)
      value = check_string(value, argument, argument)
      if size == 0 then
        size = #value
      elseif #value < size then
        fail(argument + 1, "string too short")
      end
      piece = option == "s" and value .. "\0" or sub(value, 1, size)
    elseif option == "x" then
      piece = "\0"
    else
      local new_big, new_alignment, behind = control(text, option, position, big, alignment)
      if not behind then
        fail(1, invalid_option(option))
      end
      big, alignment, position = new_big, new_alignment, behind
    end
    pieces[#pieces + 1] = rep("\0", gap) .. piece
    length = length + gap + #piece
  end
  return concat(pieces)
end

-- The integer in a little-endian string, as a C long of 64 bits holds it: of a longer one the low half.
local function integer_value(data, signed, size)
  local high, low = 0, 0
  for index = size < 8 and size or 8, 5, -1 do
    high = high * 256 + byte(data, index)
  end
  for index = size < 4 and size or 4, 1, -1 do
    low = low * 256 + byte(data, index)
  end
  if signed then
    local sign = (size * 8 - 1) % 64
    if sign >= 32 then
      if high >= 2 ^ (sign - 32) then
        high = high % 2 ^ (sign - 32) - 2 ^ (sign - 32)
      end
    elseif high > 0 or low >= 2 ^ sign then
      high, low = 0, low % 2 ^ sign - 2 ^ sign
    end
  end
  return high * 2 ^ 32 + low
end

local function number_value(data, option, size)
  if option == "f" then
    return floats.unpack_single(byte(reverse(data), 1, 4))
  elseif option == "d" then
    return floats.unpack_double(byte(reverse(data), 1, 8))
  end
  return integer_value(data, SIGNED[option], size)
end

local function struct_unpack(...)
  local quick = short and { short.unpack_struct(...) }
  if quick and quick[1] then
    return unpack(quick)
  end
  local count = select("#", ...)
  local text, data, offset = ...
  text = c_string(check_string(text, 1, count))
  data = check_string(data, 2, count)
  offset = optional_integer(offset, 3, count, 1)
  if offset == 0 then
    fail(3, "offset must be 1 or greater")
  end
  -- A negative offset is a huge one, as an unsigned integer.
  offset = offset > 0 and offset - 1 or 2 ^ 64
  local results, found = {}, 0
  local position, big, alignment = 1, false, 1
  while position <= #text do
    local option, size = sub(text, position, position), nil
    size, position = option_size(text, option, position + 1)
    offset = offset + padding(offset, alignment, option, size)
    if offset + size > #data then
      fail(2, "data string too short")
    elseif found >= MAX_RESULTS then
      error("stack overflow (too many results)", 2)
    end
    if NUMBERS[option] then
      local piece = sub(data, offset + 1, offset + size)
      found = found + 1
      results[found] = number_value(big and reverse(piece) or piece, option, size)
    elseif option == "c" then
      if size == 0 then
        size = found > 0 and tonumber(results[found])
        if not size then
          error("format 'c0' needs a previous size", 2)
        end
        found = found - 1
        size = truncated(size)
        size = size >= 0 and size or 2 ^ 64
        if offset + size > #data then
          fail(2, "data string too short")
        end
      end
      found = found + 1
      results[found] = sub(data, offset + 1, offset + size)
    elseif option == "s" then
      local stop = find(data, "\0", offset + 1, true)
      if not stop then
        error("unfinished string in data", 2)
      end
      found = found + 1
      results[found] = sub(data, offset + 1, stop - 1)
      size = stop - offset
    elseif option ~= "x" then
      local new_big, new_alignment, behind = control(text, option, position, big, alignment)
      if not behind then
        fail(1, invalid_option(option))
      end
      big, alignment, position = new_big, new_alignment, behind
    end
    offset = offset + size
  end
  results[found + 1] = offset + 1
  return unpack(results, 1, found + 1)
end

local function struct_size(...)
  local count = select("#", ...)
  local text = ...
  text = c_string(check_string(text, 1, count))
  local length, position, big, alignment = 0, 1, false, 1
  while position <= #text do
    local option, size = sub(text, position, position), nil
    size, position = option_size(text, option, position + 1)
    length = length + padding(length, alignment, option, size)
    if option == "s" then
      fail(1, "option 's' has no fixed size")
    elseif option == "c" and size == 0 then
      fail(1, "option 'c0' has no fixed size")
    elseif not find(option, "%w") then
      local new_big, new_alignment, behind = control(text, option, position, big, alignment)
      if not behind then
        fail(1, invalid_option(option))
      end
      big, alignment, position = new_big, new_alignment, behind
    end
    length = length + size
  end
  return length
end

return { pack = pack, unpack = struct_unpack, size = struct_size }
