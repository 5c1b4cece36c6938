-- Adds to a whole number in an entry's field, if the entry is there. KEYS: marks, clock, entry, its bell.
-- ARGV: field, by how much, and the stamp of the write that it belongs to, or ''.
-- Answers the sum, or false when it is not there. Loads that have begun before are not stored.
local entry, bell, field = KEYS[3], KEYS[4], '.' .. ARGV[1]
if redis.call('HEXISTS', entry, 'lease') == 1 then
  end_lease(entry, bell)
end
local writers = writers_of(entry)
local is_believed = ARGV[3] == ''
for i, writer in ipairs(writers) do
  if writer[1] == tonumber(ARGV[3]) then
    is_believed = true
    table.remove(writers, i)
    break
  end
end
note_writers(entry, writers)
if not is_believed then
  -- It took so long that others have loaded what may have it, or not.
  forget(entry, bell)
  return false
end
local about, tags = unpack(redis.call('HMGET', entry, 'about', 'tags'))
if not is_holding(about, tags) or redis.call('HEXISTS', entry, field) == 0 then
  return false
end
return redis.call('HINCRBY', entry, field, ARGV[2])
