-- Changes a stock. ARGV: what, and its words. Answers {outcome, how much there is then}:
--   'set', quantity                 how much there is, beside what is reserved
--   'add', quantity                 more, or less if negative; 'short' when there is not so much
--   'reserve', id, quantity, ms     'short' when there is not so much; a reservation that is there is changed to it
--   'confirm', id, ms               'gone' when it has ended; remembered for so long
--   'release', id                   'gone' when there is none
--   'count'
local what, id = ARGV[1], ARGV[2]
local function answer(outcome)
  return {outcome, there()}
end
if what == 'set' then
  redis.call('SET', stock, ARGV[2])
elseif what == 'add' then
  if there() + ARGV[2] < 0 then
    return answer('short')
  end
  redis.call('INCRBY', stock, ARGV[2])
elseif what == 'reserve' then
  local before = tonumber(redis.call('HGET', reserved, id) or '0')
  if before < 0 then
    return answer('confirmed')
  end
  local more = ARGV[3] - before
  if more > there() then
    return answer('short')
  end
  redis.call('DECRBY', stock, more)
  redis.call('HSET', reserved, id, ARGV[3])
  redis.call('ZADD', ends, now() + ARGV[4], id)
elseif what == 'confirm' then
  local quantity = redis.call('HGET', reserved, id)
  if not quantity then
    return answer('gone')
  end
  -- Negative: it is sold.
  redis.call('HSET', reserved, id, -math.abs(tonumber(quantity)))
  redis.call('ZADD', ends, now() + ARGV[3], id)
elseif what == 'release' then
  local quantity = tonumber(redis.call('HGET', reserved, id) or '0')
  if quantity <= 0 then
    return answer(quantity < 0 and 'confirmed' or 'gone')
  end
  redis.call('INCRBY', stock, quantity)
  redis.call('HDEL', reserved, id)
  redis.call('ZREM', ends, id)
end
return answer('ok')
