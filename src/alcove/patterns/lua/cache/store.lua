-- Stores what was loaded, unless it was invalidated or written since the load began, or is somebody else's to load.
-- KEYS: marks, clock, then each entry and its bell. ARGV: for each the stamp of the turn, and what `described` reads.
-- Answers for each whether it was stored.
local stored, at = {}, 1
for i = 3, #KEYS, 2 do
  local entry, bell, turn, new = KEYS[i], KEYS[i + 1], ARGV[at], nil
  new, at = described(at + 1)
  stored[#stored + 1] = 0
  if turn_of(entry) == turn then
    if #writers_of(entry) == 0 and holds(tonumber(turn), new.tags) then
      put(entry, bell, turn, new)
      stored[#stored] = 1
    else
      end_lease(entry, bell)
    end
  end
end
return stored
