-- bit: operations on 32-bit words, as Lua BitOp 1.0.2 does them (https://bitop.luajit.org/semantics.html).
--
-- `short` has the short ways of those that are mostly asked for, if there are any (see native_libraries.pyx).
--
-- Lua 5.1 has no operators for bits, so words are numbers between 0 and 2^32, and all is arithmetic that doubles carry
-- out exactly. Only the conjunction needs a table, of the pairs of six bits; the other operations follow from it.

local arguments, _, short = ...
local select, tonumber, type = select, tonumber, type
local floor, frexp = math.floor, math.frexp
local format, sub = string.format, string.sub
local check_number = arguments.number

local WORD = 2 ^ 32
local SIGN = 2 ^ 31
local ROUNDING = 2 ^ 52 + 2 ^ 51
local DIGIT = 64

local POWER = {}
for exponent = 0, 32 do
  POWER[exponent] = 2 ^ exponent
end

-- AND[x * 64 + y] of two numbers of six bits, from those of their halves.
local AND = { [0] = 0 }
for x = 0, DIGIT - 1 do
  for y = 0, DIGIT - 1 do
    local odd = (x % 2 == 1 and y % 2 == 1) and 1 or 0
    AND[x * DIGIT + y] = 2 * AND[floor(x / 2) * DIGIT + floor(y / 2)] + odd
  end
end

-- A number beyond 2^51: BitOp adds 2^52 + 2^51 to every number and takes the low half of what the double is made of.
local function word_of_large(number)
  local sum = number + ROUNDING
  if sum ~= sum or sum - sum ~= 0 then
    return 0
  end
  return frexp(sum < 0 and -sum or sum) * 2 ^ 53 % WORD
end

-- A number's word: rounded to the nearest integer, ties to the even one, modulo 2^32.
local function word(number)
  if number > -2 ^ 51 and number < 2 ^ 51 then
    return (number + ROUNDING - ROUNDING) % WORD
  end
  return word_of_large(number)
end

local function signed(x)
  return x < SIGN and x or x - WORD
end

local function conjunction(x, y)
  local result, place = 0, 1
  while x > 0 and y > 0 do
    local low_x, low_y = x % DIGIT, y % DIGIT
    result = result + AND[low_x * DIGIT + low_y] * place
    x, y, place = (x - low_x) / DIGIT, (y - low_y) / DIGIT, place * DIGIT
  end
  return result
end

local function disjunction(x, y)
  return x + y - conjunction(x, y)
end

local function difference(x, y)
  return x + y - 2 * conjunction(x, y)
end

local bit = {}

function bit.tobit(...)
  local quick = short and short.tobit(...)
  if quick then
    return quick
  end
  local x = ...
  return signed(word(check_number(x, 1, select("#", ...))))
end

function bit.bnot(...)
  local quick = short and short.bnot(...)
  if quick then
    return quick
  end
  local x = ...
  return signed(WORD - 1 - word(check_number(x, 1, select("#", ...))))
end

function bit.bswap(...)
  local x = ...
  x = word(check_number(x, 1, select("#", ...)))
  local a = x % 256
  local b = floor(x / 256) % 256
  local c = floor(x / 65536) % 256
  return signed(((a * 256 + b) * 256 + c) * 256 + floor(x / 16777216))
end

-- tohex(x [, n]): n hexadecimal digits, upper case if n is negative.
function bit.tohex(...)
  local count = select("#", ...)
  local x, digits = ...
  x = word(check_number(x, 1, count))
  digits = count < 2 and 8 or signed(word(check_number(digits, 2, count)))
  local text = format(digits < 0 and "%08X" or "%08x", x)
  digits = digits < 0 and -digits or digits
  return digits < 8 and sub(text, 9 - digits) or text
end

-- Three operations on any count of words, which BitOp takes from the last one downwards.
function bit.band(...)
  local quick = short and short.band(...)
  if quick then
    return quick
  end
  local count = select("#", ...)
  local x, y = ...
  x = word(check_number(x, 1, count))
  for position = count, 3, -1 do
    local value = select(position, ...)
    x = conjunction(x, word(check_number(value, position, count)))
  end
  return signed(count < 2 and x or conjunction(x, word(check_number(y, 2, count))))
end

function bit.bor(...)
  local quick = short and short.bor(...)
  if quick then
    return quick
  end
  local count = select("#", ...)
  local x, y = ...
  x = word(check_number(x, 1, count))
  for position = count, 3, -1 do
    local value = select(position, ...)
    x = disjunction(x, word(check_number(value, position, count)))
  end
  return signed(count < 2 and x or disjunction(x, word(check_number(y, 2, count))))
end

function bit.bxor(...)
  local quick = short and short.bxor(...)
  if quick then
    return quick
  end
  local count = select("#", ...)
  local x, y = ...
  x = word(check_number(x, 1, count))
  for position = count, 3, -1 do
    local value = select(position, ...)
    x = difference(x, word(check_number(value, position, count)))
  end
  return signed(count < 2 and x or difference(x, word(check_number(y, 2, count))))
end

-- Shifts and rotations by the low five bits of the second argument.
function bit.lshift(...)
  local quick = short and short.lshift(...)
  if quick then
    return quick
  end
  local count = select("#", ...)
  local x, by = ...
  x = word(check_number(x, 1, count))
  return signed(x * POWER[word(check_number(by, 2, count)) % 32] % WORD)
end

function bit.rshift(...)
  local quick = short and short.rshift(...)
  if quick then
    return quick
  end
  local count = select("#", ...)
  local x, by = ...
  x = word(check_number(x, 1, count))
  return signed(floor(x / POWER[word(check_number(by, 2, count)) % 32]))
end

function bit.arshift(...)
  local quick = short and short.arshift(...)
  if quick then
    return quick
  end
  local count = select("#", ...)
  local x, by = ...
  x = signed(word(check_number(x, 1, count)))
  return floor(x / POWER[word(check_number(by, 2, count)) % 32])
end

local function rotated(x, by)
  return signed(x * POWER[by] % WORD + floor(x / POWER[32 - by]))
end

function bit.rol(...)
  local quick = short and short.rol(...)
  if quick then
    return quick
  end
  local count = select("#", ...)
  local x, by = ...
  x = word(check_number(x, 1, count))
  return rotated(x, word(check_number(by, 2, count)) % 32)
end

function bit.ror(...)
  local quick = short and short.ror(...)
  if quick then
    return quick
  end
  local count = select("#", ...)
  local x, by = ...
  x = word(check_number(x, 1, count))
  return rotated(x, -word(check_number(by, 2, count)) % 32)
end

return bit
