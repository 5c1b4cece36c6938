-- string.find and its kin, made safe: Lua's own matcher runs in C, where nothing can interrupt it.
--
-- A pattern with several repetitions can take time that grows with as high a power of the subject's length, and one
-- with many takes a frame of the C stack for each. What could take long is therefore matched here, in Lua, by the same
-- rules, where the time limit holds; all else, which is nearly everything, by the C functions.

local arguments, enter, leave = ...
local error, raw_pcall, select, tonumber, tostring, type = error, pcall, select, tonumber, tostring, type
local byte, char, concat, find, sub, unpack = string.byte, string.char, table.concat, string.find, string.sub, unpack
local huge, max, min = math.huge, math.max, math.min
local check_integer, check_string, fail, int32 = arguments.integer, arguments.string, arguments.fail, arguments.int32
local raw = { find = string.find, gmatch = string.gmatch, gsub = string.gsub, match = string.match }

-- How many steps, of some two nanoseconds, the C functions may take.
local MOST_STEPS = 2e9
-- Repetitions and captures in one pattern: so many frames of the C stack.
local MOST_PARTS = 200
local MOST_CAPTURES = 32
-- What makes more of a pattern than a string to look for.
local SPECIAL = "[%^%$%*%+%?%.%(%[%%%-]"
-- Patterns whose cost is remembered.
local MOST_REMEMBERED = 1000
local ESCAPE, OPEN, CLOSE, DOLLAR, DOT, BRACKET, CARET, DASH, STAR, PLUS, QUESTION =
  byte("%()$.[^-*+?", 1, 11)
local UNBRACKET, BALANCE, FRONTIER = byte("]bf", 1, 3)
-- Instead of a length: no subject is short enough, because the pattern may be malformed, or does what is not foreseen
-- here; and the pattern is refused.
local ODD, TOO_COMPLEX = -1, -2

-- How long a subject may be for the C functions, by pattern.
local longest = {}
local remembered = 0

-- The worst case is a choice of one place in the subject for the start and for each repetition, and of two for each
-- question mark: n^k / k! times 2^q steps, each of which may look through the longest set.
local function longest_for(pattern)
  local places, doublings, parts, opened = byte(pattern) == CARET and 0 or 1, 0, 0, 0
  local is_odd = false
  local widest = 1
  local at = 1
  while at <= #pattern do
    local code = byte(pattern, at)
    if code == ESCAPE then
      at = at + 1
      local class = byte(pattern, at) or 0
      -- What walks through the subject by itself, and what may be malformed.
      is_odd = is_odd or class == 0 or class == FRONTIER or class == BALANCE or (class >= 48 and class <= 57)
    elseif code == BRACKET then
      local first = at
      at = find(pattern, "]", at + (byte(pattern, at + 1) == CARET and 3 or 2), true)
      if not at or byte(pattern, at - 1) == ESCAPE then
        return ODD
      end
      widest = max(widest, at - first)
    elseif code == STAR or code == PLUS or code == DASH then
      places, parts = places + 1, parts + 1
    elseif code == QUESTION then
      doublings, parts = doublings + 1, parts + 1
    elseif code == OPEN then
      opened, parts = opened + 1, parts + 1
    elseif code == CLOSE then
      opened = opened - 1
    end
    at = at + 1
  end
  if parts > MOST_PARTS then
    return TOO_COMPLEX
  elseif is_odd or opened ~= 0 then
    return ODD
  elseif places == 0 then
    return doublings < 25 and huge or ODD
  end
  local orders = 1
  for factor = 2, places do
    orders = orders * factor
  end
  return (MOST_STEPS * orders / 2 ^ doublings / widest) ^ (1 / places)
end

-- Whether a match must be made here.
local function is_risky(subject, pattern)
  local length = longest[pattern]
  if not length then
    if remembered >= MOST_REMEMBERED then
      longest, remembered = {}, 0
    end
    length = longest_for(pattern)
    longest[pattern], remembered = length, remembered + 1
  end
  if length == TOO_COMPLEX then
    error("pattern too complex", 3)
  end
  return #subject > length
end

-- The matcher. A match is described by where its captures begin, and their lengths: OPENED and POSITION stand for those
-- that are not closed yet, and for `()`.
local OPENED, POSITION = -1, -2
local subject, pattern, size, stop, starts, lengths, level, match

-- What a class such as %a contains: as C's functions see bytes in the C locale.
local CLASSES = {
  a = "[%a]", c = "[%c]", d = "[%d]", l = "[%l]", p = "[%p]", s = "[%s]", u = "[%u]", w = "[%w]", x = "[%x]", z = "[%z]",
}
local members = {}
for name, class in pairs(CLASSES) do
  local inside, outside = {}, {}
  for code = 0, 255 do
    local is_in = find(char(code), class) ~= nil
    inside[code], outside[code] = is_in, not is_in
  end
  members[byte(name)], members[byte(name:upper())] = inside, outside
end

local function class_end(at)
  local code = byte(pattern, at)
  at = at + 1
  if code == ESCAPE then
    if at > size then
      error("malformed pattern (ends with '%')", 0)
    end
    return at + 1
  elseif code == BRACKET then
    if byte(pattern, at) == CARET then
      at = at + 1
    end
    repeat
      if at > size then
        error("malformed pattern (missing ']')", 0)
      end
      code = byte(pattern, at)
      at = at + 1
      if code == ESCAPE and at <= size then
        at = at + 1
      end
    until byte(pattern, at) == UNBRACKET
    return at + 1
  end
  return at
end

local function is_class(code, class)
  local set = members[class]
  if set then
    return set[code]
  end
  return code == class
end

-- Whether a byte is in the set that ends, with its bracket, at `last`.
local function in_set(code, at, last)
  local wanted = true
  at = at + 1
  if byte(pattern, at) == CARET then
    wanted = false
    at = at + 1
  end
  while at < last do
    local first = byte(pattern, at)
    if first == ESCAPE then
      at = at + 1
      if is_class(code, byte(pattern, at)) then
        return wanted
      end
      at = at + 1
    elseif byte(pattern, at + 1) == DASH and at + 2 < last then
      if first <= code and code <= byte(pattern, at + 2) then
        return wanted
      end
      at = at + 3
    else
      if first == code then
        return wanted
      end
      at = at + 1
    end
  end
  return not wanted
end

local function is_single(place, at, behind)
  local code = byte(subject, place)
  local class = byte(pattern, at)
  if class == DOT then
    return true
  elseif class == ESCAPE then
    return is_class(code, byte(pattern, at + 1))
  elseif class == BRACKET then
    return in_set(code, at, behind - 1)
  end
  return class == code
end

local function captured(number)
  if number < 1 or number > level or lengths[number] == OPENED then
    error("invalid capture index", 0)
  end
  return number
end

local function balanced(place, at)
  if at + 1 > size then
    error("unbalanced pattern", 0)
  end
  local first, last = byte(pattern, at), byte(pattern, at + 1)
  if place > stop or byte(subject, place) ~= first then
    return nil
  end
  local depth = 1
  for behind = place + 1, stop do
    local code = byte(subject, behind)
    if code == last then
      depth = depth - 1
      if depth == 0 then
        return behind + 1
      end
    elseif code == first then
      depth = depth + 1
    end
  end
  return nil
end

local function with_capture(place, at, kind)
  if level >= MOST_CAPTURES then
    error("too many captures", 0)
  end
  level = level + 1
  starts[level], lengths[level] = place, kind
  local behind = match(place, at)
  if not behind then
    level = level - 1
  end
  return behind
end

local function without_capture(place, at)
  local number = level
  while number > 0 and lengths[number] ~= OPENED do
    number = number - 1
  end
  if number == 0 then
    error("invalid pattern capture", 0)
  end
  lengths[number] = place - starts[number]
  local behind = match(place, at)
  if not behind then
    lengths[number] = OPENED
  end
  return behind
end

local function at_frontier(place, at, behind)
  local before = place == 1 and 0 or byte(subject, place - 1)
  return not in_set(before, at, behind - 1) and in_set(place <= stop and byte(subject, place) or 0, at, behind - 1)
end

local function repeated(place, at, behind, least)
  local count = 0
  while place + count <= stop and is_single(place + count, at, behind) do
    count = count + 1
  end
  while count >= least do
    local found = match(place + count, behind + 1)
    if found then
      return found
    end
    count = count - 1
  end
  return nil
end

local function repeated_least(place, at, behind)
  while true do
    local found = match(place, behind + 1)
    if found then
      return found
    elseif place <= stop and is_single(place, at, behind) then
      place = place + 1
    else
      return nil
    end
  end
end

-- Where the match of the pattern from `at` on, at `place` of the subject, ends (the place behind it), or nil.
function match(place, at)
  while at <= size do
    local code = byte(pattern, at)
    local following = byte(pattern, at + 1)
    if code == OPEN then
      if following == CLOSE then
        return with_capture(place, at + 2, POSITION)
      end
      return with_capture(place, at + 1, OPENED)
    elseif code == CLOSE then
      return without_capture(place, at + 1)
    elseif code == DOLLAR and at == size then
      return place == stop + 1 and place or nil
    elseif code == ESCAPE and following == BALANCE then
      place = balanced(place, at + 2)
      if not place then
        return nil
      end
      at = at + 4
    elseif code == ESCAPE and following == FRONTIER then
      at = at + 2
      if byte(pattern, at) ~= BRACKET then
        error("missing '[' after '%f' in pattern", 0)
      end
      local behind = class_end(at)
      if not at_frontier(place, at, behind) then
        return nil
      end
      at = behind
    elseif code == ESCAPE and following and following >= 48 and following <= 57 then
      local number = captured(following - 48)
      local length = lengths[number]
      if length == POSITION or sub(subject, starts[number], starts[number] + length - 1) ~= sub(subject, place, place + length - 1) then
        return nil
      end
      place, at = place + length, at + 2
    else
      local behind = class_end(at)
      local suffix = byte(pattern, behind)
      if suffix == QUESTION then
        if place <= stop and is_single(place, at, behind) then
          local found = match(place + 1, behind + 1)
          if found then
            return found
          end
        end
        at = behind + 1
      elseif suffix == STAR then
        return repeated(place, at, behind, 0)
      elseif suffix == PLUS then
        return repeated(place, at, behind, 1)
      elseif suffix == DASH then
        return repeated_least(place, at, behind)
      elseif place <= stop and is_single(place, at, behind) then
        place, at = place + 1, behind
      else
        return nil
      end
    end
  end
  return place
end

local function capture(number, first, behind)
  if number > level then
    if number ~= 1 then
      error("invalid capture index", 0)
    end
    return sub(subject, first, behind - 1)
  end
  local length = lengths[number]
  if length == OPENED then
    error("unfinished capture", 0)
  elseif length == POSITION then
    return starts[number]
  end
  return sub(subject, starts[number], starts[number] + length - 1)
end

-- The captures of a match; of one without captures all of it, if `whole`.
local function captures(first, behind, whole)
  local count = level == 0 and whole and 1 or level
  local found = {}
  for number = 1, count do
    found[number] = capture(number, first, behind)
  end
  return unpack(found, 1, count)
end

-- Finds the first match from `place` on: where it begins, and the place behind it. `anchors` says whether a caret in
-- front means the beginning.
local function search(text, given, place, anchors)
  subject, pattern, size, stop = text, given, #given, #text
  local anchored = anchors and byte(given) == CARET
  starts, lengths = {}, {}
  repeat
    level = 0
    local behind = match(place, anchored and 2 or 1)
    if behind then
      return place, behind
    end
    place = place + 1
  until place > stop + 1 or anchored
  return nil
end

-- The same where all captures are wanted: none may be open.
local function search_whole(text, given, place, anchors)
  local first, behind = search(text, given, place, anchors)
  for number = 1, first and level or 0 do
    if lengths[number] == OPENED then
      error("unfinished capture", 0)
    end
  end
  return first, behind
end

-- The same for a function of `string`, which is the one to raise what is wrong with the pattern.
local function found(text, given, place, anchors)
  local succeeded, first, behind = raw_pcall(search_whole, text, given, place, anchors)
  if not succeeded then
    error(first, 3)
  elseif not first then
    return nil
  end
  return first, behind
end

local guarded = {}

local function start_of(init, length)
  if init < 0 then
    init = length + init + 1
  end
  return init < 1 and 1 or min(init, length + 1)
end

function guarded.find(...)
  local text, given, init, plain = ...
  local count = select("#", ...)
  text, given = check_string(text, 1, count), check_string(given, 2, count)
  init = start_of(init == nil and 1 or check_integer(init, 3, count), #text)
  if plain or not raw.find(given, SPECIAL) or not is_risky(text, given) then
    return raw.find(text, given, init, plain)
  end
  local first, behind = found(text, given, init, true)
  if not first then
    return nil
  end
  return first, behind - 1, captures(first, behind, false)
end

function guarded.match(...)
  local text, given, init = ...
  local count = select("#", ...)
  text, given = check_string(text, 1, count), check_string(given, 2, count)
  init = start_of(init == nil and 1 or check_integer(init, 3, count), #text)
  if not is_risky(text, given) then
    return raw.match(text, given, init)
  end
  local first, behind = found(text, given, init, true)
  if not first then
    return nil
  end
  return captures(first, behind, true)
end

function guarded.gmatch(...)
  local text, given = ...
  local count = select("#", ...)
  text, given = check_string(text, 1, count), check_string(given, 2, count)
  if not is_risky(text, given) then
    return raw.gmatch(text, given)
  end
  local place = 1
  return function()
    if place > #text + 1 then
      return nil
    end
    local first, behind = found(text, given, place, false)
    if not first then
      place = #text + 2
      return nil
    end
    place = behind == first and behind + 1 or behind
    return captures(first, behind, true)
  end
end

-- What a string that replaces a match stands for.
local function expanded(replacement, first, behind)
  return (raw.gsub(replacement, "%%(.?)", function(name)
    if name == "0" then
      return sub(subject, first, behind - 1)
    elseif find(name, "%d") then
      return capture(tonumber(name), first, behind)
    end
    -- A lone one at the end escapes the zero byte behind the string.
    return name == "" and "\0" or name
  end))
end

local function replaced(replacement, first, behind)
  local kind = type(replacement)
  local value
  if kind == "string" then
    return expanded(replacement, first, behind)
  elseif kind == "function" then
    value = replacement(captures(first, behind, true))
  else
    value = replacement[capture(1, first, behind)]
  end
  if value == nil or value == false then
    return nil
  elseif type(value) ~= "string" and type(value) ~= "number" then
    error("invalid replacement value (a " .. type(value) .. ")", 0)
  end
  return value
end

local function substitute(text, given, replacement, most)
  local pieces, place, count = {}, 1, 0
  while count < most and place <= #text + 1 do
    local first, behind = search(text, given, place, true)
    if not first then
      break
    end
    count = count + 1
    pieces[#pieces + 1] = sub(text, place, first - 1)
    pieces[#pieces + 1] = replaced(replacement, first, behind) or sub(text, first, behind - 1)
    place = behind
    if behind == first then
      pieces[#pieces + 1] = sub(text, place, place)
      place = place + 1
    end
    if byte(given) == CARET then
      break
    end
  end
  pieces[#pieces + 1] = sub(text, place)
  return concat(pieces), count
end

-- C functions name the line of their caller in what they raise, which is a line of this file.
local function substituted(before, succeeded, ...)
  leave(before)
  if succeeded then
    return ...
  end
  local raised = ...
  if type(raised) == "string" then
    local text = raw.match(raised, "^patterns:%d+: (.*)$")
    if text or not find(raised, ":%d+: ") then
      error(text or raised, 3)
    end
  end
  error(raised, 0)
end

function guarded.gsub(...)
  local text, given, replacement, most = ...
  local count = select("#", ...)
  text, given = check_string(text, 1, count), check_string(given, 2, count)
  most = most == nil and #text + 1 or int32(check_integer(most, 4, count))
  local kind = type(replacement)
  if kind == "number" then
    replacement = tostring(replacement)
  elseif kind ~= "string" and kind ~= "function" and kind ~= "table" then
    fail(3, "string/function/table expected")
  end
  local run = is_risky(text, given) and substitute or raw.gsub
  return substituted(enter(), raw_pcall(run, text, given, replacement, most))
end

return guarded
