-- The first step of a merge: what is in the guest's cart is set aside for a user. KEYS: cart, details, what is set
-- aside. ARGV: ttl, the id of the merge, the user. Answers {id, user, lines as `contents` has them, packed} of what is
-- set aside, also by an earlier merge that did not end; false when there is nothing.
local aside = KEYS[3]
if redis.call('EXISTS', aside) == 0 then
  if redis.call('EXISTS', cart) == 0 then
    return false
  end
  redis.call('HSET', aside, 'id', ARGV[2], 'user', ARGV[3], 'contents', cmsgpack.pack(contents()))
  redis.call('PEXPIRE', aside, ttl)
  redis.call('DEL', cart, details)
end
return redis.call('HMGET', aside, 'id', 'user', 'contents')
