-- The continuous-state leaky bucket of ITU-T I.371, by which that defines GCRA. The tokens of a token bucket are what
-- is missing to its brim. State: level, time of it. A unit raises the level by the window, each ms lowers it by the
-- limit, so that all is exact.
local bucket = {}

local function keep_bucket(rule)
  keep(rule.key, string.format('%.0f %.0f', rule.level, at), at + math.ceil(rule.level / rule.limit))
end

function bucket.read(rule)
  local level, since = numbers(rule.key, '^(%d+) (%d+)$')
  rule.level = level and math.max(0, level - math.max(0, at - since) * rule.limit) or 0
  if since and since > at then
    keep_bucket(rule)
  end
end

function bucket.room(rule)
  return math.floor((rule.capacity * rule.window - rule.level) / rule.window)
end

function bucket.retry(rule, cost)
  return math.ceil((rule.level - (rule.capacity - cost) * rule.window) / rule.limit)
end

function bucket.reset(rule)
  return math.ceil(rule.level / rule.limit)
end

function bucket.add(rule, cost)
  rule.level = math.max(0, rule.level + cost * rule.window)
  keep_bucket(rule)
end

function bucket.give_back(rule, cost)
  bucket.add(rule, -cost)
end

algorithms['token-bucket'], algorithms.gcra = bucket, bucket
