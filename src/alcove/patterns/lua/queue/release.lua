-- Gives a job back, as if it had not been taken. ARGV: ..., id, token, ms until it may be taken again.
local delay = tonumber(ARGV[5])
local job = held(ARGV[3], ARGV[4])
if not job then
  return lost(ARGV[3])
end
let_go(job)
job.attempts = job.attempts - 1
write(job)
if delay > 0 then
  delay_until(job, time + delay)
else
  redis.call('ZADD', waiting, job.place, job.id)
  wake_one()
end
return 1
