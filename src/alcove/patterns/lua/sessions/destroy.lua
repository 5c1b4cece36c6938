-- Ends a session. ARGV: digest, idle; the version that it must have ('' for any).
-- Answers {'destroyed'}, also for one that was, {'conflict', version}, {'moved', digest} or {'gone'}.
local score = redis.call('ZSCORE', index, digest)
if not end_of(digest) then
  local answer = absent()
  if answer[1] == 'gone' and score and tonumber(score) < 0 then
    return {'destroyed'}
  end
  return answer
end
if is_another(ARGV[3]) then
  return {'conflict', redis.call('HGET', record, '#version')}
end
redis.call('DEL', record)
bury(digest, 0)
keep_index()
return {'destroyed'}
