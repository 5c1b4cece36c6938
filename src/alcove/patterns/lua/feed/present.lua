-- Who is there, by lease. KEYS: a sorted set of when whose lease ends. ARGV: what, who, how long in ms.
-- 'enter' and 'leave' answer whether that changed anything, 'list' who is there.
local present, what = KEYS[1], ARGV[1]
redis.call('ZREMRANGEBYSCORE', present, '-inf', now())
if what == 'enter' then
  local is_new = redis.call('ZADD', present, now() + ARGV[3], ARGV[2])
  if redis.call('PTTL', present) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', present, ARGV[3])
  end
  return is_new
elseif what == 'leave' then
  return redis.call('ZREM', present, ARGV[2])
end
return redis.call('ZRANGE', present, 0, -1)
