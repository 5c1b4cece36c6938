-- What there is. ARGV: 'lag' answers {keys pending, keys on their way, keys given up, when the oldest change was made
-- that is not written, or -1}; 'dead', how many: {key, version, attempts, first, fields, error} each;
-- 'replay', key ... and 'discard', key ...: how many.
local what = ARGV[1]
if what == 'lag' then
  local oldest = -1
  for _, from in ipairs({pending, flying}) do
    for _, packed in ipairs(redis.call('HVALS', from)) do
      local first = cmsgpack.unpack(packed)[2]
      if oldest < 0 or first < oldest then
        oldest = first
      end
    end
  end
  local counts = {redis.call('HLEN', pending), redis.call('HLEN', flying), redis.call('HLEN', dead)}
  return {counts[1], counts[2], counts[3], string.format('%.0f', oldest)}
elseif what == 'dead' then
  local all, found = redis.call('HGETALL', dead), {}
  for i = 1, math.min(#all, 2 * tonumber(ARGV[2])), 2 do
    local write = cmsgpack.unpack(all[i + 1])
    found[#found + 1] = {all[i], write[1], write[3], string.format('%.0f', write[2]), write[4], write[6]}
  end
  return found
end
local count = 0
for i = 2, #ARGV do
  local write = load(dead, ARGV[i])
  if write then
    count = count + 1
    redis.call('HDEL', dead, ARGV[i])
    if what == 'replay' then
      -- It is older than what is pending.
      local later = load(pending, ARGV[i])
      if later then
        later[4] = merge(write[4], later[4])
        later[2] = write[2]
      else
        write[1], write[3], write[5], write[6] = redis.call('INCR', versions), 0, '', ''
        later = write
      end
      save(pending, ARGV[i], later)
      if redis.call('HEXISTS', flying, ARGV[i]) == 0 then
        redis.call('ZADD', due, now(), ARGV[i])
      end
    end
  end
end
return count
