-- Some sessions of a user. KEYS: index, records. ARGV: their digests.
-- Answers {digest, ms left, record} of each that lives.
local found = {}
for i, session in ipairs(ARGV) do
  local ending = end_of(session)
  local fields = ending and redis.call('HGETALL', KEYS[i + 1])
  if fields and #fields > 0 then
    found[#found + 1] = {session, ending - at, whole(fields)}
  end
end
return found
