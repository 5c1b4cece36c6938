-- A window begins with the first hit. State: units used; it expires with the window.
local fixed = {}

local function keep_fixed(rule)
  redis.call('SET', rule.key, rule.used, 'PXAT', math.max(rule.ends, at + 1))
end

function fixed.read(rule)
  local used, left = redis.call('GET', rule.key), redis.call('PTTL', rule.key)
  rule.used, rule.ends = 0, at + rule.window
  if used and left > 0 then
    rule.used = tonumber(used)
    if left > rule.window then
      keep_fixed(rule)
    else
      rule.ends = at + left
    end
  end
end

function fixed.room(rule)
  return rule.capacity - rule.used
end

function fixed.retry(rule)
  return rule.ends - at
end

function fixed.reset(rule)
  return rule.used > 0 and rule.ends - at or 0
end

function fixed.add(rule, cost)
  rule.used = rule.used + cost
  keep_fixed(rule)
end

function fixed.give_back(rule, cost, when)
  if rule.used > 0 and when >= rule.ends - rule.window then
    fixed.add(rule, -math.min(cost, rule.used))
  end
end

algorithms['fixed-window'] = fixed
