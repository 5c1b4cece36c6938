-- Takes what one holds at a time, when nobody waits for it: the short way of `acquire`. Asking again is harmless.
-- KEYS: held, queue, fence. ARGV: token, lease in ms, for how many ms to remember the fence.
-- Answers the fence; 'held' when it is another's; or 'queue' when somebody waits, and then `acquire` is to be asked.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 'queue'
end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 'held'
  end
  -- The answer to the first asking was lost.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return next_fence(KEYS[3], ARGV[3])
