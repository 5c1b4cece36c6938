-- Hands out writes: those whose writer was not heard of any more, then those that are due. ARGV: token, for how long
-- they are believed to be on their way in ms, how many, and how many attempts there are.
-- Answers {ms until the next one is due, or -1, {key, version, attempt, first, fields} ...}.
local token, lease, most, attempts = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local until_when = ARGV[5] == 'early' and '+inf' or now()
local given = {}

local function give(key, write)
  write[3] = write[3] + 1
  write[5] = token
  save(flying, key, write)
  redis.call('ZADD', leases, now() + lease, key)
  given[#given + 1] = {key, write[1], write[3], string.format('%.0f', write[2]), write[4]}
end

for _, key in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now(), 'LIMIT', 0, most)) do
  local write = load(flying, key)
  if write[3] >= attempts then
    if write[6] == '' then
      write[6] = 'its writer was not heard of any more'
    end
    give_up(key, write)
  else
    give(key, write)
  end
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', until_when, 'LIMIT', 0, math.max(0, most - #given))) do
  redis.call('ZREM', due, key)
  local write = load(pending, key)
  if write and redis.call('HEXISTS', flying, key) == 0 then
    redis.call('HDEL', pending, key)
    give(key, write)
  end
end
local next_at = -1
for _, set in ipairs({due, leases}) do
  local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  if first[2] and (next_at < 0 or tonumber(first[2]) < next_at) then
    next_at = tonumber(first[2])
  end
end
return {next_at < 0 and -1 or math.max(0, next_at - now()), given}
