-- Gives back what a token holds, and its place in the queue. ARGV: token.
-- Answers 'held' if the token held it until now, else '', and then there is nothing to remember of the call.
local was_held, wakes_next = give_back()
if anyone_waits() then
  if was_held then
    wake(wakes_next)
  end
  if leave_queue() then
    wake(left)
  end
end
return was_held and 'held' or '', not was_held
