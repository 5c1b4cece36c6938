-- Invalidates entries, everything with certain tags, or all of a shard.
-- KEYS: marks, clock, then each entry and its bell. ARGV: 'all' or '', tags. Loads that have begun before are not stored.
local stamp = tick()
if ARGV[1] == 'all' then
  redis.call('ZADD', marks, text(stamp), 'epoch')
end
for i = 2, #ARGV do
  redis.call('ZADD', marks, text(stamp), TAG .. ARGV[i])
end
for i = 3, #KEYS, 2 do
  forget(KEYS[i], KEYS[i + 1])
end
keep_marks()
local longest = longest_life()
if #ARGV > 1 and longest > 0 then
  -- No entry is as old as these marks.
  local epoch = mark_of('epoch')
  redis.call('ZREMRANGEBYSCORE', marks, '-inf', text(stamp - longest * 1000 - 60000000))
  redis.call('ZADD', marks, text(epoch), 'epoch')
end
return redis.status_reply('OK')
