-- Gives up turns to load entries, so that somebody else may. KEYS: marks, clock, then each entry and its bell.
-- ARGV: the stamp of each turn. Answers for each whether what was loaded holds: nothing was invalidated or written since.
local held = {}
for i = 3, #KEYS, 2 do
  local entry, turn = KEYS[i], ARGV[(i - 1) / 2]
  held[#held + 1] = 0
  if turn_of(entry) == turn then
    if #writers_of(entry) == 0 and holds(tonumber(turn), {}) then
      held[#held] = 1
    end
    end_lease(entry, KEYS[i + 1])
  end
end
return held
