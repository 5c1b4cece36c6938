-- The short way of most hits: of one rule, in a window that has room.
if #KEYS == 1 and ARGV[1] + 0 > 0 then
  local capacity, window = string.match(ARGV[2], '^fixed%-window %d+ (%d+) (%d+)')
  local room, left = capacity - ARGV[1], redis.call('PTTL', KEYS[1])
  if left > 0 and left <= tonumber(window) then
    room = capacity - redis.call('INCRBY', KEYS[1], ARGV[1])
    if room < 0 then
      redis.call('DECRBY', KEYS[1], ARGV[1])
    end
  elseif left == -2 and room >= 0 then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', window)
    left = window
  else
    room = -1
  end
  if room >= 0 then
    now()
    return parts[1] .. ' ' .. parts[2] .. ' 1 ' .. string.format('%d', room) .. ' ' .. left .. ' 0'
  end
end
