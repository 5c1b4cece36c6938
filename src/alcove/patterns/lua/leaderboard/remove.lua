-- Takes a player off the boards. ARGV: order, ties, dense; player; the boards.
-- Answers whether the player was on the first one.
local player = ARGV[4]
local was_there = 0
for i = 1, boards do
  local board, members, distinct = board_at(i)
  local member = member_of(members, player)
  local score = member and redis.call('ZSCORE', board, member)
  if score then
    redis.call('ZREM', board, member)
    redis.call('HDEL', members, player)
    forget_score(board, distinct, score)
    if i == 1 then
      was_there = 1
    end
  end
end
redis.call('HDEL', KEYS[1], player)
return was_there
