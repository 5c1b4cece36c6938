-- Who waits for something that is held, first come first served. After it comes `one` or `many`: who holds it.
-- KEYS: held (by whom), queue (a sorted set: waiting tokens by their tickets), leases (the same tokens by the ends of
-- their leases as waiters, in ms), left (a list: wakes who waits behind this token), fence (the last one given), and,
-- where many may hold, freed (a list: wakes the first of the queue). ARGV: token, and what the script wants.
local held, queue, leases, left, fence, freed = unpack(KEYS)
local token = ARGV[1]

local function keep_until(key, ends)
  -- The key outlives all that is in it.
  if redis.call('PEXPIRETIME', key) < ends then
    redis.call('PEXPIREAT', key, ends)
  end
end

local function anyone_waits()
  return redis.call('EXISTS', queue) == 1
end

local function first_in_queue()
  -- Nil when nobody waits. A thousand who died are removed at a time.
  if anyone_waits() then
    local dead = redis.call('ZRANGEBYSCORE', leases, '-inf', now(), 'LIMIT', 0, 1000)
    if #dead > 0 then
      redis.call('ZREM', queue, unpack(dead))
      redis.call('ZREM', leases, unpack(dead))
    end
    return redis.call('ZRANGE', queue, 0, 0)[1]
  end
end

local function stay_in_queue(lease_ms)
  -- The place in it, from 0.
  if not redis.call('ZSCORE', queue, token) then
    local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')
    redis.call('ZADD', queue, (last[2] or 0) + 1, token)
  end
  redis.call('ZADD', leases, now() + lease_ms, token)
  keep_until(queue, now() + lease_ms)
  keep_until(leases, now() + lease_ms)
  return redis.call('ZRANK', queue, token)
end

local function leave_queue()
  redis.call('ZREM', leases, token)
  return redis.call('ZREM', queue, token) == 1
end

local function wake(list)
  -- One element wakes the one who waits there, or is about to. If it is lost, he asks again when a lease ends.
  local KEPT_MS = 3000
  if redis.call('EXISTS', list) == 0 then
    redis.call('RPUSH', list, '')
    redis.call('PEXPIRE', list, KEPT_MS)
  end
end
