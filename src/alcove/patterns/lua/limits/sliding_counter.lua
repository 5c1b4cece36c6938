-- Windows are multiples of their length; what the one before used counts for the part of it that a sliding window would
-- still see. State: number of the window, units used in the one before, units used in it. Weights are in units times
-- window, so that all is exact.
local counter = {}

local function keep_counter(rule)
  keep(rule.key, rule.number .. ' ' .. rule.before .. ' ' .. rule.used, (rule.number + 2) * rule.window)
end

function counter.read(rule)
  local number, before, used = numbers(rule.key, '^(%d+) (%d+) (%d+)$')
  local current = math.floor(at / rule.window)
  if not used or number < current - 1 then
    before, used = 0, 0
  elseif number == current - 1 then
    before, used = used, 0
  end
  rule.number, rule.before, rule.used = current, before, used
  rule.left = (current + 1) * rule.window - at
  if number and number > current then
    keep_counter(rule)
  end
end

function counter.room(rule)
  local weight = rule.before * rule.left + rule.used * rule.window
  return math.floor((rule.capacity * rule.window - weight) / rule.window)
end

function counter.retry(rule, cost)
  local free = rule.capacity - cost
  if rule.used <= free then
    return rule.left - math.floor((free - rule.used) * rule.window / rule.before)
  end
  -- In the next window, where what is used now is what was used before.
  return rule.left + rule.window - math.floor(free * rule.window / rule.used)
end

function counter.reset(rule)
  if rule.used > 0 then
    return rule.left + rule.window
  end
  return rule.before > 0 and rule.left or 0
end

function counter.add(rule, cost)
  rule.used = rule.used + cost
  keep_counter(rule)
end

function counter.give_back(rule, cost, when)
  local began = rule.number * rule.window
  if when >= began then
    rule.used = math.max(0, rule.used - cost)
  elseif when >= began - rule.window then
    rule.before = math.max(0, rule.before - cost)
  end
  if rule.used + rule.before > 0 then
    keep_counter(rule)
  else
    redis.call('DEL', rule.key)
  end
end

algorithms['sliding-counter'] = counter
