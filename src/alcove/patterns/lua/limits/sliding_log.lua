-- Every unit by its time. The members of a time are numbered without a gap; only the last ones are given back.
local log = {}
local CHUNK = 1000

local function add_units(rule, cost)
  local first = redis.call('ZCOUNT', rule.key, at, at)
  while cost > 0 do
    local added = {}
    for i = first, first + math.min(cost, CHUNK) - 1 do
      added[#added + 1] = at
      added[#added + 1] = string.format('%.0f-%07d', at, i)
    end
    redis.call('ZADD', rule.key, unpack(added))
    first, cost = first + CHUNK, cost - CHUNK
  end
  redis.call('PEXPIREAT', rule.key, at + rule.window)
end

function log.read(rule)
  local newest = redis.call('ZREVRANGE', rule.key, 0, 0, 'WITHSCORES')[2]
  rule.newest = newest and tonumber(newest)
  if newest and rule.newest > at then
    -- What is to come is taken to be of now.
    local after = '(' .. at
    local ahead = redis.call('ZCOUNT', rule.key, after, '+inf')
    redis.call('ZREMRANGEBYSCORE', rule.key, after, '+inf')
    add_units(rule, ahead)
    rule.newest = at
  end
  rule.used = newest and redis.call('ZCOUNT', rule.key, '(' .. (at - rule.window), '+inf') or 0
end

function log.room(rule)
  return rule.capacity - rule.used
end

function log.retry(rule, cost)
  -- When the last of those is a window old that must go.
  local going = redis.call('ZCARD', rule.key) - rule.used + cost - log.room(rule) - 1
  return redis.call('ZRANGE', rule.key, going, going, 'WITHSCORES')[2] + rule.window - at
end

function log.reset(rule)
  return rule.used > 0 and rule.newest + rule.window - at or 0
end

function log.add(rule, cost)
  redis.call('ZREMRANGEBYSCORE', rule.key, '-inf', at - rule.window)
  add_units(rule, cost)
  rule.used, rule.newest = rule.used + cost, at
end

function log.give_back(rule, cost, when)
  local those = redis.call('ZCOUNT', rule.key, when, when)
  local behind = redis.call('ZCOUNT', rule.key, '-inf', when)
  if those > 0 then
    redis.call('ZREMRANGEBYRANK', rule.key, behind - math.min(cost, those), behind - 1)
  end
end

algorithms['sliding-log'] = log
