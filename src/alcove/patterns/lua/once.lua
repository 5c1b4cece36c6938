-- Applies the body once per lane and number, and answers a repeated call as the first one was answered. A body that
-- has changed nothing may say so by a second result, true: then there is nothing to remember.
local number = tonumber(table.remove(ARGV))
local lane = table.remove(ARGV)
local calls = table.remove(KEYS)
-- Longer than any client goes on sending again.
local REMEMBERED_MS = 600000
local MANY = 256

-- Of each lane: the last number, its time, and what was answered, as text or packed.
local LAST = '^(%d+) (%d+) (.)(.*)$'

local last = redis.call('HGET', calls, lane)
if last then
  local known, _, form, answer = string.match(last, LAST)
  if tonumber(known) == number then
    return form == 't' and answer or cmsgpack.unpack(answer)
  elseif tonumber(known) > number then
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
local kept = type(answer) == 'string' and 't' .. answer or 'p' .. cmsgpack.pack(answer)
redis.call('HSET', calls, lane, string.format('%.0f %.0f ', number, now()) .. kept)
redis.call('PEXPIRE', calls, REMEMBERED_MS)
if number % MANY == 0 and redis.call('HLEN', calls) > MANY then
  -- Lanes of those that are no more.
  local all = redis.call('HGETALL', calls)
  for i = 1, #all, 2 do
    local _, time = string.match(all[i + 1], LAST)
    if tonumber(time) < now() - REMEMBERED_MS then
      redis.call('HDEL', calls, all[i])
    end
  end
end
return answer
