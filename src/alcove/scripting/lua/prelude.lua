-- The sandbox: the globals that scripts see, how scripts are compiled and run, and what `redis` can do for them.
--
-- This file runs with all of Lua; scripts get nothing but the closures made here. The tables they share are shown to
-- them through empty stand-ins (`freeze`), because Lua 5.1 has no read-only tables: whatever reads or writes past
-- metatables is therefore wrapped. The functions in `host` are Python's; they never raise, and no script sees them.

local host, libraries, arguments, load_patterns = ...

local assert, error, gcinfo, getmetatable, loadstring, next, pairs, rawget, select, setfenv, setmetatable, tonumber,
  tostring, type, unpack = assert, error, gcinfo, getmetatable, loadstring, next, pairs, rawget, select, setfenv,
  setmetatable, tonumber, tostring, type, unpack
local raw_pcall, raw_rawset, raw_xpcall, raw_collectgarbage, raw_insert, raw_rep =
  pcall, rawset, xpcall, collectgarbage, table.insert, string.rep
local raw_create, raw_resume = coroutine.create, coroutine.resume
local byte, concat, dump, find, floor, format, match, sub =
  string.byte, table.concat, string.dump, string.find, math.floor, string.format, string.match, string.sub
local debug_getmetatable, getinfo, sethook = debug.getmetatable, debug.getinfo, debug.sethook
local fail, check_integer, check_string, int32, truncated =
  arguments.fail, arguments.integer, arguments.string, arguments.int32, arguments.truncated

-- How many instructions a script runs before the clock is looked at.
local STEP = 10000
-- What C does in one instruction takes time as well: so many bytes, and the clock is looked at.
local MUCH = 100000
-- Coroutines inside coroutines, and callbacks of gsub inside each other, take much of the C stack.
local MOST_NESTED = 16
-- Lua's own bound for what a C function takes or returns is 8000.
local MOST_VALUES = 7900
-- How far below its first place something may be inserted into a table.
local MOST_MOVED = 1e6
local READONLY = "Attempt to modify a readonly table"
local CALL_ARGUMENTS = "ERR Lua redis lib command arguments must be strings or integers"

-- Read-only tables

local contents_of = setmetatable({}, { __mode = "k" })
local metatable_of = setmetatable({}, { __mode = "k" })

local function deny()
  error(READONLY, 2)
end

-- What scripts see instead of `contents`; `metatable` is what getmetatable shows them.
local function freeze(contents, metatable)
  local shown = setmetatable({}, { __index = contents, __newindex = deny, __metatable = false })
  contents_of[shown] = contents
  metatable_of[shown] = metatable
  return shown
end

-- Memory

local NO_MEMORY = "ERR not enough memory"

-- Before anything is handed to Python or comes from there, because what fails for lack of memory then ends the process.
local most_kilobytes = host.most_kilobytes

local function check_memory()
  if gcinfo() > most_kilobytes then
    raw_collectgarbage("collect")
    if gcinfo() > most_kilobytes then
      error("not enough memory", 0)
    end
  end
end

-- Time

-- Why the script that runs is to end; then nothing of it runs any more, whatever it catches.
local killed

-- Asks, unless that is known, whether the script is to end: why, or nil.
local function asked()
  if not killed then
    if gcinfo() > most_kilobytes then
      raw_collectgarbage("collect")
    end
    killed = gcinfo() > most_kilobytes and NO_MEMORY or host.tick()
  end
  return killed
end

local function hook()
  if asked() then
    sethook(hook, "l", 1)
    if getinfo(2, "S").source ~= "=prelude" then
      error(killed, 0)
    end
  end
end

-- How deep coroutines and callbacks of C functions are nested.
local nested = 0

local function unnested(before, ...)
  nested = before
  if killed then
    error(killed, 0)
  end
  return ...
end

local function nest()
  if nested >= MOST_NESTED then
    error("C stack overflow", 3)
  end
  nested = nested + 1
  return nested - 1
end

local function unnest(before)
  nested = before
  if killed then
    error(killed, 0)
  end
end

-- Our own files, which scripts call into: none is the place of a script's error.
local OURS = {}
for _, name in ipairs({ "prelude", "arguments", "floats", "patterns", "bit", "struct", "cjson", "cmsgpack", "functions" }) do
  OURS["=" .. name] = true
end

-- The globals of scripts

local globals = {}
local G

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

setmetatable(globals, { __index = missing })
G = freeze(globals, freeze({ __index = missing }))

local function plain(...)
  for _, name in ipairs({ ... }) do
    globals[name] = _G[name]
  end
end

plain("_VERSION", "assert", "gcinfo", "ipairs", "rawequal", "select", "tonumber", "tostring", "type")
globals._G = G

function globals.pairs(...)
  local shown = ...
  if type(shown) ~= "table" then
    fail(1, "table expected, got " .. (select("#", ...) == 0 and "no value" or type(shown)))
  end
  local contents = contents_of[shown]
  if not contents then
    return next, shown, nil
  end
  return function(_, key)
    return next(contents, key)
  end, shown, nil
end

function globals.next(...)
  local shown, key = ...
  if type(shown) ~= "table" then
    fail(1, "table expected, got " .. (select("#", ...) == 0 and "no value" or type(shown)))
  end
  return next(contents_of[shown] or shown, key)
end

function globals.rawget(...)
  local shown, key = ...
  if type(shown) ~= "table" then
    fail(1, "table expected, got " .. (select("#", ...) == 0 and "no value" or type(shown)))
  elseif select("#", ...) < 2 then
    fail(2, "value expected")
  end
  return rawget(contents_of[shown] or shown, key)
end

function globals.rawset(...)
  local shown, key, value = ...
  if type(shown) ~= "table" then
    fail(1, "table expected, got " .. (select("#", ...) == 0 and "no value" or type(shown)))
  elseif select("#", ...) < 3 then
    fail(select("#", ...) + 1, "value expected")
  elseif contents_of[shown] then
    error(READONLY, 0)
  end
  return raw_rawset(shown, key, value)
end

function globals.getmetatable(...)
  local value = ...
  if select("#", ...) == 0 then
    fail(1, "value expected")
  elseif contents_of[value] then
    return metatable_of[value]
  end
  return getmetatable(value)
end

function globals.setmetatable(...)
  local shown, metatable = ...
  if type(shown) ~= "table" then
    fail(1, "table expected, got " .. (select("#", ...) == 0 and "no value" or type(shown)))
  elseif select("#", ...) < 2 or (metatable ~= nil and type(metatable) ~= "table") then
    fail(2, "nil or table expected")
  elseif contents_of[shown] then
    error(READONLY, 0)
  elseif getmetatable(shown) ~= nil and rawget(debug_getmetatable(shown), "__metatable") ~= nil then
    error("cannot change a protected metatable", 2)
  end
  return setmetatable(shown, metatable)
end

function globals.unpack(...)
  local shown, first, last = ...
  local count = select("#", ...)
  if type(shown) ~= "table" then
    fail(1, "table expected, got " .. (count == 0 and "no value" or type(shown)))
  end
  first = first == nil and 1 or int32(check_integer(first, 2, count))
  last = last == nil and #shown or int32(check_integer(last, 3, count))
  if last - first >= MOST_VALUES then
    error("too many results to unpack", 2)
  end
  return unpack(shown, first, last)
end

-- An error that is a table with an `err`, such as those of `redis.call`, is that text to who catches it.
local function caught(before, succeeded, ...)
  nested = before
  if succeeded then
    return true, ...
  elseif killed then
    error(killed, 0)
  end
  local raised = ...
  if type(raised) == "table" then
    local text = rawget(raised, "err")
    if type(text) == "string" then
      return false, text
    end
  end
  return false, raised
end

function globals.pcall(...)
  if select("#", ...) == 0 then
    fail(1, "value expected")
  end
  return caught(nested, raw_pcall(...))
end

function globals.xpcall(...)
  local called, handler = ...
  if select("#", ...) < 2 then
    fail(2, "value expected")
  end
  -- The handler is called where the error is raised: that of a kill, in the hook, where no hook is called again.
  return unnested(nested, raw_xpcall(called, function(raised)
    if killed then
      return raised
    end
    return handler(raised)
  end))
end

-- What the collector answers, where that is the same each time.
local COLLECTOR = { collect = 0, count = 0, step = 0, stop = 0, restart = 0, setpause = 200, setstepmul = 200 }

function globals.collectgarbage(...)
  local option, argument = ...
  local count = select("#", ...)
  option = option == nil and "collect" or check_string(option, 1, count)
  local answer = COLLECTOR[option]
  if not answer then
    fail(1, "invalid option '" .. match(option, "^%Z*") .. "'")
  end
  argument = argument == nil and 0 or check_integer(argument, 2, count)
  if option == "collect" or option == "count" then
    return raw_collectgarbage(option)
  elseif option == "step" then
    return raw_collectgarbage(option, argument)
  end
  -- What one script sets would hold for those that come after it.
  return answer
end

local function load_text(text, name)
  if byte(text) == 27 then
    -- Bytecode, which could do anything; with a blank in front it is text that makes no sense.
    text = " " .. text
  end
  local loaded, problem = loadstring(text, name)
  if not loaded then
    return nil, problem
  end
  return setfenv(loaded, G)
end

-- The frame so many levels above a function of ours that the script called, as if there were none of ours.
local function frame(level)
  local place = 3
  local info
  while level > 0 do
    info = getinfo(place, "Sl")
    if not info then
      return nil
    elseif not OURS[info.source] then
      level = level - 1
    end
    place = place + 1
  end
  return info
end

-- As error itself, which would take a frame of ours for the script's, or name one of our lines.
function globals.error(...)
  local raised, level = ...
  level = level == nil and 1 or check_integer(level, 2, select("#", ...))
  if level > 0 and (type(raised) == "string" or type(raised) == "number") then
    local info = frame(level)
    if info and info.currentline > 0 then
      raised = info.short_src .. ":" .. info.currentline .. ": " .. raised
    end
  end
  error(raised, 0)
end

function globals.loadstring(...)
  local text, name = ...
  text = check_string(text, 1, select("#", ...))
  return load_text(text, name == nil and text or check_string(name, 2, 2))
end

function globals.load(...)
  local reader, name = ...
  name = name == nil and "=(load)" or check_string(name, 2, 2)
  if type(reader) ~= "function" then
    fail(1, "function expected, got " .. (select("#", ...) == 0 and "no value" or type(reader)))
  end
  local pieces = {}
  while true do
    local piece = reader()
    if piece == nil or piece == "" then
      break
    elseif type(piece) ~= "string" and type(piece) ~= "number" then
      return nil, "reader function must return a string"
    end
    pieces[#pieces + 1] = piece
  end
  return load_text(concat(pieces), name)
end

-- The standard libraries

local function copied(library, without)
  local copy = {}
  for name, value in pairs(library) do
    copy[name] = value
  end
  for _, name in ipairs(without or {}) do
    copy[name] = nil
  end
  return copy
end

local strings = copied(string)
local tables = copied(table)
local mathematics = copied(math)
local coroutines = copied(coroutine)

for name, guarded in pairs(load_patterns(arguments, nest, unnest)) do
  strings[name] = guarded
end

function strings.rep(...)
  local text, times = ...
  local count = select("#", ...)
  text = check_string(text, 1, count)
  times = check_integer(times, 2, count)
  if text == "" or times < 1 then
    return ""
  elseif #text * times > host.most_bytes then
    error("not enough memory", 0)
  elseif #text * times > MUCH and asked() then
    error(killed, 0)
  end
  return raw_rep(text, times)
end

function tables.insert(...)
  local shown, place = ...
  local count = select("#", ...)
  if type(shown) ~= "table" then
    fail(1, "table expected, got " .. (count == 0 and "no value" or type(shown)))
  elseif count == 2 then
    if contents_of[shown] then
      error(READONLY, 0)
    end
    return raw_insert(...)
  elseif count ~= 3 then
    error("wrong number of arguments to 'insert'", 2)
  end
  place = int32(check_integer(place, 2, count))
  if contents_of[shown] then
    error(READONLY, 0)
  elseif place < -MOST_MOVED then
    -- Lua moves what is behind the place, even where there is nothing.
    error("position out of bounds", 2)
  end
  return raw_insert(...)
end

-- The linear congruence of drand48, which the real server uses so that a seed means the same on every machine.
local RANDOM_MOST = 2 ^ 31 - 1
local seed_high, seed_low

local function set_seed(number)
  seed_high, seed_low = floor(number % 2 ^ 32 / 2 ^ 8), number % 2 ^ 8 * 2 ^ 16 + 0x330E
end

local function random_31_bits()
  -- 48 bits in two halves of 24, times 0x5DEECE66D, plus 11.
  local low = seed_low * 0xECE66D % 2 ^ 48 + 11
  local middle = seed_high * 0xECE66D + seed_low * 0x5DE
  seed_high = (middle + floor((seed_low * 0xECE66D + 11) / 2 ^ 24)) % 2 ^ 24
  seed_low = low % 2 ^ 24
  return floor((seed_high * 2 ^ 24 + seed_low) / 2 ^ 17)
end

function mathematics.random(...)
  local low, high = ...
  local count = select("#", ...)
  local chance = random_31_bits() % RANDOM_MOST / RANDOM_MOST
  if count == 0 then
    return chance
  elseif count == 1 then
    high = check_integer(low, 1, count)
    if high < 1 then
      fail(1, "interval is empty")
    end
    return floor(chance * high) + 1
  elseif count ~= 2 then
    error("wrong number of arguments", 2)
  end
  low, high = check_integer(low, 1, count), check_integer(high, 2, count)
  if low > high then
    fail(2, "interval is empty")
  end
  return floor(chance * (high - low + 1)) + low
end

function mathematics.randomseed(...)
  set_seed(check_integer((...), 1, select("#", ...)))
end

set_seed(host.seed)

local function new_coroutine(body)
  local thread = raw_create(body)
  sethook(thread, hook, "", STEP)
  return thread
end

local function resume(thread, ...)
  local before = nested
  if before >= MOST_NESTED then
    return false, "C stack overflow"
  end
  nested = before + 1
  return unnested(before, raw_resume(thread, ...))
end

local function check_body(body)
  if type(body) ~= "function" or getinfo(body, "S").what == "C" then
    error(format("bad argument #1 to '%s' (Lua function expected)", getinfo(2, "n").name or "?"), 3)
  end
end

function coroutines.create(body)
  check_body(body)
  return new_coroutine(body)
end

function coroutines.resume(...)
  local thread = ...
  if type(thread) ~= "thread" then
    fail(1, "coroutine expected")
  end
  return resume(...)
end

local function unwrapped(succeeded, ...)
  if not succeeded then
    error((...), 3)
  end
  return ...
end

function coroutines.wrap(body)
  check_body(body)
  local thread = new_coroutine(body)
  return function(...)
    return unwrapped(resume(thread, ...))
  end
end

globals.string = freeze(strings)
globals.table = freeze(tables)
globals.math = freeze(mathematics)
globals.coroutine = freeze(coroutines)
globals.os = freeze({ clock = os.clock })
for name, library in pairs(libraries) do
  globals[name] = freeze(library)
end

local of_strings = debug_getmetatable("")
of_strings.__index = strings
of_strings.__metatable = freeze({ __index = globals.string })

-- Replies to scripts: what `host.run` and `host.more` answer (see `tokens_of` in conversion.py)

local NIL, ERROR, STATUS, FLAT, TREE, MISTAKE = 0, 1, 2, 3, 4, 5
local TOKEN_NIL, TOKEN_PLAIN, TOKEN_STATUS, TOKEN_ARRAY, TOKEN_MAP, TOKEN_SET, TOKEN_DOUBLE, TOKEN_BIG, TOKEN_VERBATIM,
  TOKEN_ERROR = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

-- An error that the engine has counted.
local function failure(text)
  return { err = text, ignore_error_stats_update = true }
end

local function appended(tokens, count, ...)
  local more = { ... }
  local size = select("#", ...)
  for place = 1, size do
    tokens[count + place] = more[place]
  end
  return count + size
end

local function grown(tokens, place)
  local kind, payload = tokens[place], tokens[place + 1]
  place = place + 2
  if kind == TOKEN_PLAIN then
    return payload, place
  elseif kind == TOKEN_NIL then
    return nil, place
  elseif kind == TOKEN_STATUS then
    return { ok = payload }, place
  elseif kind == TOKEN_DOUBLE then
    return { double = payload }, place
  elseif kind == TOKEN_BIG then
    return { big_number = payload }, place
  elseif kind == TOKEN_VERBATIM then
    return { verbatim_string = { format = "txt", string = payload } }, place
  elseif kind == TOKEN_ERROR then
    return failure(payload), place
  end
  local elements = {}
  local element, value
  if kind == TOKEN_ARRAY then
    for position = 1, payload do
      elements[position], place = grown(tokens, place)
    end
    return elements, place
  end
  for _ = 1, payload do
    element, place = grown(tokens, place)
    if kind == TOKEN_MAP then
      value, place = grown(tokens, place)
    else
      value = true
    end
    if element ~= nil then
      elements[element] = value
    end
  end
  return kind == TOKEN_MAP and { map = elements } or { set = elements }, place
end

local function received(raises, value, kind, ...)
  if value ~= nil then
    return value
  elseif kind == nil then
    return { ok = "OK" }
  elseif kind == NIL then
    return nil
  elseif kind == STATUS then
    return { ok = (...) }
  elseif kind == FLAT then
    return { ... }
  elseif kind == TREE then
    local total = ...
    local tokens = {}
    local count = 0
    while count < total do
      check_memory()
      local before = count
      count = appended(tokens, count, host.more())
      if count == before then
        error("not enough memory", 0)
      end
    end
    return (grown(tokens, 1))
  end
  local raised = kind == MISTAKE and { err = (...) } or failure((...))
  if raises then
    error(raised)
  end
  return raised
end

-- `redis`

local redis = {}
local run = host.run

function redis.call(...)
  if gcinfo() > most_kilobytes then
    check_memory()
  end
  return received(true, run(...))
end

function redis.pcall(...)
  if gcinfo() > most_kilobytes then
    check_memory()
  end
  return received(false, run(...))
end

local function one_string(field, ...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  return { [field] = text }
end

function redis.status_reply(...)
  return one_string("ok", ...)
end

function redis.error_reply(...)
  local reply = one_string("err", ...)
  if select("#", ...) ~= 1 or type((...)) ~= "string" then
    return reply
  end
  local text = sub(reply.err, 1, 1) == "-" and sub(reply.err, 2) or reply.err
  -- A text of one word has no code.
  reply.err = find(text, " ", 1, true) and text or "ERR " .. text
  return reply
end

local function raised(text)
  error({ err = text })
end

function redis.sha1hex(...)
  if select("#", ...) ~= 1 then
    raised("ERR wrong number of arguments")
  end
  local text = ...
  if type(text) == "number" then
    text = tostring(text)
  elseif type(text) ~= "string" then
    text = ""
  end
  check_memory()
  return host.sha1hex(text)
end

redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3

function redis.log(...)
  local level = ...
  if select("#", ...) < 2 then
    raised("ERR redis.log() requires two arguments or more.")
  end
  level = tonumber(level)
  if not level then
    raised("ERR First argument must be a number (log level).")
  end
  level = truncated(level)
  if level < redis.LOG_DEBUG or level > redis.LOG_WARNING then
    raised("ERR Invalid debug level.")
  end
  local words = {}
  for place = 2, select("#", ...) do
    local word = select(place, ...)
    if type(word) == "string" or type(word) == "number" then
      words[#words + 1] = word
    end
  end
  host.log(level, concat(words, " "))
end

function redis.setresp(...)
  local version = ...
  if select("#", ...) ~= 1 then
    raised("ERR redis.setresp() requires one argument.")
  end
  version = truncated(tonumber(version) or 0)
  if version ~= 2 and version ~= 3 then
    raised("ERR RESP version must be 2 or 3.")
  end
  host.setresp(version)
end

redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3

function redis.set_repl(...)
  local flags = ...
  if select("#", ...) ~= 1 then
    raised("ERR redis.set_repl() requires two arguments.")
  end
  flags = truncated(tonumber(flags) or 0)
  if flags < redis.REPL_NONE or flags > redis.REPL_ALL then
    raised("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
  end
  host.set_repl(flags)
end

function redis.replicate_commands()
  return true
end

function redis.acl_check_cmd(...)
  check_memory()
  local allowed = host.acl_check_cmd(...)
  if type(allowed) == "string" then
    raised(allowed)
  end
  return allowed
end

redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = host.version, host.version_number
globals.redis = freeze(redis)
globals.server = globals.redis

-- Replies of scripts: what their values are to `reply_of` in conversion.py

local MOST_DEPTH = 2000
local ANSWER_FLAT, ANSWER_TREE, ANSWER_ERROR, ANSWER_EMPTY = 1, 2, 4, 5
local MOST_FLAT = 200
local CHUNK = 400

local function count_of(table)
  local count = 0
  for _ in next, table do
    count = count + 1
  end
  return count
end

-- What a table stands for: the kind of token, and its payload.
local function meaning(value)
  local field = rawget(value, "err")
  if type(field) == "string" then
    return TOKEN_ERROR, field
  end
  field = rawget(value, "ok")
  if type(field) == "string" then
    return TOKEN_STATUS, field
  end
  field = rawget(value, "double")
  if type(field) == "number" then
    return TOKEN_DOUBLE, field
  end
  field = rawget(value, "map")
  if type(field) == "table" then
    return TOKEN_MAP, contents_of[field] or field
  end
  field = rawget(value, "set")
  if type(field) == "table" then
    return TOKEN_SET, contents_of[field] or field
  end
  field = rawget(value, "big_number")
  if type(field) == "string" then
    return TOKEN_BIG, field
  end
  field = rawget(value, "verbatim_string")
  if type(field) == "table" then
    local text = rawget(field, "string")
    if type(text) == "string" and type(rawget(field, "format")) == "string" then
      return TOKEN_VERBATIM, text
    end
  end
  return TOKEN_ARRAY, value
end

local tokens, filled

local function put(kind, payload)
  if filled >= CHUNK then
    if killed then
      error(killed, 0)
    elseif not host.emit(unpack(tokens, 1, filled)) then
      error("ERR the reply is too large", 0)
    end
    filled = 0
  end
  tokens[filled + 1], tokens[filled + 2] = kind, payload
  filled = filled + 2
end

local function put_value(value, depth)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then
    return put(TOKEN_PLAIN, value)
  elseif kind ~= "table" then
    return put(TOKEN_NIL, 0)
  elseif depth > MOST_DEPTH then
    error("ERR reached lua stack limit", 0)
  end
  local payload
  kind, payload = meaning(value)
  if kind == TOKEN_ARRAY then
    local count = 0
    while rawget(payload, count + 1) ~= nil do
      count = count + 1
    end
    put(kind, count)
    for place = 1, count do
      put_value(rawget(payload, place), depth + 1)
    end
  elseif kind == TOKEN_MAP or kind == TOKEN_SET then
    put(kind, count_of(payload))
    for key, element in next, payload do
      put_value(key, depth + 1)
      if kind == TOKEN_MAP then
        put_value(element, depth + 1)
      end
    end
  else
    put(kind, payload)
  end
end

local function is_flat(value)
  local count = 0
  for place = 1, MOST_FLAT do
    local element = rawget(value, place)
    local kind = type(element)
    if kind == "nil" then
      return count
    elseif kind ~= "string" and kind ~= "number" then
      return nil
    end
    count = place
  end
  return nil
end

local function answer(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then
    return value
  elseif kind ~= "table" then
    return nil
  end
  local stands_for, text = meaning(value)
  if stands_for == TOKEN_ERROR then
    return ANSWER_ERROR, text, nil, nil, rawget(value, "ignore_error_stats_update") == true
  elseif stands_for == TOKEN_ARRAY then
    local count = is_flat(value)
    if count == 0 then
      return ANSWER_EMPTY, false
    elseif count then
      return ANSWER_FLAT, unpack(value, 1, count)
    end
  end
  tokens, filled = {}, 0
  local succeeded, problem = raw_pcall(put_value, value, 1)
  if not succeeded then
    tokens = nil
    return ANSWER_ERROR, problem
  end
  local last = tokens
  tokens = nil
  return ANSWER_TREE, unpack(last, 1, filled)
end

-- Running

local function position()
  local level = 3
  while true do
    local info = getinfo(level, "Sl")
    if not info then
      return nil
    elseif info.what ~= "C" and not OURS[info.source] and info.currentline > 0 then
      return info
    end
    level = level + 1
  end
end

-- What an uncaught error is to the runner: a table with `err`, and with the place in the script.
local function handler(raised)
  if type(raised) ~= "table" then
    raised = { err = "ERR " .. tostring(raised) }
  elseif contents_of[raised] then
    raised = { err = "ERR unknown error" }
  end
  local info = position()
  if info then
    raw_rawset(raised, "source", info.source)
    raw_rawset(raised, "line", info.currentline)
  end
  return raised
end

globals.__redis__err__handler = handler

local function finished(succeeded, value)
  if killed then
    sethook(hook, "", STEP)
    local reason = killed
    killed = nil
    if not succeeded then
      value = type(value) == "table" and value or {}
      return ANSWER_ERROR, reason, tostring(rawget(value, "source")), rawget(value, "line")
    end
  end
  if gcinfo() > most_kilobytes then
    raw_collectgarbage("collect")
    if gcinfo() > most_kilobytes then
      return ANSWER_ERROR, NO_MEMORY
    end
  end
  if succeeded then
    return answer(value)
  elseif type(value) ~= "table" then
    -- The handler itself failed, as it does when the stack is full.
    return ANSWER_ERROR, "ERR " .. tostring(value)
  end
  local text, source, line = rawget(value, "err"), rawget(value, "source"), rawget(value, "line")
  if type(text) ~= "string" then
    text = "ERR unknown error"
  end
  return ANSWER_ERROR, text, source, line, rawget(value, "ignore_error_stats_update") == true
end

local function set_one_key(key, ...)
  globals.KEYS, globals.ARGV = { key }, { ... }
end

local function set_arguments(count, ...)
  local all = { ... }
  globals.KEYS = { unpack(all, 1, count) }
  globals.ARGV = { unpack(all, count + 1, select("#", ...)) }
end

-- Runs a function without arguments: what Python gets of its result, or of the error that it did not catch.
local function run_body(body)
  nested = 0
  if killed then
    -- The last script was killed when it had ended, and only its result was on its way.
    killed = nil
    sethook(hook, "", STEP)
  end
  local succeeded, value = raw_xpcall(body, handler)
  if succeeded and not killed and gcinfo() <= most_kilobytes then
    -- What most scripts answer.
    local kind = type(value)
    if kind == "string" or kind == "number" then
      return value
    end
  end
  return finished(succeeded, value)
end

local sandbox = {
  freeze = freeze, globals = globals, finished = finished, handler = handler, load_text = load_text,
  check_memory = check_memory, run = run_body,
}

-- Begins, and goes on with, arguments that are too many for one call.
function sandbox.begin_arguments()
  globals.KEYS, globals.ARGV = {}, {}
end

function sandbox.add_arguments(name, count, ...)
  appended(globals[name], count, ...)
end

-- A chunk that keeps the frames of who calls our closures last; as it is where there is no memory for that.
local function untailed(body)
  local code = dump(body)
  if gcinfo() + #code / 1024 > most_kilobytes then
    return body
  end
  return loadstring(host.without_tail_calls(code))
end

sandbox.untailed = untailed

-- What runs a script, given how many of the arguments are keys (-1: KEYS and ARGV are there already); or nil and why
-- it cannot be compiled.
function sandbox.compile(text)
  local body, problem = load_text(text, "@user_script")
  if not body then
    return nil, problem
  end
  body = setfenv(untailed(body), G)
  check_memory()
  return function(keys, ...)
    if keys == 1 then
      set_one_key(...)
    elseif keys == 0 then
      globals.KEYS, globals.ARGV = {}, { ... }
    elseif keys > 0 then
      set_arguments(keys, ...)
    end
    return run_body(body)
  end
end

sethook(hook, "", STEP)
return sandbox
