-- The short way of most hits: of one rule, in a window that has room.
if #KEYS == 1 and ARGV[1] == 'hit' then
  local capacity, window = string.match(ARGV[3], '^fixed%-window %d+ (%d+) (%d+)')
  local room, left = capacity - ARGV[2], redis.call('PTTL', KEYS[1])
  if left > 0 and left <= tonumber(window) then
    room = capacity - redis.call('INCRBY', KEYS[1], ARGV[2])
    if room >= 0 then
      return string.format('%.0f 1 %d %.0f 0', now(), room, left)
    end
    redis.call('DECRBY', KEYS[1], ARGV[2])
  elseif left == -2 and room >= 0 then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', window)
    return string.format('%.0f 1 %d %s 0', now(), room, window)
  end
end
