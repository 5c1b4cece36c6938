-- Takes the first jobs and leases them. ARGV: ..., token, how many, lease in ms.
-- Answers {ms until there may be more (-1 for never), {id, what is to be done, state, ...}}. A token comes with one
-- call: when that is sent again, it gets the same jobs.
local token, count, lease = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local taken = {}

local function add(job)
  taken[#taken + 1] = job.id
  taken[#taken + 1] = redis.call('HGET', jobs, 'j:' .. job.id)
  taken[#taken + 1] = state_of(job)
end

local before = redis.call('HGET', jobs, 't:' .. token)
if before then
  for id in string.gmatch(before, '%S+') do
    local job = held(id, token)
    if job then
      add(job)
    end
  end
  return {-1, taken}
end

tidy_up()
local popped = redis.call('ZPOPMIN', waiting, count)
local ids = {}
for i = 1, #popped, 2 do
  local job = read(popped[i])
  if job then
    if job.unique == 'waiting' then
      no_longer_unique(job)
      job.unique = '-'
    end
    job.attempts = job.attempts + 1
    job.token = token
    redis.call('ZADD', leases, time + lease, job.id)
    write(job)
    add(job)
    ids[#ids + 1] = job.id
  end
end
if #ids > 0 then
  redis.call('HSET', jobs, 't:' .. token, table.concat(ids, ' '))
end

local due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
if redis.call('ZCARD', waiting) > 0 or #ids > 0 and due and due - time < SOON_MS then
  wake_one()
else
  redis.call('DEL', wake)
end
local expires = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2]
local next_time = math.min(tonumber(due) or math.huge, tonumber(expires) or math.huge)
return {next_time == math.huge and -1 or math.max(0, next_time - time), taken}
