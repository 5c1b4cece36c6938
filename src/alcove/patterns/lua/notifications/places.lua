-- The places of all messages in a feed after one. KEYS: the stream. ARGV: the place, and how many at most.
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local ids = {}
for i, entry in ipairs(found) do
  ids[i] = entry[1]
end
return ids
