-- A window begins with the first hit. State: units used, end of the window.
local fixed = {}

local function keep_fixed(rule)
  keep(rule.key, rule.used .. ' ' .. rule.ends, rule.ends)
end

function fixed.read(rule)
  rule.used, rule.ends = numbers(rule.key, '^(%d+) (%d+)$')
  if not rule.ends or rule.ends <= at then
    rule.used, rule.ends = 0, at + rule.window
  elseif rule.ends > at + rule.window then
    rule.ends = at + rule.window
    keep_fixed(rule)
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
