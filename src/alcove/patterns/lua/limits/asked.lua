-- The rules that are asked, with their states.
local rules = {}
for i, key in ipairs(KEYS) do
  local name, limit, capacity, window, on_trial = string.match(ARGV[i + 1], '^(%S+) (%d+) (%d+) (%d+) (%d)$')
  local rule = {
    key = key,
    algorithm = algorithms[name],
    limit = tonumber(limit),
    capacity = tonumber(capacity),
    window = tonumber(window),
    on_trial = on_trial == '1',
  }
  rule.algorithm.read(rule)
  rules[i] = rule
end
