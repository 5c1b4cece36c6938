-- Changes fields of a session. ARGV: digest, idle; the version that it must have ('' for any), how many fields to
-- remove, their names; the fields to set.
-- Answers {'updated', version}, {'conflict', version}, {'moved', digest} or {'gone'}.
local removed = tonumber(ARGV[4])
local ending = end_of(digest)
if not ending or redis.call('EXISTS', record) == 0 then
  return absent(), true
end
if is_another(ARGV[3]) then
  return {'conflict', redis.call('HGET', record, '#version')}, true
end
for i = 5, 4 + removed do
  redis.call('HDEL', record, ARGV[i])
end
set_fields(5 + removed)
extend(ending)
return {'updated', redis.call('HINCRBY', record, '#version', 1)}
