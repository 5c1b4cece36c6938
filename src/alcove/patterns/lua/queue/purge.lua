-- Forgets dead letters. ARGV: ..., how many of the oldest. Answers how many.
local ids = redis.call('ZRANGE', dead, 0, ARGV[3] - 1)
forget_dead(ids)
return #ids
