"""What runs inside Redis, one step at a time: each script is a decision that nobody can come between.

    {llmrouter}:w:SCOPE:CAP     a window: span → how much; spans are numbered by Redis's own clock
    {llmrouter}:c:SCOPE         who runs requests: process → how many places it has
    {llmrouter}:alive           the processes that are there, until when
    {llmrouter}:machines        the machines that are there, until when
    {llmrouter}:epoch           another one means that Redis has lost what it knew

The braces keep all keys on one node of a cluster. Times are milliseconds.
"""

from typing import Final

PREFIX: Final = "{llmrouter}:"

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS: alive, then one for each want. ARGV: process, then for each want six: "w" with span, spans, cap, need and
# extra; or "c" with 0, 0, cap, need and extra. Answers the time, then for each want: how much was given, how much
# there is left, and how long it takes until what was needed is there, and until all is.
TAKE: Final = (
    _NOW
    + """
local function window(key, span, spans, cap, need, extra, processes)
  local newest = math.floor(now / 1000 / span)
  local cells, numbers, used = redis.call('HGETALL', key), {}, 0
  local amounts = {}
  for i = 1, #cells, 2 do
    local number = tonumber(cells[i])
    if number <= newest - spans then
      redis.call('HDEL', key, cells[i])
    else
      local amount = tonumber(cells[i + 1])
      used = used + amount
      numbers[#numbers + 1] = number
      amounts[number] = amount
    end
  end
  local free = math.max(0, cap - used)
  local given = math.min(need, free)
  if given == need then
    given = given + math.min(extra, math.floor((free - given) / (4 * processes)))
  end
  local wait, reset = 0, 0
  if given > 0 then
    redis.call('HINCRBY', key, newest, given)
    redis.call('EXPIRE', key, span * (spans + 1))
    reset = (newest + spans) * span * 1000 - now
  end
  if given < need or reset == 0 then
    table.sort(numbers)
    local passed = 0
    for _, number in ipairs(numbers) do
      reset = math.max(reset, (number + spans) * span * 1000 - now)
      if passed < used + need - cap then
        passed = passed + amounts[number]
        wait = (number + spans) * span * 1000 - now
      end
    end
  end
  return given, free - given, wait, reset
end

local function places(key, process, cap, need, extra, processes)
  local cells, used = redis.call('HGETALL', key), 0
  for i = 1, #cells, 2 do
    local until_then = redis.call('ZSCORE', KEYS[1], cells[i])
    if cells[i] ~= process and (not until_then or tonumber(until_then) < now) then
      redis.call('HDEL', key, cells[i])
    else
      used = used + tonumber(cells[i + 1])
    end
  end
  local free = math.max(0, cap - used)
  local given = math.min(need, free)
  if given == need then
    given = given + math.min(extra, math.floor((free - given) / (4 * processes)))
  end
  if given > 0 then
    redis.call('HINCRBY', key, process, given)
    redis.call('EXPIRE', key, 90000)
  end
  return given, free - given, 1000, 1000
end

local processes = math.max(1, redis.call('ZCARD', KEYS[1]))
local answer = {now}
for i = 2, #KEYS do
  local at = 2 + (i - 2) * 6
  local span, spans = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local cap, need, extra = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local given, left, wait, reset
  if ARGV[at] == 'w' then
    given, left, wait, reset = window(KEYS[i], span, spans, cap, need, extra, processes)
  else
    given, left, wait, reset = places(KEYS[i], ARGV[1], cap, need, extra, processes)
  end
  answer[#answer + 1] = given
  answer[#answer + 1] = left
  answer[#answer + 1] = wait
  answer[#answer + 1] = reset
end
return answer
"""
)

# KEYS: one for each change. ARGV: process, then for each change four: "w", span, spans, number and how much more, as
# five; "c" has its process's places given back. What is not counted any more can't become less.
CHANGE: Final = (
    _NOW
    + """
for i = 1, #KEYS do
  local at = 2 + (i - 1) * 5
  local span, spans = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local field, more = ARGV[at + 3], tonumber(ARGV[at + 4])
  if ARGV[at] == 'w' then
    local newest = math.floor(now / 1000 / span)
    if tonumber(field) <= newest - spans then
      field = newest
      more = math.max(0, more)
    end
    if more ~= 0 then
      if redis.call('HINCRBY', KEYS[i], field, more) <= 0 then
        redis.call('HDEL', KEYS[i], field)
      end
      redis.call('EXPIRE', KEYS[i], span * (spans + 1))
    end
  elseif redis.call('HINCRBY', KEYS[i], ARGV[1], more) <= 0 then
    redis.call('HDEL', KEYS[i], ARGV[1])
  end
end
return now
"""
)

# KEYS: alive, machines, epoch. ARGV: process, machine, lifetime, an epoch to begin where there is none.
# Answers the time, the epoch, how many machines there are, which of them this is, and whether the process was known.
BEAT: Final = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2])
redis.call('SET', KEYS[3], ARGV[4], 'NX')
local number = 0
local machines = redis.call('ZRANGE', KEYS[2], 0, -1)
table.sort(machines)
for i, machine in ipairs(machines) do
  if machine == ARGV[2] then number = i - 1 end
end
return {now, redis.call('GET', KEYS[3]), #machines, number, known and 1 or 0}
"""
)

# KEYS: one for each scope. ARGV: process, then how many places the process has.
HOLD: Final = """
for i = 1, #KEYS do
  if tonumber(ARGV[i + 1]) > 0 then
    redis.call('HSET', KEYS[i], ARGV[1], ARGV[i + 1])
    redis.call('EXPIRE', KEYS[i], 90000)
  else
    redis.call('HDEL', KEYS[i], ARGV[1])
  end
end
return #KEYS
"""

# KEYS: a mark that this machine has told, and a window. ARGV: how long both last, then number, amount, …
RESTORE: Final = """
if not redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1]) then return 0 end
for i = 2, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1
"""
