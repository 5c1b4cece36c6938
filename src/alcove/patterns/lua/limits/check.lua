-- Counts a hit by all rules, or by none when one denies it that is not on trial.
-- ARGV: the cost, negative to look only; the rules.
-- Answers, as one text, the time in seconds and microseconds, and for each rule: 1 if it allows the cost, units left, ms
-- until nothing is used, ms until the cost would be allowed, -1 if never.
local cost = tonumber(ARGV[1])
local hits = cost > 0
cost = math.abs(cost)
local denied = false
for _, rule in ipairs(rules) do
  rule.allows = rule.algorithm.room(rule) >= cost
  denied = denied or not (rule.allows or rule.on_trial)
end

local function told(rule)
  if hits and not denied and rule.allows then
    rule.algorithm.add(rule, cost)
  end
  local room, retry = math.max(0, rule.algorithm.room(rule)), 0
  if not rule.allows then
    retry = cost <= rule.capacity and rule.algorithm.retry(rule, cost) or -1
  end
  return string.format('%d %d %.0f %.0f', rule.allows and 1 or 0, room, rule.algorithm.reset(rule), retry)
end

local answer = {parts[1], parts[2]}
for i, rule in ipairs(rules) do
  answer[i + 2] = told(rule)
end
return table.concat(answer, ' '), denied
