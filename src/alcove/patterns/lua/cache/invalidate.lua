-- Invalidates entries, everything with certain tags, or all of a shard.
-- KEYS: marks, clock, then each entry and its bell; or, for tags and everything, keys of which there is nothing, and that
-- tell near-caches what is invalidated by being touched. ARGV: 'all' or '', tags. Loads that have begun before are not
-- stored.
local is_all = ARGV[1] == 'all'
local stamp = tick()
if is_all then
  redis.call('ZADD', marks, text(stamp), 'epoch')
end
for i = 2, #ARGV do
  redis.call('ZADD', marks, text(stamp), TAG .. ARGV[i])
end
if is_all or #ARGV > 1 then
  for i = 3, #KEYS do
    redis.call('SET', KEYS[i], '')
    redis.call('DEL', KEYS[i])
  end
else
  for i = 3, #KEYS, 2 do
    forget(KEYS[i], KEYS[i + 1])
  end
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
