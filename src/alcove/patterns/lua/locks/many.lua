-- Held by many at a time: a sorted set of tokens by the ends of their leases, in ms. A permit is a member of it; the
-- first is the token itself. The first of the queue waits on `freed`, which whoever gives back fills, and the others for
-- the one before them, who may leave room when he takes his.
-- The last of ARGV: kind ('permits', 'read' or 'write'), how many permits are asked for, and how many there are.
local WAKES_BY_TAKING = true
local kind, permits, limit = ARGV[#ARGV - 2], tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])
local members = {token}
for i = 2, permits do
  members[i] = token .. '#' .. i
end

local function milliseconds_left()
  local ends = redis.call('ZSCORE', held, token)
  return ends and math.max(0, ends - now()) or 0
end

local function renew(lease_ms)
  -- Never shortens a lease.
  local scored = {}
  for i, member in ipairs(members) do
    scored[2 * i - 1], scored[2 * i] = now() + lease_ms, member
  end
  redis.call('ZADD', held, 'GT', unpack(scored))
  keep_until(held, now() + lease_ms)
end

local function fits()
  redis.call('ZREMRANGEBYSCORE', held, '-inf', now())
  local count = redis.call('ZCARD', held)
  if count == 0 then
    return true
  elseif kind == 'permits' then
    return count + permits <= limit
  end
  -- A reader's token begins with r.
  return kind == 'read' and string.sub(redis.call('ZRANGE', held, 0, 0)[1], 1, 1) == 'r'
end

local function take(lease_ms)
  if fits() then
    renew(lease_ms)
    return true
  end
  return false
end

local function give_back()
  -- Whether it was held until now; and the list that wakes who is next.
  local was_held = milliseconds_left() > 0
  redis.call('ZREM', held, unpack(members))
  return was_held, freed
end

local function first_waits_for()
  -- In how many ms there may be room by itself; he is told on `freed` before.
  return redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')[2] - now(), ''
end

local function holders()
  local last = redis.call('ZRANGE', held, -1, -1, 'WITHSCORES')
  return redis.call('ZCOUNT', held, '(' .. now(), '+inf'), last[2] and last[2] - now() or 0
end
