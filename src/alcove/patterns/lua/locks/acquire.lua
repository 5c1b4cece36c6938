-- Takes what is asked for, or a place in the queue, or keeps that place. Asking again by the same token is harmless.
-- ARGV: token, lease in ms, lease as a waiter in ms (0: does not wait, nor any longer), for how many ms to remember the
-- fence.
-- Answers {1, fence}, or {0, in how many ms to ask again at the latest, the token whose `left` wakes ('': `freed`)}.
local lease_ms, waiting_ms, remembered_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local first = first_in_queue()
local is_granted = (not first or first == token) and take(lease_ms)
if not is_granted and milliseconds_left() > 0 then
  -- The answer to the first asking was lost.
  renew(lease_ms)
  is_granted = true
end
if first and (is_granted or waiting_ms == 0) then
  local waited = leave_queue()
  if waited and (WAKES_BY_TAKING or not is_granted) and anyone_waits() then
    wake(left)
  end
end
if is_granted then
  return {1, next_fence(fence, remembered_ms)}
elseif waiting_ms == 0 then
  return {0, 0, ''}
end

local place = stay_in_queue(waiting_ms)
if place == 0 then
  return {0, first_waits_for()}
end
local before = redis.call('ZRANGE', queue, place - 1, place - 1)[1]
return {0, redis.call('ZSCORE', leases, before) - now(), before}
