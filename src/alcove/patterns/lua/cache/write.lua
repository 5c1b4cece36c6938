-- The steps of a write-through. KEYS: marks, clock, entry, its bell.
-- ARGV: 'begin', and for how many ms it is believed: answers its stamp. Until it ends nobody else's value is stored.
--       'end', the stamp, and what `described` reads: stores it, unless another write went on at the same time, or a
--       tag was invalidated: then nothing is there. Answers whether it was stored.
--       'abort', the stamp: nobody knows what the store has now, so nothing is there.
local entry, step, bell = KEYS[3], ARGV[1], KEYS[4]
local writers = writers_of(entry)
if step == 'begin' then
  local stamp, is_crowded = tick(), #writers > 0
  for _, writer in ipairs(writers) do
    writer[3] = true
  end
  writers[#writers + 1] = {stamp, now() + ARGV[2], is_crowded}
  note_writers(entry, writers)
  keep_marks()
  return text(stamp)
end

local stamp, is_alone = tonumber(ARGV[2]), false
for i, writer in ipairs(writers) do
  if writer[1] == stamp then
    is_alone = not writer[3]
    table.remove(writers, i)
    break
  end
end
note_writers(entry, writers)
if step == 'end' then
  local new = described(3)
  if is_alone and holds(stamp, new.tags) then
    put(entry, bell, stamp, new)
    return 1
  end
end
forget(entry, bell)
return 0
