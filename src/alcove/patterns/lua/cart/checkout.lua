-- Makes an order of what is in a cart, and empties it; once per id. KEYS: cart, details, the order.
-- ARGV: ttl, how long an order is kept in ms, the version that the cart is to have, or ''.
-- Answers {'order', when, version, quantities, lines}, or {'empty'} or {'changed', version}.
local order = KEYS[3]
if redis.call('EXISTS', order) == 0 then
  if redis.call('EXISTS', cart) == 0 then
    return {'empty'}
  end
  local all = contents()
  if ARGV[3] ~= '' and ARGV[3] ~= all[1] then
    return {'changed', all[1]}
  end
  redis.call('SET', order, cmsgpack.pack({'order', string.format('%.0f', now()), unpack(all)}), 'PX', ARGV[2])
  redis.call('DEL', cart, details)
end
return cmsgpack.unpack(redis.call('GET', order))
