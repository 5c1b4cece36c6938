-- Counts a hit by all rules, or by none when one denies it that is not on trial.
-- ARGV: 'hit' or 'peek', cost; the rules.
-- Answers, as one text, the time and for each rule: 1 if it allows the cost, units left, ms until nothing is used, ms
-- until the cost would be allowed, -1 if never.
local hits, cost = ARGV[1] == 'hit', tonumber(ARGV[2])
local denied = false
for _, rule in ipairs(rules) do
  rule.allows = rule.algorithm.room(rule) >= cost
  denied = denied or not (rule.allows or rule.on_trial)
end

local function retry(rule)
  if rule.allows then
    return 0
  end
  return cost <= rule.capacity and rule.algorithm.retry(rule, cost) or -1
end

local answer = {at}
for _, rule in ipairs(rules) do
  local algorithm = rule.algorithm
  if hits and not denied and rule.allows then
    algorithm.add(rule, cost)
  end
  answer[#answer + 1] = rule.allows and 1 or 0
  answer[#answer + 1] = math.max(0, algorithm.room(rule))
  answer[#answer + 1] = algorithm.reset(rule)
  answer[#answer + 1] = retry(rule)
end
return table.concat(answer, ' '), denied
