-- What became of a write that was handed out. ARGV: token, key, version, and 'done', or 'extend' and for how long in
-- ms, or 'failed', after how long it is tried again in ms, how many attempts there are, and why.
-- Answers 1, or 0 when it was handed out to somebody else since: then nothing is changed.
local key, what = ARGV[2], ARGV[4]
local write = load(flying, key)
if not write or write[5] ~= ARGV[1] or write[1] ~= tonumber(ARGV[3]) then
  return 0
end
if what == 'done' then
  redis.call('HDEL', dead, key)
  end_flight(key)
elseif what == 'extend' then
  redis.call('ZADD', leases, now() + ARGV[5], key)
else
  write[6] = ARGV[7]
  if write[3] >= tonumber(ARGV[6]) then
    give_up(key, write)
  else
    -- The same write again, under the same version: nothing is merged into what the store may have already.
    write[5] = ''
    save(flying, key, write)
    redis.call('ZADD', leases, now() + ARGV[5], key)
  end
end
return 1
