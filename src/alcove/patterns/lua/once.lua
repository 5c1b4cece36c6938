-- Applies the body once per lane and number, and answers a repeated call as the first one was answered. A body that
-- has changed nothing may say so by a second result, true: then there is nothing to remember.
local last_of_argv, last_of_keys = #ARGV, #KEYS
local number, lane, calls = ARGV[last_of_argv], ARGV[last_of_argv - 1], KEYS[last_of_keys]
ARGV[last_of_argv], ARGV[last_of_argv - 1], KEYS[last_of_keys] = nil, nil, nil
-- Longer than any client goes on sending again.
local REMEMBERED_S, REMEMBERED_MS = 600, '600000'
local MANY = 256

-- Of each lane: the last number, its time in seconds, and what was answered, as text or packed. Texts are not read as
-- numbers where that can be avoided, and none are written: every call would take longer.
local last = redis.call('HGET', calls, lane)
if last then
  local known = string.match(last, '^%d+')
  if known == number then
    local form, answer = string.match(last, '^%d+ %d+ (.)(.*)$')
    return form == 't' and answer or cmsgpack.unpack(answer)
  elseif #known > #number or #known == #number and known > number then
    return redis.error_reply('STALE this call was given up, and a later one applied')
  end
end

local function body()
--BODY--
end

local answer, is_unchanged = body()
if is_unchanged or type(answer) == 'table' and answer.err then
  return answer
end
now()
local kept = type(answer) == 'string' and ' t' .. answer or ' p' .. cmsgpack.pack(answer)
redis.call('HSET', calls, lane, number .. ' ' .. parts[1] .. kept)
redis.call('PEXPIRE', calls, REMEMBERED_MS)
if number % MANY == 0 and redis.call('HLEN', calls) > MANY then
  -- Lanes of those that are no more.
  local all = redis.call('HGETALL', calls)
  for i = 1, #all, 2 do
    if parts[1] - string.match(all[i + 1], '^%d+ (%d+)') > REMEMBERED_S then
      redis.call('HDEL', calls, all[i])
    end
  end
end
return answer
