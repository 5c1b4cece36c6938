-- The last step of a merge: what was set aside is forgotten, if it is still that. KEYS: what is set aside. ARGV: id.
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
