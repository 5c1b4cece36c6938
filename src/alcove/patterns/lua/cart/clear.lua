-- Empties a cart. KEYS: cart, details. ARGV: ttl. Answers whether there was anything in it.
local was_there = redis.call('DEL', cart)
redis.call('DEL', details)
return was_there
