-- Puts a message into a feed and tells those who listen. KEYS: the stream, and what was posted under the same id.
-- ARGV: the channel, the payload, how many messages are kept, for how many ms after the last one (0 for ever), the
-- message's id or '', and for how many ms that is remembered. Answers {stream id, whether it is new, receivers}.
local stream, posted = KEYS[1], KEYS[2]
local before = ARGV[5] ~= '' and redis.call('GET', posted)
if before then
  return {before, 0, 0}
end
local id = redis.call('XADD', stream, 'MAXLEN', '~', ARGV[3], '*', 'm', ARGV[2])
if tonumber(ARGV[4]) > 0 then
  redis.call('PEXPIRE', stream, ARGV[4])
end
if ARGV[5] ~= '' then
  redis.call('SET', posted, id, 'PX', ARGV[6])
end
return {id, 1, redis.call('PUBLISH', ARGV[1], id .. ' ' .. ARGV[2])}
