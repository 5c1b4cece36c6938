-- All that is known of a job. KEYS: ..., its result. ARGV: ..., id.
-- Answers {id of the last news, {what, text} or false, where it is, when, payload, state, error, progress}; the last six
-- are left out when the job is no longer there.
local id = ARGV[3]
local news = redis.call('XREVRANGE', KEYS[7], '+', '-', 'COUNT', 1)[1] or {'0-0', false}
local known = redis.call('HMGET', jobs, 'j:' .. id, 's:' .. id, 'e:' .. id, 'p:' .. id)
if not known[2] then
  return news
end
local places = {waiting = waiting, delayed = delayed, running = leases, dead = dead}
for name, key in pairs(places) do
  local score = redis.call('ZSCORE', key, id)
  if score then
    return {news[1], news[2], name, score, unpack(known, 1, 4)}
  end
end
return news
