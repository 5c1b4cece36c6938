-- A queue of jobs.
-- KEYS: jobs, waiting, delayed, leases, dead, wake; then the script's own.
-- ARGV: how many dead letters are kept, and for how many ms; then the script's own.
-- `jobs` is a hash of all that is known of the jobs:
--   j:id      what is to be done, as the codec wrote it
--   s:id      eight words, see FIELDS; '-' stands for none
--   e:id      why it failed last; p:id how far it is
--   u:name    the job that is unique by that name
--   t:token   the jobs that were taken together with that token
--   sequence  how many were put in line
-- `waiting` is in order of priority and sequence, `delayed` of the time when jobs are due, `leases` of the time until
-- which they are somebody's, `dead` of the time of death. `wake` has one element while there is something to do:
-- who finds it takes jobs, and leaves another one when there are more. It may be lost: nobody waits for it for long.
local jobs, waiting, delayed, leases, dead, wake = unpack(KEYS, 1, 6)
local DEAD_LIMIT, DEAD_MS = tonumber(ARGV[1]), tonumber(ARGV[2])
-- A priority is worth more than any sequence number; both together are exact in a double.
local PRIORITY_STEP = 2 ^ 44
-- No call tidies up more than this, and none looks further ahead.
local MANY = 100
local SOON_MS = 30000
local FIELDS = '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$'
local time = now()

local function read(id)
  local text = redis.call('HGET', jobs, 's:' .. id)
  if not text then
    return nil
  end
  local job = {id = id}
  -- `place` is the score in `waiting`, `token` that of the holder, `unique` until when it is so, by `name`.
  job.priority, job.enqueued_at, job.place, job.attempts, job.most, job.token, job.unique, job.name =
    string.match(text, FIELDS)
  return job
end

local function state_of(job)
  return table.concat(
    {job.priority, job.enqueued_at, job.place, job.attempts, job.most, job.token, job.unique, job.name}, ' ')
end

local function write(job)
  redis.call('HSET', jobs, 's:' .. job.id, state_of(job))
end

local function wake_one()
  if redis.call('EXISTS', wake) == 0 then
    redis.call('RPUSH', wake, '1')
  end
end

local function put_in_line(job)
  local sequence = redis.call('HINCRBY', jobs, 'sequence', 1)
  job.place = string.format('%.0f', sequence - job.priority * PRIORITY_STEP)
  redis.call('ZADD', waiting, job.place, job.id)
end

local function delay_until(job, due)
  redis.call('ZADD', delayed, due, job.id)
  -- Those who sleep are to know that there is something earlier.
  if redis.call('ZRANK', delayed, job.id) == 0 then
    wake_one()
  end
end

local function no_longer_unique(job)
  if job.unique ~= '-' and redis.call('HGET', jobs, 'u:' .. job.name) == job.id then
    redis.call('HDEL', jobs, 'u:' .. job.name)
  end
end

local function forget(job)
  no_longer_unique(job)
  redis.call('HDEL', jobs, 'j:' .. job.id, 's:' .. job.id, 'e:' .. job.id, 'p:' .. job.id, 't:' .. job.token)
  if redis.call('HLEN', jobs) == 1 and redis.call('HEXISTS', jobs, 'sequence') == 1 then
    redis.call('DEL', jobs, wake)
  end
end

local function forget_dead(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', dead, id)
    local job = read(id)
    if job then
      forget(job)
    end
  end
end

local function let_go(job)
  -- Takes the job from its holder, whose token is good for nothing from now on.
  redis.call('ZREM', leases, job.id)
  redis.call('HDEL', jobs, 't:' .. job.token, 'p:' .. job.id)
  job.token = '-'
end

local function bury(job, why)
  no_longer_unique(job)
  redis.call('HSET', jobs, 'e:' .. job.id, why, 's:' .. job.id, state_of(job))
  redis.call('ZADD', dead, time, job.id)
  forget_dead(redis.call('ZRANGEBYSCORE', dead, '-inf', time - DEAD_MS, 'LIMIT', 0, MANY))
  local beyond = redis.call('ZCARD', dead) - DEAD_LIMIT
  if beyond > 0 then
    forget_dead(redis.call('ZRANGE', dead, 0, math.min(beyond, MANY) - 1))
  end
end

local function tidy_up()
  -- Puts in line what is due, and what its holder has let expire.
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', time, 'LIMIT', 0, MANY)) do
    redis.call('ZREM', delayed, id)
    local job = read(id)
    if job then
      put_in_line(job)
      write(job)
    end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', time, 'LIMIT', 0, MANY)) do
    local job = read(id)
    if not job then
      redis.call('ZREM', leases, id)
    else
      let_go(job)
      if tonumber(job.attempts) >= tonumber(job.most) then
        bury(job, 'the lease ran out: its worker died, or did not renew it')
      else
        redis.call('ZADD', waiting, job.place, id)
        write(job)
      end
    end
  end
end

local function held(id, token)
  -- The job, if the token is that of its holder.
  local job = read(id)
  return job and job.token == token and job or nil
end

local function lost(id)
  return redis.error_reply('LEASELOST the lease of job ' .. id .. ' is no longer held')
end

local function tell(result, ttl, what, text)
  -- Those who wait for the result read it from a stream, so that there may be many.
  redis.call('DEL', result)
  if ttl > 0 then
    redis.call('XADD', result, '*', what, text)
    redis.call('PEXPIRE', result, ttl)
  end
end
