-- The algorithms of rate limits. A state is a string of whole numbers, that of a log a sorted set of units by time.
-- KEYS: the state of each rule. ARGV: two words of the script, and for each rule its algorithm, limit, capacity,
-- window in ms, and 1 if it is on trial.
--
-- Each algorithm reads a rule's state, says how much room there is for, in how many ms there is room for a cost and
-- when nothing is used any more, adds a cost, and gives back what was used at a time. A state that is ahead of the time
-- is there when the clock was set back: it is put right when it is read, lest it limit somebody until that time comes.
local WORDS_PER_RULE = 5
local at = now()

local function text(number)
  return string.format('%.0f', number)
end

local function numbers(key)
  local found = {}
  for number in string.gmatch(redis.call('GET', key) or '', '%d+') do
    found[#found + 1] = tonumber(number)
  end
  return found[1], found[2], found[3]
end

local function keep(key, state, until_ms)
  redis.call('SET', key, state, 'PXAT', text(math.max(until_ms, at + 1)))
end

-- A window begins with the first hit. State: units used, end of the window.
local fixed = {}

local function keep_fixed(rule)
  keep(rule.key, text(rule.used) .. ' ' .. text(rule.ends), rule.ends)
end

function fixed.read(rule)
  rule.used, rule.ends = numbers(rule.key)
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

-- Windows are multiples of their length; what the one before used counts for the part of it that a sliding window would
-- still see. State: number of the window, units used in the one before, units used in it. Weights are in units times
-- window, so that all is exact.
local counter = {}

local function keep_counter(rule)
  local state = text(rule.number) .. ' ' .. text(rule.before) .. ' ' .. text(rule.used)
  keep(rule.key, state, (rule.number + 2) * rule.window)
end

function counter.read(rule)
  local number, before, used = numbers(rule.key)
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

-- The continuous-state leaky bucket of ITU-T I.371, by which that defines GCRA. The tokens of a token bucket are what
-- is missing to its brim. State: level, time of it. A unit raises the level by the window, each ms lowers it by the
-- limit, so that all is exact.
local bucket = {}

local function keep_bucket(rule)
  keep(rule.key, text(rule.level) .. ' ' .. text(at), at + math.ceil(rule.level / rule.limit))
end

function bucket.read(rule)
  local level, since = numbers(rule.key)
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

-- Every unit by its time. The members of a time are numbered without a gap; only the last ones are given back.
local log = {}
local CHUNK = 1000

local function add_units(rule, cost)
  local first = redis.call('ZCOUNT', rule.key, text(at), text(at))
  while cost > 0 do
    local added = {}
    for i = first, first + math.min(cost, CHUNK) - 1 do
      added[#added + 1] = text(at)
      added[#added + 1] = string.format('%.0f-%07d', at, i)
    end
    redis.call('ZADD', rule.key, unpack(added))
    first, cost = first + CHUNK, cost - CHUNK
  end
  redis.call('PEXPIREAT', rule.key, text(at + rule.window))
end

function log.read(rule)
  local newest = redis.call('ZREVRANGE', rule.key, 0, 0, 'WITHSCORES')[2]
  rule.newest = newest and tonumber(newest)
  if newest and rule.newest > at then
    -- What is to come is taken to be of now.
    local after = '(' .. text(at)
    local ahead = redis.call('ZCOUNT', rule.key, after, '+inf')
    redis.call('ZREMRANGEBYSCORE', rule.key, after, '+inf')
    add_units(rule, ahead)
    rule.newest = at
  end
  rule.used = newest and redis.call('ZCOUNT', rule.key, '(' .. text(at - rule.window), '+inf') or 0
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
  redis.call('ZREMRANGEBYSCORE', rule.key, '-inf', text(at - rule.window))
  add_units(rule, cost)
  rule.used, rule.newest = rule.used + cost, at
end

function log.give_back(rule, cost, when)
  local those = redis.call('ZCOUNT', rule.key, text(when), text(when))
  local behind = redis.call('ZCOUNT', rule.key, '-inf', text(when))
  if those > 0 then
    redis.call('ZREMRANGEBYRANK', rule.key, behind - math.min(cost, those), behind - 1)
  end
end

local algorithms = {
  ['fixed-window'] = fixed,
  ['sliding-log'] = log,
  ['sliding-counter'] = counter,
  ['token-bucket'] = bucket,
  gcra = bucket,
}
local rules = {}
for i, key in ipairs(KEYS) do
  local word = 2 + WORDS_PER_RULE * (i - 1)
  local rule = {
    key = key,
    algorithm = algorithms[ARGV[word + 1]],
    limit = tonumber(ARGV[word + 2]),
    capacity = tonumber(ARGV[word + 3]),
    window = tonumber(ARGV[word + 4]),
    on_trial = ARGV[word + 5] == '1',
  }
  rule.algorithm.read(rule)
  rules[i] = rule
end
