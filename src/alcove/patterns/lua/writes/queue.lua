-- Writes that wait for their store. KEYS, all of one shard: what is pending for each key, when it is due, what is on
-- its way to the store, until when that is believed, what was given up, and the last version.
-- A write is packed: {version, when the first of its changes was made, attempts, {field, value ...}, token, error}.
-- Of a key at most one write is on its way. What is changed meanwhile becomes one pending write that follows it.
local pending, due, flying, leases, dead, versions = unpack(KEYS, 1, 6)

local function load(from, key)
  local packed = redis.call('HGET', from, key)
  return packed and cmsgpack.unpack(packed)
end

local function save(into, key, write)
  redis.call('HSET', into, key, cmsgpack.pack(write))
end

-- Later fields replace earlier ones of their names.
local function merge(fields, more)
  local at = {}
  for i = 1, #fields, 2 do
    at[fields[i]] = i
  end
  for i = 1, #more, 2 do
    local place = at[more[i]]
    if not place then
      place = #fields + 1
      fields[place] = more[i]
      at[more[i]] = place
    end
    fields[place + 1] = more[i + 1]
  end
  return fields
end

local function end_flight(key)
  redis.call('HDEL', flying, key)
  redis.call('ZREM', leases, key)
  if redis.call('HEXISTS', pending, key) == 1 then
    redis.call('ZADD', due, 'NX', now(), key)
  end
end

local function give_up(key, write)
  save(dead, key, write)
  end_flight(key)
end
