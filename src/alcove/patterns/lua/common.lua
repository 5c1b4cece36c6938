-- What every script may use.
local moment
local function now()
  -- The server's time in milliseconds; it does not move while a script runs.
  if not moment then
    local time = redis.call('TIME')
    moment = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return moment
end
