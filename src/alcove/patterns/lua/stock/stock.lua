-- The stock of a product. KEYS: how much there is, not counting what is reserved; the reservations, a hash of
-- quantities; and when they end. What was reserved for too long comes back first.
-- What is confirmed stays as a reservation of nothing, so that it is not confirmed or released again.
local stock, reserved, ends = KEYS[1], KEYS[2], KEYS[3]
local late = redis.call('ZRANGEBYSCORE', ends, '-inf', now(), 'LIMIT', 0, 1000)
for _, id in ipairs(late) do
  local quantity = tonumber(redis.call('HGET', reserved, id) or '0')
  if quantity > 0 then
    redis.call('INCRBY', stock, quantity)
  end
  redis.call('HDEL', reserved, id)
  redis.call('ZREM', ends, id)
end

local function there()
  return tonumber(redis.call('GET', stock) or '0')
end
