-- The dead letters, the latest first. ARGV: ..., how many to pass over, how many.
-- Answers {id, time of death, what was to be done, state, why, ...}.
local letters = {}
local found = redis.call('ZREVRANGE', dead, ARGV[3], ARGV[3] + ARGV[4] - 1, 'WITHSCORES')
for i = 1, #found, 2 do
  local id = found[i]
  local known = redis.call('HMGET', jobs, 'j:' .. id, 's:' .. id, 'e:' .. id)
  if known[2] then
    for _, word in ipairs({id, found[i + 1], known[1], known[2], known[3] or ''}) do
      letters[#letters + 1] = word
    end
  end
end
return letters
