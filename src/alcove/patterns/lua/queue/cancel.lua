-- Takes a job out, wherever it is; its holder is one no longer. ARGV: ..., id. Answers whether it was there.
local job = read(ARGV[3])
if not job then
  return 0
end
for _, key in ipairs({waiting, delayed, leases, dead}) do
  redis.call('ZREM', key, job.id)
end
forget(job)
return 1
