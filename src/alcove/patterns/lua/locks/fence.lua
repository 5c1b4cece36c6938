local function next_fence(fence, remembered_ms)
  -- One more than the fence before, or, when none is remembered, the time in microseconds: as no grant takes less than
  -- one, that is more than all before, although the server lose its data.
  local number = redis.call('INCR', fence)
  if number > 1 then
    redis.call('PEXPIRE', fence, remembered_ms)
    return number
  end
  local time = redis.call('TIME')
  number = time[1] * 1000000 + time[2]
  redis.call('SET', fence, string.format('%.0f', number), 'PX', remembered_ms)
  return number
end
