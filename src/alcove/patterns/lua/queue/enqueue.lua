-- Puts jobs into a queue. KEYS: ..., what says that a job is unique for a time. ARGV: see `put`.
return put(3, KEYS[7])
