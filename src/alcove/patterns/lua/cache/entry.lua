-- What the cache's scripts share. KEYS[1] is the shard's `marks`: when which tag was invalidated, and everything, as
-- `epoch`. They change with invalidations only: when nothing else tells them what, near-caches then forget all they have.
-- KEYS[2] is its `clock`: the last stamp, and as `longest` for how many ms an entry has lived at most.
-- With each entry goes its bell, a list on which those wait who want what somebody else loads.
--
-- An entry is a hash:
--   .            the value, or .<name> for each of its fields
--   about        when its load began, a stamp: it holds unless `epoch` or one of its tags is marked as late or later;
--                until when it is fresh, in ms, being stale from then until it expires; and how long its load took, in ms
--   tags         its tags, packed, if it has any
--   lease        whose turn it is to load it, until when, and since which stamp: by that he is known when he has
--   waiting      how many wait for that
--   writers      the write-throughs that go on, packed: {stamp, until when it is believed, whether another went on at
--                the same time}
local marks, clock = KEYS[1], KEYS[2]
local TAG = 't:'

local function text(number)
  return string.format('%.0f', number)
end

local function mark_of(name)
  local mark = redis.call('ZSCORE', marks, name)
  return mark and tonumber(mark)
end

local function longest_life()
  return tonumber(redis.call('HGET', clock, 'longest') or 0)
end

-- A stamp later than all before it, whatever the clock does.
local function tick()
  local time = redis.call('TIME')
  local stamp = time[1] * 1000000 + time[2]
  local last = tonumber(redis.call('HGET', clock, 'stamp') or '')
  if last and last >= stamp then
    stamp = last + 1
  end
  if not last or not mark_of('epoch') then
    -- New, or evicted: what was marked is not known any more, so nothing from before holds.
    redis.call('ZADD', marks, text(stamp), 'epoch')
    stamp = stamp + 1
  end
  redis.call('HSET', clock, 'stamp', text(stamp))
  return stamp
end

local function holds(stamp, tags)
  local epoch = mark_of('epoch')
  if not epoch or stamp <= epoch then
    return false
  end
  for _, tag in ipairs(tags) do
    local mark = mark_of(TAG .. tag)
    if mark and mark >= stamp then
      return false
    end
  end
  return true
end

-- Whether an entry holds that is `about` this.
local function is_holding(about, tags)
  return about and holds(tonumber(string.match(about, '^%d+')), tags and cmsgpack.unpack(tags) or {})
end

-- The stamp of the turn to load an entry, for how many ms more it is somebody's, and whose; nothing when it is nobody's.
local function turn_of(entry)
  local holder, ends, begun = string.match(redis.call('HGET', entry, 'lease') or '', '^(%S+) (%d+) (%d+)$')
  if holder then
    return begun, ends - now(), holder
  end
end

-- The write-throughs that go on.
local function writers_of(entry)
  local packed, writers = redis.call('HGET', entry, 'writers'), {}
  for _, writer in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    if writer[2] > now() then
      writers[#writers + 1] = writer
    end
  end
  return writers
end

local function extend(key, ms)
  if redis.call('PTTL', key) < ms then
    redis.call('PEXPIRE', key, ms)
  end
end

-- Marks outlive what they concern. They are seldom extended, as that is a change, too.
local function keep_marks()
  local least = math.max(longest_life(), 3600000)
  for _, key in ipairs({marks, clock}) do
    if redis.call('PTTL', key) < least then
      redis.call('PEXPIRE', key, 2 * least)
    end
  end
end

-- The stamp of the turn to load an entry that a token gets; nil, and for how many ms more, when it is another's.
local function turn(entry, token, lease)
  local begun, ms, holder = turn_of(entry)
  if not begun or ms <= 0 then
    begun = text(tick())
  elseif holder ~= token then
    return nil, ms
  end
  -- Else the answer was lost that said so, and it is said again.
  redis.call('HSET', entry, 'lease', token .. ' ' .. text(now() + lease) .. ' ' .. begun)
  extend(entry, lease)
  keep_marks()
  return begun
end

-- Those who wait look again.
local function wake(bell, waiting)
  if waiting then
    for _ = 1, math.min(waiting, 10000) do
      redis.call('RPUSH', bell, '1')
    end
    redis.call('PEXPIRE', bell, 5000)
  end
end

-- It is nobody's turn any more.
local function end_lease(entry, bell)
  local waiting = redis.call('HGET', entry, 'waiting')
  redis.call('HDEL', entry, 'lease', 'waiting')
  wake(bell, waiting)
end

local function note_writers(entry, writers)
  if #writers == 0 then
    redis.call('HDEL', entry, 'writers')
    return
  end
  redis.call('HSET', entry, 'writers', cmsgpack.pack(writers))
  for _, writer in ipairs(writers) do
    extend(entry, writer[2] - now())
  end
end

-- Leaves of an entry only that it is being written.
local function forget(entry, bell)
  local waiting, writers = redis.call('HGET', entry, 'waiting'), writers_of(entry)
  redis.call('DEL', entry)
  note_writers(entry, writers)
  wake(bell, waiting)
end

-- ARGV from `at`: how long it is fresh and how long stale after, in ms; how long the load took; how many tags, and
-- they; how many fields, and their names and values. Answers these, and where the next one begins.
local function described(at)
  local new = {fresh = tonumber(ARGV[at]), stale = tonumber(ARGV[at + 1]), took = ARGV[at + 2], tags = {}, fields = {}}
  local tags = tonumber(ARGV[at + 3])
  at = at + 4
  for i = at, at + tags - 1 do
    new.tags[#new.tags + 1] = ARGV[i]
  end
  at = at + tags
  local fields = tonumber(ARGV[at])
  for i = at + 1, at + 2 * fields do
    new.fields[#new.fields + 1] = ARGV[i]
  end
  return new, at + 2 * fields + 1
end

-- Puts a new value in place of all that is there.
local function put(entry, bell, stamp, new)
  local waiting = redis.call('HGET', entry, 'waiting')
  redis.call('DEL', entry)
  redis.call('HSET', entry, 'about', string.format('%.0f %.0f %s', stamp, now() + new.fresh, new.took))
  if #new.tags > 0 then
    redis.call('HSET', entry, 'tags', cmsgpack.pack(new.tags))
  end
  for i = 1, #new.fields, 2 do
    redis.call('HSET', entry, '.' .. new.fields[i], new.fields[i + 1])
  end
  local life = new.fresh + new.stale
  redis.call('PEXPIRE', entry, life)
  -- Marks are kept for as long as there can be an entry that they concern.
  if life > longest_life() then
    redis.call('HSET', clock, 'longest', text(life))
  end
  keep_marks()
  wake(bell, waiting)
end
