-- Puts dead letters in line again, as new. ARGV: ..., how many of the oldest; or 0, then ids. Answers how many.
local ids = {unpack(ARGV, 4)}
if ARGV[3] ~= '0' then
  ids = redis.call('ZRANGE', dead, 0, ARGV[3] - 1)
end
local replayed = 0
for _, id in ipairs(ids) do
  local job = redis.call('ZREM', dead, id) == 1 and read(id)
  if job then
    job.attempts = 0
    put_in_line(job)
    write(job)
    if job.unique ~= '-' then
      redis.call('HSETNX', jobs, 'u:' .. job.name, id)
    end
    replayed = replayed + 1
  end
end
if replayed > 0 then
  wake_one()
end
return replayed
