-- A command on a key for the holder of a fence, unless a later holder was here. KEYS: the key, its last fence.
-- ARGV: fence, the command, its arguments behind the key. Answers what the command does.
local REMEMBERED_MS = 7 * 86400000
local last = redis.call('GET', KEYS[2])
if last and tonumber(last) > tonumber(ARGV[1]) then
  return redis.error_reply('FENCED ' .. last)
end
local answer = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
redis.call('SET', KEYS[2], ARGV[1], 'PX', REMEMBERED_MS)
return answer
