-- Invalidates entries, everything with certain tags, or all of a shard. KEYS: marks, then each entry and its bell.
-- ARGV: 'all' or '', tags. Loads that have begun before are not stored.
local stamp = tick()
if ARGV[1] == 'all' then
  redis.call('ZADD', marks, text(stamp), 'epoch')
end
for i = 2, #ARGV do
  redis.call('ZADD', marks, text(stamp), TAG .. ARGV[i])
end
for i = 2, #KEYS, 2 do
  forget(KEYS[i], KEYS[i + 1])
end
local longest = mark_of('longest')
keep_marks()
if longest then
  -- No entry is as old as these marks.
  local epoch, clock = mark_of('epoch'), mark_of('clock')
  redis.call('ZREMRANGEBYSCORE', marks, '(' .. text(longest), text(stamp - longest * 1000 - 60000000))
  redis.call('ZADD', marks, text(epoch), 'epoch', text(clock), 'clock')
end
return redis.status_reply('OK')
