-- Reads entries, and says whose turn it is to load what is not there. KEYS: marks, clock, entries.
-- ARGV: the caller's token, the ms of a lease or 0 to read only, and how much earlier than its end a fresh entry is
-- loaded anew, in times the last load took, and in ms; as one text.
-- Answers for each entry, or by itself for a single one, a line with a state and numbers, and behind it the value; where
-- that has fields, a list of the line, names and values. The states are
--   fresh <ms> <took>      here it is, and is for so many ms; and how many ms its load took
--   stale                  here it is
--   early <stamp>          here it is, and the caller is to load it anew; his turn has this stamp
--   load <stamp>           the caller is to load it
--   wait <ms>              somebody else does, for at most so many ms
--   miss                   it is not there
local token, lease, times, ahead = string.match(ARGV[1], '^(%S+) (%d+) (%S+) (%d+)$')
lease = tonumber(lease)

local function shown(line, entry, value)
  if value then
    return line .. '\n' .. value
  end
  local all, fields = redis.call('HGETALL', entry), {line}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == '.' then
      fields[#fields + 1] = string.sub(all[i], 2)
      fields[#fields + 1] = all[i + 1]
    end
  end
  return fields
end

local function lend(entry, begun)
  begun = begun or text(tick())
  redis.call('HSET', entry, 'lease', string.format('%s %.0f %s', token, now() + lease, begun))
  extend(entry, lease)
  keep_marks()
  return begun
end

local function answer(entry)
  local value, about, tags, lent = unpack(redis.call('HMGET', entry, '.', 'about', 'tags', 'lease'))
  local others_until, ours
  if lent then
    local holder, ends, begun = string.match(lent, LEASE)
    if tonumber(ends) > now() then
      -- One's own: the answer was lost that said so, and it is said again.
      others_until, ours = holder ~= token and tonumber(ends), holder == token and begun
    end
  end
  local is_there, fresh, took = holding(about, tags)
  if is_there then
    local left = fresh - now()
    if lease > 0 and not others_until and left <= math.max(took * times, tonumber(ahead)) then
      return shown('early ' .. lend(entry, ours), entry, value)
    end
    return shown(left > 0 and string.format('fresh %.0f %s', left, took) or 'stale', entry, value)
  end
  if lease == 0 then
    return 'miss'
  end
  if others_until then
    redis.call('HINCRBY', entry, 'waiting', 1)
    return string.format('wait %.0f', others_until - now())
  end
  return 'load ' .. lend(entry, ours)
end

if #KEYS == 3 then
  return answer(KEYS[3])
end
local answers = {}
for i = 3, #KEYS do
  answers[i - 2] = answer(KEYS[i])
end
return answers
