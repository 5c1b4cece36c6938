-- What every script may use.
local function now()
  -- The server's time in milliseconds; it does not move while a script runs.
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
