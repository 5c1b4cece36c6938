-- Stores what was loaded, unless it was invalidated or written since the load began, or is somebody else's to load.
-- KEYS: marks, clock, then each entry and its bell. ARGV: the caller's token; for each entry what `described` reads.
-- Answers for each whether it was stored.
local stored, at = {}, 2
for i = 3, #KEYS, 2 do
  local entry, bell, new = KEYS[i], KEYS[i + 1], nil
  new, at = described(at)
  local found = read(entry)
  stored[#stored + 1] = 0
  if found.lease == ARGV[1] then
    if #writers_of(found) == 0 and holds(found.begun, new.tags) then
      put(entry, bell, found.begun, new)
      stored[#stored] = 1
    else
      redis.call('HDEL', entry, 'lease', 'until', 'begun', 'waiting')
      wake(bell, found.waiting)
    end
  end
end
return stored
