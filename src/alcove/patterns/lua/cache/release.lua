-- Gives up the turn to load entries, so that somebody else may. KEYS: marks, clock, then each entry and its bell.
-- ARGV: the caller's token. Answers for each whether what was loaded holds: nothing was invalidated or written since.
local held = {}
for i = 3, #KEYS, 2 do
  local found = read(KEYS[i])
  held[#held + 1] = 0
  if found.lease == ARGV[1] then
    if #writers_of(found) == 0 and holds(found.begun, {}) then
      held[#held] = 1
    end
    redis.call('HDEL', KEYS[i], 'lease', 'until', 'begun', 'waiting')
    wake(KEYS[i + 1], found.waiting)
  end
end
return held
