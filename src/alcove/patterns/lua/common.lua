-- What every script may use.
local moment, seconds
local function now()
  -- The server's time in milliseconds, and `seconds` as a text; it does not move while a script runs.
  if not moment then
    local time = redis.call('TIME')
    seconds = time[1]
    moment = seconds * 1000 + math.floor(time[2] / 1000)
  end
  return moment
end
