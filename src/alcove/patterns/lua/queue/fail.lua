-- Ends an attempt that failed. KEYS: ..., the job's result.
-- ARGV: ..., id, token, why, ms until the next attempt (-1 for none), ms for which the end is told.
-- Answers whether the job is dead.
local why, delay = ARGV[5], tonumber(ARGV[6])
local job = held(ARGV[3], ARGV[4])
if not job then
  return lost(ARGV[3])
end
let_go(job)
if delay < 0 or tonumber(job.attempts) >= tonumber(job.most) then
  bury(job, why)
  tell(KEYS[7], tonumber(ARGV[7]), 'error', '')
  return 1
end
redis.call('HSET', jobs, 'e:' .. job.id, why, 's:' .. job.id, state_of(job))
delay_until(job, time + delay)
return 0
