-- The second step of a merge: what was set aside comes into the user's cart, once per id.
-- KEYS: cart, details, the ids of the merges that were received. ARGV: ttl, id, contents, the most lines and the most
-- of a product. What is more than that stays out. Answers {contents, {product, quantity left out ...}}.
local received, left_out = KEYS[3], {}
if redis.call('HEXISTS', received, ARGV[2]) == 0 then
  local guests = cmsgpack.unpack(ARGV[3])
  local payload_of = {}
  for i = 1, #guests[3], 2 do
    payload_of[guests[3][i]] = guests[3][i + 1]
  end
  for i = 1, #guests[2], 2 do
    local product, more = guests[2][i], tonumber(guests[2][i + 1])
    local there = tonumber(redis.call('HGET', cart, product) or '0')
    local room = tonumber(ARGV[5]) - there
    if there == 0 and redis.call('HLEN', cart) >= tonumber(ARGV[4]) then
      room = 0
    end
    local taken = math.max(0, math.min(more, room))
    if taken > 0 then
      local _, price, payload = string.match(payload_of[product], '^(%d+)|(%-?%d+)|(.*)$')
      put(product, there + taken, price, payload)
    end
    if taken < more then
      left_out[#left_out + 1] = product
      left_out[#left_out + 1] = more - taken
    end
  end
  redis.call('HSET', received, ARGV[2], cmsgpack.pack(left_out))
  redis.call('PEXPIRE', received, ttl)
else
  left_out = cmsgpack.unpack(redis.call('HGET', received, ARGV[2]))
end
touch()
return {contents(), left_out}
