-- How many jobs wait, are delayed, are being done, and are dead.
local due = redis.call('ZCOUNT', delayed, '-inf', time)
local expired = redis.call('ZCOUNT', leases, '-inf', time)
return {
  redis.call('ZCARD', waiting) + due + expired,
  redis.call('ZCARD', delayed) - due,
  redis.call('ZCARD', leases) - expired,
  redis.call('ZCARD', dead),
}
