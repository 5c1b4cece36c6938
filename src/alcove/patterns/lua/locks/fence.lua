local function next_fence(fence, remembered_ms)
  -- The time in microseconds, or one more than the fence before if that is more. So it grows although the clock be set
  -- back, and although the server lose its data, be it all or only the last grants.
  local time = redis.call('TIME')
  local number = time[1] * 1000000 + time[2]
  local last = redis.call('SET', fence, string.format('%d', number), 'PX', remembered_ms, 'GET')
  if last and tonumber(last) >= number then
    number = last + 1
    redis.call('SET', fence, string.format('%d', number), 'PX', remembered_ms)
  end
  return number
end
