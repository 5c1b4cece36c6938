-- What is first in line. ARGV: ..., how many. Answers {id, what is to be done, state, ...}.
tidy_up()
local seen = {}
for _, id in ipairs(redis.call('ZRANGE', waiting, 0, ARGV[3] - 1)) do
  local known = redis.call('HMGET', jobs, 'j:' .. id, 's:' .. id)
  if known[2] then
    seen[#seen + 1] = id
    seen[#seen + 1] = known[1]
    seen[#seen + 1] = known[2]
  end
end
return seen
