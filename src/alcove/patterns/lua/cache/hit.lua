-- The short way of `read`, that most questions take: of one entry that is there as one value, and has no tags. Behind it
-- follows what the others want, to define which takes longer than all this.
if #KEYS == 3 then
  local found = redis.call('HMGET', KEYS[3], 'about', '.', 'tags')
  if found[1] and found[2] and not found[3] then
    local epoch = redis.call('ZSCORE', KEYS[1], 'epoch')
    if epoch and string.match(found[1], '^%d+') - epoch > 0 then
      local time = redis.call('TIME')
      return 'here ' .. time[1] .. ' ' .. time[2] .. ' ' .. found[1] .. '\n' .. found[2]
    end
  end
end
