-- What a user has read. KEYS: a hash of the place in each feed up to which all is read, and a sorted set of what is
-- read beyond, by when. ARGV: how long this is kept after the last change in ms, how many are kept of the latter, what.
-- 'seen', {feed and place ...}   these are read;    'upto', {feed, place ...}   all up to there is read, in each feed
-- 'get'                          answers {{feed, place ...}, {feed and place ...}}
local places, seen, what = KEYS[1], KEYS[2], ARGV[3]

local function is_later(one, other)
  local ms, sequence = string.match(one, '^(%d+)-(%d+)$')
  local other_ms, other_sequence = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= other_ms then
    return tonumber(ms) > tonumber(other_ms)
  end
  return tonumber(sequence) > tonumber(other_sequence)
end

if what == 'get' then
  return {redis.call('HGETALL', places), redis.call('ZRANGE', seen, 0, -1)}
elseif what == 'seen' then
  for i = 4, #ARGV do
    redis.call('ZADD', seen, now(), ARGV[i])
  end
  redis.call('ZREMRANGEBYRANK', seen, 0, -1 - tonumber(ARGV[2]))
else
  for i = 4, #ARGV, 2 do
    local before = redis.call('HGET', places, ARGV[i])
    if not before or is_later(ARGV[i + 1], before) then
      redis.call('HSET', places, ARGV[i], ARGV[i + 1])
    end
  end
end
redis.call('PEXPIRE', places, ARGV[1])
redis.call('PEXPIRE', seen, ARGV[1])
return redis.status_reply('OK')
