-- A cart. KEYS[1] has a quantity for each product; KEYS[2] has its details, `since|price|payload`, the price in minor
-- units, and under the empty name the cart's version. ARGV[1] is how long a cart is kept without use, in ms.
local cart, details, ttl = KEYS[1], KEYS[2], tonumber(ARGV[1])

local function touch()
  redis.call('PEXPIRE', cart, ttl)
  redis.call('PEXPIRE', details, ttl)
end

-- Later than all versions before it, also of a cart that was cleared.
local function new_version()
  local time = redis.call('TIME')
  local version = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('HGET', details, '') or '0') + 1)
  redis.call('HSET', details, '', string.format('%.0f', version))
  return string.format('%.0f', version)
end

local function put(product, quantity, price, payload)
  local before = redis.call('HGET', details, product)
  local version = new_version()
  local since = before and string.match(before, '^%d+') or version
  redis.call('HSET', cart, product, quantity)
  redis.call('HSET', details, product, since .. '|' .. price .. '|' .. payload)
end

local function drop(product)
  local was_there = redis.call('HDEL', cart, product)
  redis.call('HDEL', details, product)
  if was_there == 1 then
    new_version()
  end
  return was_there
end

-- {version, {product, quantity ...}, {product, details ...}}
local function contents()
  local all, lines, version = redis.call('HGETALL', details), {}, '0'
  for i = 1, #all, 2 do
    if all[i] == '' then
      version = all[i + 1]
    else
      lines[#lines + 1] = all[i]
      lines[#lines + 1] = all[i + 1]
    end
  end
  return {version, redis.call('HGETALL', cart), lines}
end
