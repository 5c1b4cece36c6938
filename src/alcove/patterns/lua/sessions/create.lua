-- Makes a session. ARGV: digest, idle; ms until it ends in any case (0 for never), how many the user may have (0 for
-- any number), the user; the fields.
-- Answers {'created'}, also when it was there already: then the call has come again. Those above the number that
-- would end first end.
local absolute, most = tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('ZSCORE', index, digest) then
  return {end_of(digest) and 'created' or 'gone'}
end
local expires = text(absolute > 0 and at + absolute or 0)
redis.call('HSET', record, '#user', ARGV[5], '#created', text(at), '#expires', expires, '#version', '1')
set_fields(6)
extend(nil)
local above = most > 0 and redis.call('ZCOUNT', index, '(' .. text(at), '+inf') - most or 0
if above > 0 then
  for _, oldest in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. text(at), '+inf', 'LIMIT', 0, above + 1)) do
    if oldest ~= digest and above > 0 then
      bury(oldest, 0)
      above = above - 1
    end
  end
end
return {'created'}
