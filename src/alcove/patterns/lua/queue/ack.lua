-- Ends a job that is done. KEYS: ..., its result. ARGV: ..., id, token, result, ms for which the result is kept.
local job = held(ARGV[3], ARGV[4])
if not job then
  return lost(ARGV[3])
end
redis.call('ZREM', leases, job.id)
forget(job)
tell(KEYS[7], tonumber(ARGV[6]), 'result', ARGV[5])
return 1
