-- Reads entries, and says whose turn it is to load what is not there. KEYS: marks, clock, entries.
-- ARGV: the caller's token and the ms of a lease, 0 to read only, as one text.
-- Answers for each entry, or by itself for a single one, a line with a state and numbers, and behind it the value; where
-- that has fields, a list of the line, names and values. The states are
--   here <s> <us> <about>  here it is; the time, and what the entry is about. If it has tags, how many bytes they take,
--                          packed, and they stand behind the line
--   load <stamp>           the caller is to load it: his turn has this stamp
--   wait <ms>              somebody else does, for at most so many ms
--   miss                   it is not there
local token, lease = string.match(ARGV[1], '^(%S+) (%d+)$')
lease = tonumber(lease)

local function shown(entry, about, value, tags)
  local time = redis.call('TIME')
  local line = 'here ' .. time[1] .. ' ' .. time[2] .. ' ' .. about
  if tags then
    line = line .. ' ' .. #tags .. '\n' .. tags
  elseif value then
    line = line .. '\n'
  end
  if value then
    return line .. value
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

local function answer(entry)
  local value, about, tags = unpack(redis.call('HMGET', entry, '.', 'about', 'tags'))
  if is_holding(about, tags) then
    return shown(entry, about, value, tags)
  elseif lease == 0 then
    return 'miss'
  end
  local begun, ms = turn(entry, token, lease)
  if begun then
    return 'load ' .. begun
  end
  redis.call('HINCRBY', entry, 'waiting', 1)
  return 'wait ' .. text(ms)
end

if #KEYS == 3 then
  return answer(KEYS[3])
end
local answers = {}
for i = 3, #KEYS do
  answers[i - 2] = answer(KEYS[i])
end
return answers
