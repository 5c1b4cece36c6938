-- What rate limits have in common. A state is a string of whole numbers, that of a log a sorted set of units by time.
-- KEYS: the state of each rule. ARGV: what the script wants, and for each rule its algorithm, limit, capacity, window in
-- ms, and 1 if it is on trial, as one text.
--
-- Each algorithm reads a rule's state, says how much room there is for, in how many ms there is room for a cost and
-- when nothing is used any more, adds a cost, and gives back what was used at a time. A state that is ahead of the time
-- is there when the clock was set back: it is put right when it is read, lest it limit somebody until that time comes.
-- A script has only the algorithms that its rules want.
local at = now()
local algorithms = {}

local function numbers(key, form)
  local first, second, third = string.match(redis.call('GET', key) or '', form)
  return tonumber(first), tonumber(second), tonumber(third)
end

local function keep(key, state, until_ms)
  redis.call('SET', key, state, 'PXAT', math.max(until_ms, at + 1))
end
