-- Gives back what a hit has used, as far as it still counts. ARGV: the hit's time, cost; the rules.
local when, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
for _, rule in ipairs(rules) do
  rule.algorithm.give_back(rule, cost, when)
end
return 1
