-- Takes changes of a key for the store. ARGV: key, how long they wait for more in ms, how many keys may be pending,
-- fields and values. KEYS[7] is the bell that wakes who writes. Answers the version; false when too much is pending.
local key, bell = ARGV[1], KEYS[7]
local write = load(pending, key)
if not write then
  if redis.call('HLEN', pending) >= tonumber(ARGV[3]) then
    return false
  end
  write = {0, now(), 0, {}, '', ''}
end
local changes = {}
for i = 4, #ARGV do
  changes[#changes + 1] = ARGV[i]
end
write[1] = redis.call('INCR', versions)
write[4] = merge(write[4], changes)
save(pending, key, write)
if redis.call('HEXISTS', flying, key) == 0 then
  redis.call('ZADD', due, 'NX', now() + ARGV[2], key)
end
if redis.call('LLEN', bell) == 0 then
  redis.call('RPUSH', bell, '1')
  redis.call('PEXPIRE', bell, 60000)
end
return write[1]
