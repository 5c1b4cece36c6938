-- Gives a session a new id. KEYS: index, record, new record. ARGV: digest, idle; the new digest, for how many ms the old
-- one leads to it.
-- Answers {'rotated'}, also when that was done already, {'moved', digest} or {'gone'}.
local fresh, grace = ARGV[3], tonumber(ARGV[4])
if redis.call('ZSCORE', index, fresh) then
  return {end_of(fresh) and 'rotated' or 'gone'}
end
local ending = end_of(digest)
if not ending or redis.call('EXISTS', record) == 0 then
  return absent()
end
redis.call('RENAME', record, KEYS[3])
redis.call('ZADD', index, text(ending), fresh)
bury(digest, grace)
if grace > 0 then
  redis.call('HSET', record, '#next', fresh)
  redis.call('PEXPIRE', record, grace)
end
record, digest = KEYS[3], fresh
extend(ending)
keep_index()
return {'rotated'}
