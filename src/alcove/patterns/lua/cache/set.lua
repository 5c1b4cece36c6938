-- Sets an entry, whatever was there; loads that have begun before do not replace it. KEYS: marks, entry, its bell.
-- ARGV: what `described` reads.
local writers = writers_of(read(KEYS[2]))
put(KEYS[2], KEYS[3], tick(), (described(1)))
note_writers(KEYS[2], writers)
return redis.status_reply('OK')
