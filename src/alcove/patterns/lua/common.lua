-- What every script may use.
local moment, parts
local function now()
  -- The server's time in milliseconds, and its `parts` as it tells them; it does not move while a script runs.
  if not moment then
    parts = redis.call('TIME')
    moment = parts[1] * 1000 + math.floor(parts[2] / 1000)
  end
  return moment
end
