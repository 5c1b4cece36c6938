-- Ends the waiting of one worker by a key of its own. ARGV: ms for which the key is kept when the worker does not wait.
redis.call('RPUSH', KEYS[1], '1')
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
