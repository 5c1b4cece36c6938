-- Reads entries, and says whose turn it is to load what is not there. KEYS: marks, clock, entries.
-- ARGV: the caller's token, the ms of a lease or 0 to read only, how much earlier than its end a fresh entry is loaded
-- anew: in times the last load took, and in ms; and whether values have fields.
-- Answers for each entry {state, {name, value ...}, number}, the state being
--   fresh           here it is, and is for `number` ms; behind that, how many ms its load took
--   stale           here it is;           early   here it is, and the caller is to load it anew, since `number`
--   load            the caller is to load it, since `number`;
--   wait            somebody else does, for at most `number` ms;         miss   it is not there
local token, lease, times, ahead, with_fields = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

local function value_of(entry)
  if with_fields == '' then
    return {'', redis.call('HGET', entry, '.')}
  end
  local all, fields = redis.call('HGETALL', entry), {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == '.' then
      fields[#fields + 1] = string.sub(all[i], 2)
      fields[#fields + 1] = all[i + 1]
    end
  end
  return fields
end

local function lent(entry)
  local begun = tick()
  redis.call('HSET', entry, 'lease', token, 'until', text(now() + lease), 'begun', text(begun))
  extend(entry, lease)
  keep_marks()
  return text(begun)
end

local function answer(entry)
  local found = read(entry)
  local is_lent = found.lease and found['until'] > now()
  local is_there = found.stamp and holds(found.stamp, cmsgpack.unpack(found.tags))
  if is_there then
    local left = found.fresh - now()
    if lease > 0 and not is_lent and left <= math.max(found.took * times, ahead) then
      return {'early', value_of(entry), lent(entry)}
    end
    if left > 0 then
      return {'fresh', value_of(entry), left, found.took}
    end
    return {'stale', value_of(entry), 0}
  end
  if lease == 0 then
    return {'miss', false, 0}
  end
  if is_lent then
    redis.call('HINCRBY', entry, 'waiting', 1)
    return {'wait', false, text(found['until'] - now())}
  end
  return {'load', false, lent(entry)}
end

local answers = {}
for i = 3, #KEYS do
  answers[i - 2] = answer(KEYS[i])
end
return answers
