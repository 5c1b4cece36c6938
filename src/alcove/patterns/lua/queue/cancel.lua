-- Takes a job out, wherever it is; its holder is one no longer. KEYS: ..., its result.
-- ARGV: ..., id, ms for which that is told. Answers whether it was there.
local job = read(ARGV[3])
if not job then
  return 0
end
for _, key in ipairs({waiting, delayed, leases, dead}) do
  redis.call('ZREM', key, job.id)
end
forget(job)
tell(KEYS[7], tonumber(ARGV[4]), 'cancelled', '')
return 1
