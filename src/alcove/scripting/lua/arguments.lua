-- The arguments of a library's functions: the checks, conversions and error texts of Lua's own in C (luaL_check*).
--
-- Every check takes (value, position, count): `count` is how many arguments the function got, which tells "no value"
-- from "nil". All are to be called by the library's function itself, because the errors name it and its caller's line.

local error, tonumber, tostring, type = error, tonumber, tostring, type
local ceil, floor = math.ceil, math.floor
local format = string.format
local getinfo = debug.getinfo

local arguments = {}

-- Raises "bad argument", as from the function `level` calls above (1: the one that calls this).
local function fail(position, text, level)
  local called = getinfo(level + 1, "n")
  if called.namewhat == "method" then
    position = position - 1
    if position == 0 then
      error(format("calling '%s' on bad self (%s)", called.name, text), level + 2)
    end
  end
  error(format("bad argument #%d to '%s' (%s)", position, called.name or "?", text), level + 2)
end

local function wrong_type(expected, value, position, count)
  local got = position > count and "no value" or type(value)
  fail(position, expected .. " expected, got " .. got, 3)
end

function arguments.fail(position, text)
  fail(position, text, 2)
end

function arguments.number(value, position, count)
  if type(value) == "number" then
    return value
  end
  return tonumber(value) or wrong_type("number", value, position, count)
end

function arguments.string(value, position, count)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" then
    return tostring(value)
  end
  wrong_type("string", value, position, count)
end

-- A number as a 64-bit integer, as the processor converts it: the fraction is cut off, and what does not fit (or is no
-- number) is the least integer.
local function truncated(number)
  if number >= -2 ^ 63 and number < 2 ^ 63 then
    return number < 0 and ceil(number) or floor(number)
  end
  return -2 ^ 63
end

arguments.truncated = truncated

function arguments.integer(value, position, count)
  return truncated(tonumber(value) or wrong_type("number", value, position, count))
end

function arguments.optional_integer(value, position, count, default)
  if value == nil then
    return default
  end
  return truncated(tonumber(value) or wrong_type("number", value, position, count))
end

-- The low 32 bits of an integer, signed: what is left of it in a C int.
function arguments.int32(integer)
  return (integer + 2 ^ 31) % 2 ^ 32 - 2 ^ 31
end

return arguments
