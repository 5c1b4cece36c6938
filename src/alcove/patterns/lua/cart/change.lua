-- Changes one line of a cart. ARGV: ttl, what, product; how much more, price, payload, and the most lines and the most
-- of a product ('add'); the quantity and the most of a product ('set'). Answers the contents, or {'absent'},
-- {'quantity', how many it would be} or {'lines', how many}, and then nothing is changed.
local what, product = ARGV[2], ARGV[3]
local there = tonumber(redis.call('HGET', cart, product) or '0')
if what == 'add' then
  local quantity = there + ARGV[4]
  if quantity > tonumber(ARGV[8]) then
    return {'quantity', quantity}
  end
  if there == 0 and redis.call('HLEN', cart) >= tonumber(ARGV[7]) then
    return {'lines', redis.call('HLEN', cart)}
  end
  put(product, quantity, ARGV[5], ARGV[6])
elseif what == 'set' then
  local quantity = tonumber(ARGV[4])
  if there == 0 then
    return {'absent'}
  elseif quantity > tonumber(ARGV[5]) then
    return {'quantity', quantity}
  elseif quantity == 0 then
    drop(product)
  elseif quantity ~= there then
    redis.call('HSET', cart, product, quantity)
    new_version()
  end
elseif what == 'remove' then
  drop(product)
end
touch()
return contents()
