-- Renews leases. ARGV: ..., lease in ms, how far the job is ('' for nothing to say), then ids and tokens.
-- Answers for each whether it is still held.
local still = {}
for i = 5, #ARGV, 2 do
  local job = held(ARGV[i], ARGV[i + 1])
  still[#still + 1] = job and 1 or 0
  if job then
    redis.call('ZADD', leases, time + ARGV[3], job.id)
    if ARGV[4] ~= '' then
      redis.call('HSET', jobs, 'p:' .. job.id, ARGV[4])
    end
  end
end
return still
