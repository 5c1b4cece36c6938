-- A session. ARGV: digest, idle, how many ms it must have left not to be extended.
-- Answers 'found', ms left and the record, {'moved', digest} or {'gone'}.
local ending = end_of(digest)
local fields = ending and redis.call('HGETALL', record)
if not fields or #fields == 0 then
  return absent()
end
if ending - at < tonumber(ARGV[3]) or ending - at > idle then
  ending = extend(ending)
end
return found(ending - at, fields)
