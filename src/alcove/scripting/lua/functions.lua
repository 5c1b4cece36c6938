-- Libraries of functions: what their code sees while it is loaded and when its functions run, `register_function`, and
-- how a function is called.
--
-- All libraries have the same globals. While one is loaded these hold `redis` alone, and of it only what does nothing
-- to the data; when its functions run, all that scripts have but KEYS and ARGV, which are given to them.

local sandbox, host, register = ...

local error, getmetatable, loadstring, next, pairs, select, setfenv, setmetatable, tostring, type, unpack =
  error, getmetatable, loadstring, next, pairs, select, setfenv, setmetatable, tostring, type, unpack
local lower = string.lower
local debug_getmetatable = debug.getmetatable
local freeze, globals, run = sandbox.freeze, sandbox.globals, sandbox.run

-- Raises an error that names no line, as the real server's own functions do.
local function refuse(text)
  error({ err = "ERR " .. text })
end

-- What `redis` is to libraries

local redis = debug_getmetatable(globals.redis).__index
local loading_redis, running_redis = {}, {}
for name, value in pairs(redis) do
  running_redis[name] = value
end
running_redis.replicate_commands = nil
local HARMLESS = {
  "LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING", "REDIS_VERSION", "REDIS_VERSION_NUM", "log",
}
for _, name in next, HARMLESS do
  loading_redis[name] = redis[name]
end

-- A string of the user's, or the text of a number; nil for anything else.
local function text_of(value)
  if type(value) == "string" then
    return value
  end
  return type(value) == "number" and tostring(value) or nil
end

-- More different flags than there are.
local TOO_MANY_FLAGS = 100

-- The flags in a table, which are those before its first nil, each of them once.
local function flags_of(value)
  if type(value) ~= "table" then
    refuse("flags argument to redis.register_function must be a table representing function flags")
  end
  local flags, seen, place = {}, {}, 1
  while value[place] ~= nil do
    local flag = text_of(value[place])
    if not flag or #flags == TOO_MANY_FLAGS then
      refuse("unknown flag given")
    elseif not seen[flag] then
      seen[flag], flags[#flags + 1] = true, flag
    end
    place = place + 1
  end
  return flags
end

local function text_argument(name, value)
  return text_of(value) or refuse(name .. " argument given to redis.register_function must be a string")
end

-- What each of the named arguments may be.
local NAMED = {
  function_name = text_argument,
  description = text_argument,
  callback = function(_, value)
    if type(value) ~= "function" then
      refuse("callback argument given to redis.register_function must be a function")
    end
    return value
  end,
  flags = function(_, value)
    return flags_of(value)
  end,
}

local function named_arguments(given)
  local arguments = {}
  for key, value in next, given do
    key = text_of(key) or refuse("named argument key given to redis.register_function is not a string")
    key = lower(key)
    local check = NAMED[key] or refuse("unknown argument given to redis.register_function")
    arguments[key] = check(key, value)
  end
  if not arguments.function_name then
    refuse("redis.register_function must get a function name argument")
  elseif not arguments.callback then
    refuse("redis.register_function must get a callback argument")
  end
  return arguments
end

local function positional_arguments(name, callback)
  name = text_of(name) or refuse("first argument to redis.register_function must be a string")
  if type(callback) ~= "function" then
    refuse("second argument to redis.register_function must be a function")
  end
  return { function_name = name, callback = callback }
end

-- What runs a function, given how many of the arguments are keys (see `sandbox.compile`).
local function runner_of(callback)
  local keys, rest
  -- What it was given does not outlive the call.
  local function body()
    local its_keys, its_rest = keys, rest
    keys, rest = nil, nil
    return callback(its_keys, its_rest)
  end
  return function(count, ...)
    if count < 0 then
      keys, rest = globals.KEYS, globals.ARGV
    elseif count == 0 then
      keys, rest = {}, { ... }
    elseif count == 1 then
      keys, rest = { (...) }, { select(2, ...) }
    else
      local all = { ... }
      keys, rest = { unpack(all, 1, count) }, { unpack(all, count + 1, select("#", ...)) }
    end
    return run(body)
  end
end

function loading_redis.register_function(...)
  local count = select("#", ...)
  local first, second = ...
  local arguments
  if count < 1 or count > 2 then
    refuse("wrong number of arguments to redis.register_function")
  elseif count == 2 then
    arguments = positional_arguments(first, second)
  elseif type(first) == "table" then
    arguments = named_arguments(first)
  else
    refuse(
      "calling redis.register_function with a single argument is only applicable to Lua table "
        .. "(representing named arguments)."
    )
  end
  local flags = arguments.flags or {}
  sandbox.check_memory()
  local problem =
    register(arguments.function_name, runner_of(arguments.callback), arguments.description or false, unpack(flags))
  if problem then
    error({ err = problem })
  end
end

-- The globals

local missing = getmetatable(globals)
local running = setmetatable({}, missing)
for name, value in pairs(globals) do
  running[name] = value
end
running.KEYS, running.ARGV, running.__redis__err__handler = nil, nil, nil
running.redis = freeze(running_redis)
running.server = running.redis

local loading = setmetatable({}, missing)
loading.redis = freeze(setmetatable(loading_redis, missing))
loading.server = loading.redis

local shown = freeze(running, freeze(missing))
running._G = shown

-- What scripts compile sees the globals of the function that compiles it.
for _, name in next, { "load", "loadstring" } do
  local compile = globals[name]
  running[name] = function(...)
    local loaded, problem = compile(...)
    return loaded and setfenv(loaded, shown), problem
  end
end

local function loaded(...)
  debug_getmetatable(shown).__index = running
  return ...
end

-- The code of a library as what runs it, or nil and why it cannot be compiled.
return function(code)
  local body, problem = loadstring(code, "@user_function")
  if not body then
    return nil, problem
  end
  body = setfenv(sandbox.untailed(body), shown)
  sandbox.check_memory()
  return function()
    debug_getmetatable(shown).__index = loading
    return loaded(run(body))
  end
end
