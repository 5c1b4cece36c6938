-- A player's place. ARGV: order, ties, dense; player; the board.
-- Answers false when the player is not there; else {total, {position, players above, scores above, member and score
-- as one, {data}}}.
local players, board, members, distinct = unpack(KEYS)
local member = member_of(members, ARGV[4])
local score = member and redis.call('ZSCORE', board, member)
if not score then
  return false
end
local scores = dense and better_than(distinct, score) or 0
local data = redis.call('HMGET', players, ARGV[4])
local place = {position_of(board, member), better_than(board, score), scores, whole({member, score}), data}
return {redis.call('ZCARD', board), place}
