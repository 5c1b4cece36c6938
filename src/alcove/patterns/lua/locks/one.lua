-- Held by one at a time: a string, the holder's token, that expires with his lease. Who waits behind a holder or waiter
-- is woken when that one has done, so that nobody is woken in vain (as in the queue locks of Craig, and of Landin and
-- Hagersten).
local WAKES_BY_TAKING = false

local function milliseconds_left()
  return redis.call('GET', held) == token and redis.call('PTTL', held) or 0
end

local function take(lease_ms)
  return redis.call('SET', held, token, 'NX', 'PX', lease_ms)
end

local function renew(lease_ms)
  -- Never shortens a lease.
  if redis.call('PTTL', held) < lease_ms then
    redis.call('PEXPIRE', held, lease_ms)
  end
end

local function give_back()
  -- Whether it was held until now; and the list that wakes who is next.
  local is_ours = redis.call('GET', held) == token
  if is_ours then
    redis.call('DEL', held)
  end
  return is_ours, left
end

local function first_waits_for()
  -- In how many ms it may be free by itself, and by whose `left` it is told before.
  return redis.call('PTTL', held), redis.call('GET', held)
end

local function holders()
  return redis.call('EXISTS', held), redis.call('PTTL', held)
end
