-- Puts the job of a schedule into the queue, once for each time. KEYS: ..., when the schedules were last due.
-- ARGV: ..., name of the schedule, the time that is due, 'begin' to let a new schedule begin there; see `put`.
-- Answers {the server's time, whether a job was put}.
local name, due, begin = ARGV[3], tonumber(ARGV[4]), ARGV[5] == 'begin'
-- The yearly ones are remembered for longer than a year.
local REMEMBERED_MS = 400 * 86400000
local last = redis.call('HGET', KEYS[7], name)
if due > time or last and tonumber(last) >= due then
  return {time, 0}
end
local fires = last or not begin
if fires then
  local answer = put(6)
  if answer.err then
    return answer
  end
end
redis.call('HSET', KEYS[7], name, ARGV[4])
redis.call('PEXPIRE', KEYS[7], REMEMBERED_MS)
return {time, fires and 1 or 0}
