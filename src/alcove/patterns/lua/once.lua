-- Applies the body once per lane and number, and answers a repeated call as the first one was answered. A body that
-- has changed nothing may say so by a second result, true: then there is nothing to remember.
local number = tonumber(table.remove(ARGV))
local lane = table.remove(ARGV)
local calls = table.remove(KEYS)
-- Longer than any client goes on sending again.
local REMEMBERED_MS = 600000
local MANY = 256

local last = redis.call('HGET', calls, lane)
if last then
  last = cmsgpack.unpack(last)
  if last[1] == number then
    return last[3]
  elseif last[1] > number then
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
redis.call('HSET', calls, lane, cmsgpack.pack({number, now(), answer}))
redis.call('PEXPIRE', calls, REMEMBERED_MS)
if number % MANY == 0 and redis.call('HLEN', calls) > MANY then
  -- Lanes of those that are no more.
  local all = redis.call('HGETALL', calls)
  for i = 1, #all, 2 do
    if cmsgpack.unpack(all[i + 1])[2] < now() - REMEMBERED_MS then
      redis.call('HDEL', calls, all[i])
    end
  end
end
return answer
