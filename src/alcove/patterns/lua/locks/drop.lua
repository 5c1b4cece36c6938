-- Gives back what a token holds, when nobody waits for it: the short way of `release`.
-- KEYS: held, queue, dropped (a hash: the last call of each lane that gave something back). ARGV: token, lane, number.
-- Answers 1 if the token held it until now, also when the call is sent again; 0 if it did not; or 'queue' when somebody
-- waits, and then `release` is to be asked.
local REMEMBERED_MS = 600000
local MANY = 1000
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 'queue'
end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.call('HGET', KEYS[3], ARGV[2]) == ARGV[3] and 1 or 0
end
redis.call('DEL', KEYS[1])
if redis.call('HSET', KEYS[3], ARGV[2], ARGV[3]) == 1 and redis.call('HLEN', KEYS[3]) > MANY then
  -- Lanes of those that are no more, most likely.
  redis.call('HDEL', KEYS[3], redis.call('HRANDFIELD', KEYS[3]))
end
redis.call('PEXPIRE', KEYS[3], REMEMBERED_MS)
return 1
