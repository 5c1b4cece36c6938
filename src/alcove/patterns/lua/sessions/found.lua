-- What `get` answers of a session that lives, as the lines of one text, or as a list where one has several lines.
local function found(left, fields)
  if not string.find(table.concat(fields), '\n', 1, true) then
    return 'found\n' .. left .. '\n' .. table.concat(fields, '\n')
  end
  table.insert(fields, 1, 'found')
  table.insert(fields, 2, string.format('%.0f', left))
  return fields
end

-- The short way, that most take: the end need not be moved. A record expires when its session ends, as the index says.
local left = redis.call('PTTL', KEYS[2])
if left > 0 and left >= tonumber(ARGV[3]) and left <= tonumber(ARGV[2]) then
  local ending = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if ending and ending + 0 > 0 then
    return found(left, redis.call('HGETALL', KEYS[2]))
  end
end
