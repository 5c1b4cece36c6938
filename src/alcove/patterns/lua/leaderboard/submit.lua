-- Enters a score on the boards of all time and of the periods that it is in.
-- ARGV: order, ties, dense; policy, score, player, data ('' for none); the boards.
-- Answers {score, previous or false, position} of the first board.
local policy, score, player, data = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local function entered(before)
  -- The score after the submit, as text; nil when it stays.
  if policy == 'sum' then
    return string.format('%.17g', tonumber(score) + tonumber(before or '0'))
  end
  if policy == 'best' and before then
    local difference = tonumber(score) - tonumber(before)
    return (high and difference or -difference) > 0 and score or nil
  end
  if before and tonumber(before) == tonumber(score) then
    return nil
  end
  return score
end

-- All is checked before anything is changed.
local changes = {}
for i = 1, boards do
  local board, members = board_at(i)
  local member = member_of(members, player)
  local before = member and redis.call('ZSCORE', board, member)
  local after = entered(before)
  if after and math.abs(tonumber(after)) == math.huge then
    return redis.error_reply('OUTOFRANGE the sum of the scores is not finite')
  end
  changes[i] = {member = member, before = before, after = after}
end

for i = 1, boards do
  local board, members, distinct = board_at(i)
  local change = changes[i]
  if change.after then
    if change.member then
      redis.call('ZREM', board, change.member)
    end
    change.member = new_member(player)
    redis.call('ZADD', board, change.after, change.member)
    if ties == 'time' then
      redis.call('HSET', members, player, change.member)
    end
    if change.before then
      forget_score(board, distinct, change.before)
    end
    if dense then
      redis.call('ZADD', distinct, change.after, redis.call('ZSCORE', board, change.member))
    end
  end
  if time_to_live(i) > 0 then
    for _, key in ipairs({board, members, distinct}) do
      redis.call('PEXPIRE', key, time_to_live(i))
    end
  end
end
if data ~= '' then
  redis.call('HSET', KEYS[1], player, data)
end
if time_to_live(1) > 0 then
  redis.call('PEXPIRE', KEYS[1], time_to_live(1))
end
local board = board_at(1)
local member = changes[1].member
return {redis.call('ZSCORE', board, member), changes[1].before or false, position_of(board, member)}
