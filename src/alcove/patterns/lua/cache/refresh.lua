-- Says whose turn it is to load anew what is there. KEYS: marks, clock, entries.
-- ARGV: the caller's token, the ms of a lease, and for each entry the stamp that the caller has seen.
-- Answers for each the stamp of the turn, or '' when it is somebody else's, or somebody has loaded it since.
local turns = {}
for i = 3, #KEYS do
  local about = redis.call('HGET', KEYS[i], 'about')
  local is_seen = about and string.match(about, '^%d+') == ARGV[i]
  turns[i - 2] = is_seen and turn(KEYS[i], ARGV[1], tonumber(ARGV[2])) or ''
end
return turns
