-- What `get` answers of a session that lives, as the lines of one text, or as a list where one has several lines.
local function found(left, fields)
  if not string.find(table.concat(fields), '\n', 1, true) then
    return 'found\n' .. left .. '\n' .. table.concat(fields, '\n')
  end
  table.insert(fields, 1, 'found')
  table.insert(fields, 2, string.format('%.0f', left))
  return fields
end

-- The short way, that most take: the end need not be moved.
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
local left = ends and ends - now() or 0
if left > 0 and left >= tonumber(ARGV[3]) and left <= tonumber(ARGV[2]) then
  local fields = redis.call('HGETALL', KEYS[2])
  if #fields > 0 then
    return found(left, fields)
  end
end
