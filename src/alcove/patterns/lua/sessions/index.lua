-- The sessions of a user: an index of them, and a record for each.
-- The index is a sorted set of digests of ids. The score of a session that lives is its end in ms; that of a tombstone
-- is minus the time from which nobody need know of it any more. A session lives only where the index says so: one write
-- ends any number of them, and no late call brings one back. A record is a hash of '#user', '#created', '#expires' (0
-- for never), '#version', and the fields of the data with a dot before their names. When an id was given a new one, its
-- record is for a while nothing but '#next', the new digest.
-- KEYS: index, record. ARGV: digest, for how many ms a session lives that nobody asks for.
local TOMBSTONE_MS = 600000
local CHUNK = 1000
local at = now()
local index, record = KEYS[1], KEYS[2]
local digest, idle = ARGV[1], tonumber(ARGV[2])

local function text(number)
  return string.format('%.0f', number)
end

local function end_of(session)
  -- nil for one that does not live.
  local score = tonumber(redis.call('ZSCORE', index, session) or 0)
  return score > at and score or nil
end

local function absent()
  local following = redis.call('HGET', record, '#next')
  return following and {'moved', following} or {'gone'}
end

local function keep_index()
  redis.call('ZREMRANGEBYSCORE', index, '(' .. text(-at), text(at))
  local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]
  if last then
    redis.call('PEXPIREAT', index, text(math.max(tonumber(last), at + TOMBSTONE_MS)))
  end
end

local function bury(session, grace)
  redis.call('ZADD', index, text(-at - math.max(TOMBSTONE_MS, grace)), session)
end

local function set_fields(first)
  for i = first, #ARGV, CHUNK do
    redis.call('HSET', record, unpack(ARGV, i, math.min(i + CHUNK - 1, #ARGV)))
  end
end

local function extend(ending)
  local expires = tonumber(redis.call('HGET', record, '#expires'))
  local later = at + idle
  if expires > 0 then
    later = math.min(later, expires)
  end
  if later ~= ending then
    redis.call('ZADD', index, text(later), digest)
    redis.call('PEXPIREAT', record, text(later))
    keep_index()
  end
  return later
end

local function is_another(version)
  return version ~= '' and version ~= redis.call('HGET', record, '#version')
end
