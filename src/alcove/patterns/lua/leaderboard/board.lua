-- A board: a sorted set of members, and the hash of which member is whose.
-- Where ties go by time, a member is 16 digits of time, a colon, and the player; else it is the player.
-- `distinct` has each score once, for dense ranks.
-- KEYS: players' data, then for each board: board, members, distinct.
-- ARGV: order, ties, dense; what the script wants; and for each board its time to live in ms (0 for none), the length
-- and shift of its period in ms (0 for all time), and the number that the caller takes the period to have. When one
-- has another number by now, the answer is {'period', the time}, and nothing is done.
local PER_BOARD = 4
local boards = (#KEYS - 1) / 3
local described = #ARGV - PER_BOARD * boards

local function board_at(i)
  return KEYS[3 * i - 1], KEYS[3 * i], KEYS[3 * i + 1]
end

local function time_to_live(i)
  return tonumber(ARGV[described + PER_BOARD * (i - 1) + 1])
end

for i = 1, boards do
  local at = described + PER_BOARD * (i - 1)
  local length = tonumber(ARGV[at + 2])
  if length > 0 and math.floor((now() + ARGV[at + 3]) / length) ~= tonumber(ARGV[at + 4]) then
    return {'period', now()}
  end
end

local order, ties, dense = ARGV[1], ARGV[2], ARGV[3] == 'dense'
local high = order == 'high'
local LAST_US = 9999999999999999

local function member_of(members, player)
  if ties == 'id' then
    return player
  end
  return redis.call('HGET', members, player)
end

local function new_member(player)
  if ties == 'id' then
    return player
  end
  -- Among equal scores the one who had it first is before the others, whichever way the board is read.
  local time = redis.call('TIME')
  local us = time[1] * 1000000 + time[2]
  return string.format('%016.0f:%s', high and LAST_US - us or us, player)
end

local function position_of(board, member)
  return redis.call(high and 'ZREVRANK' or 'ZRANK', board, member)
end

local function forget_score(board, distinct, score)
  if dense and redis.call('ZCOUNT', board, score, score) == 0 then
    redis.call('ZREM', distinct, score)
  end
end

local function better_than(set, score)
  if high then
    return redis.call('ZCOUNT', set, '(' .. score, '+inf')
  end
  return redis.call('ZCOUNT', set, '-inf', '(' .. score)
end
