-- Putting jobs into a queue.
-- From `at` on: how many may wait, until when the job is unique ('waiting', 'done', 'time' or '-'), by which name, for
-- how many ms ('time' only: then `lock` is the key that says so); then for each job: id, what is to be done, priority,
-- when it is due (ms from now, or '@' and ms of Unix time), attempts allowed. With a name there is one job only.
-- Answers the ids: that of the job which is there already, where it is unique.
local JOB_WORDS = 5

local function put(at, lock)
  local limit, unique, name, unique_ms = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local there = unique == 'time' and redis.call('GET', lock)
  if unique == 'waiting' or unique == 'done' then
    there = redis.call('HGET', jobs, 'u:' .. name)
  end
  if there then
    return {there}
  end
  local ids, fresh = {}, {}
  for i = at + 4, #ARGV, JOB_WORDS do
    ids[#ids + 1] = ARGV[i]
    if redis.call('HEXISTS', jobs, 's:' .. ARGV[i]) == 0 then
      fresh[#fresh + 1] = i
    end
  end
  if #fresh == 0 then
    return ids
  end
  if redis.call('ZCARD', waiting) + redis.call('ZCARD', delayed) + #fresh > limit then
    return redis.error_reply('QUEUEFULL no more than ' .. limit .. ' jobs may wait')
  end
  local is_in_line = false
  for _, i in ipairs(fresh) do
    local id, due = ARGV[i], ARGV[i + 3]
    local job = {
      id = id, priority = ARGV[i + 2], enqueued_at = time, place = '-', attempts = 0, most = ARGV[i + 4],
      token = '-', unique = unique == 'time' and '-' or unique, name = name,
    }
    local moment = string.match(due, '^@(.+)')
    due = tonumber(moment) or time + due
    if due > time then
      delay_until(job, due)
    else
      put_in_line(job)
      is_in_line = true
    end
    redis.call('HSET', jobs, 'j:' .. id, ARGV[i + 1], 's:' .. id, state_of(job))
  end
  if unique == 'time' then
    redis.call('SET', lock, ids[1], 'PX', unique_ms)
  elseif unique ~= '-' then
    redis.call('HSET', jobs, 'u:' .. name, ids[1])
  end
  if is_in_line then
    wake_one()
  end
  return ids
end
