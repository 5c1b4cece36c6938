-- How it stands. Answers {how many hold, ms until the last lease ends, how many wait, fence}.
local count, ms = holders()
return {count, math.max(0, ms), redis.call('ZCARD', queue), redis.call('GET', fence)}
