-- Gives back what a hit has used, as far as it still counts. ARGV: the hit's time and cost, as one text; the rules.
local when, cost = string.match(ARGV[1], '^(%d+) (%d+)$')
when, cost = tonumber(when), tonumber(cost)
for _, rule in ipairs(rules) do
  rule.algorithm.give_back(rule, cost, when)
end
return 1
