-- Floating-point numbers as the bytes of IEEE 754, big-endian: binary32 and binary64, rounded as the processor rounds.

local floor, frexp, ldexp, HUGE = math.floor, math.frexp, math.ldexp, math.huge
local byte, char, format = string.byte, string.char, string.format

local floats = {}

-- Rounds a number between 0 and 2^51 to the nearest integer, ties to the even one.
local ROUNDING = 2 ^ 52

-- What has no number: which of the two is negative is the processor's affair, and only printing it tells.
local NAN = 0 / 0
if byte(format("%f", NAN)) == 45 then
  NAN = -NAN
end

local function is_negative(number)
  if number ~= number then
    return byte(format("%f", number)) == 45
  end
  return number < 0 or (number == 0 and 1 / number < 0)
end

-- The sign bit and the magnitude.
local function split(number)
  local sign = is_negative(number) and 1 or 0
  return sign, number < 0 and -number or number
end

-- What the largest exponent stands for. (A product with -1 would leave a NaN's sign as it is.)
local function special(sign, fraction)
  local magnitude = fraction == 0 and HUGE or NAN
  return sign < 0 and -magnitude or magnitude
end

-- A number's 32 bits as an integer.
local function single_bits(number)
  local sign, magnitude = split(number)
  if magnitude ~= magnitude then
    return sign * 2 ^ 31 + 0x7fc00000
  elseif magnitude == 0 then
    return sign * 2 ^ 31
  end
  local fraction, exponent = frexp(magnitude)
  exponent = exponent + 126
  local bits
  if magnitude == HUGE or exponent > 255 then
    bits = 0x7f800000
  elseif exponent > 0 then
    bits = (exponent - 1) * 2 ^ 23 + (fraction * 2 ^ 24 + ROUNDING - ROUNDING)
  else
    bits = ldexp(fraction, exponent + 23) + ROUNDING - ROUNDING
  end
  return sign * 2 ^ 31 + (bits < 0x7f800000 and bits or 0x7f800000)
end

local function single_of(bits)
  local sign = bits >= 2 ^ 31 and -1 or 1
  local exponent = floor(bits / 2 ^ 23) % 256
  local fraction = bits % 2 ^ 23
  if exponent == 255 then
    return special(sign, fraction)
  elseif exponent == 0 then
    return sign * ldexp(fraction, -149)
  end
  return sign * ldexp(fraction + 2 ^ 23, exponent - 150)
end

function floats.pack_single(number)
  local bits = single_bits(number)
  return char(floor(bits / 2 ^ 24), floor(bits / 2 ^ 16) % 256, floor(bits / 2 ^ 8) % 256, bits % 256)
end

-- The number as a binary32 holds it.
function floats.as_single(number)
  return single_of(single_bits(number))
end

function floats.unpack_single(a, b, c, d)
  return single_of(((a * 256 + b) * 256 + c) * 256 + d)
end

function floats.pack_double(number)
  local sign, magnitude = split(number)
  local exponent, fraction = 0, 0
  if magnitude ~= magnitude then
    exponent, fraction = 2047, 2 ^ 51
  elseif magnitude == HUGE then
    exponent = 2047
  elseif magnitude > 0 then
    fraction, exponent = frexp(magnitude)
    exponent = exponent + 1022
    if exponent > 0 then
      fraction = fraction * 2 ^ 53 - 2 ^ 52
    else
      fraction, exponent = ldexp(fraction, exponent + 52), 0
    end
  end
  local high = sign * 2 ^ 31 + exponent * 2 ^ 20 + floor(fraction / 2 ^ 32)
  local low = fraction % 2 ^ 32
  return char(
    floor(high / 2 ^ 24), floor(high / 2 ^ 16) % 256, floor(high / 2 ^ 8) % 256, high % 256,
    floor(low / 2 ^ 24), floor(low / 2 ^ 16) % 256, floor(low / 2 ^ 8) % 256, low % 256
  )
end

function floats.unpack_double(a, b, c, d, e, f, g, h)
  local sign = a >= 128 and -1 or 1
  local exponent = a % 128 * 16 + floor(b / 16)
  local fraction = (b % 16 * 2 ^ 16 + c * 2 ^ 8 + d) * 2 ^ 32 + ((e * 256 + f) * 256 + g) * 256 + h
  if exponent == 2047 then
    return special(sign, fraction)
  elseif exponent == 0 then
    return sign * ldexp(fraction, -1074)
  end
  return sign * ldexp(fraction + 2 ^ 52, exponent - 1075)
end

return floats
