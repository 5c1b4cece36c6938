-- Ends all sessions of a user but the one whose digest is given, if one is.
-- Answers {'revoked', {digest ...}}, whose records may go, or {'moved', digest} when the one has another id by now.
if digest ~= '' and not end_of(digest) then
  local answer = absent()
  if answer[1] == 'moved' then
    return answer, true
  end
end
local ended = {}
for _, session in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. text(at), '+inf')) do
  if session ~= digest then
    bury(session, 0)
    ended[#ended + 1] = session
  end
end
keep_index()
return {'revoked', ended}
