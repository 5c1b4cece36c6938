-- Renews what a token holds. ARGV: token, lease in ms (0: only looks).
-- Answers how many ms are left of the lease; 0 when it is over.
local lease_ms = tonumber(ARGV[2])
local ms = milliseconds_left()
if ms > 0 and lease_ms > ms then
  renew(lease_ms)
  return lease_ms
end
return ms
