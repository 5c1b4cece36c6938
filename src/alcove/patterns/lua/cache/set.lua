-- Sets an entry, whatever was there; loads that have begun before do not replace it.
-- KEYS: marks, clock, entry, its bell. ARGV: what `described` reads.
local writers = writers_of(KEYS[3])
put(KEYS[3], KEYS[4], tick(), (described(1)))
note_writers(KEYS[3], writers)
return redis.status_reply('OK')
