-- How long a session has left. Answers {'found', ms}, {'moved', digest} or {'gone'}.
local ending = end_of(digest)
if not ending or redis.call('EXISTS', record) == 0 then
  return absent()
end
return {'found', math.min(ending - at, idle)}
