-- Adds to a whole number in an entry's field, if the entry is there. KEYS: marks, entry, its bell. ARGV: field, by how much.
-- Answers the sum, or false when it is not there. Loads that have begun before are not stored.
local entry, field = KEYS[2], '.' .. ARGV[1]
local found = read(entry)
if found.lease then
  redis.call('HDEL', entry, 'lease', 'until', 'begun', 'waiting')
  wake(KEYS[3], found.waiting)
end
if not found.stamp or not holds(found.stamp, cmsgpack.unpack(found.tags)) then
  return false
end
if redis.call('HEXISTS', entry, field) == 0 then
  return false
end
return redis.call('HINCRBY', entry, field, ARGV[2])
