-- Rows of a board.
-- ARGV: order, ties, dense; first and last position, a player that the rows are around of ('' for none), 'data' if it
-- is wanted; the board. Around a player the positions are how many rows before and after.
-- Answers false when the player is not there; else {total, {first position, players above its score, scores above it,
-- member, score ... as one, {data ...}}}.
local players, board, members, distinct = unpack(KEYS)
local first, last, player, wanted = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
if player ~= '' then
  local member = member_of(members, player)
  local position = member and position_of(board, member)
  if not position then
    return false
  end
  first, last = math.max(0, position - first), position + last
end
local rows = redis.call(high and 'ZREVRANGE' or 'ZRANGE', board, first, last, 'WITHSCORES')
local total = redis.call('ZCARD', board)
if #rows == 0 then
  return {total, {first, 0, 0, whole(rows), {}}}
end
local data = {}
if wanted == 'data' then
  local ids = {}
  for i = 1, #rows, 2 do
    ids[#ids + 1] = ties == 'time' and string.sub(rows[i], 18) or rows[i]
  end
  data = redis.call('HMGET', players, unpack(ids))
end
local scores = dense and better_than(distinct, rows[2]) or 0
return {total, {first, better_than(board, rows[2]), scores, whole(rows), data}}
