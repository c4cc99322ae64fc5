-- Decides how many calls may leave for an organisation, and takes note of those that ended. All on Redis's time.
--
-- KEYS: 1 state, 2 slots in flight, 3 who waits, 4 whose turn was when, 5 the organisation's epoch.
-- ARGV: 1 id for a new state, 2 id of the state seen last (empty: none), 3 its sequence number, 4 whether the caller saw time jump,
--       5 calls per window (0: unlimited), 6 window ms, 7 slice ms, 8 capacity, 9 slots (0: unlimited), 10 slot deadline ms,
--       11 replica, 12 number of the first slot, 13-17 wanted (probes, look-ups, payments and refunds, orders, operator),
--       18-22 share of the day each must leave, 23 day's limit (0: not learned), 24 remaining, 25 ms to its reset (-1: unknown),
--       26 pause ms (0: none), 27 its reason, 28 whether it empties the bucket, 29 turn step ms, 30 poll ms, 31 channel,
--       32 number of slots freed, then those, then those given back unused.
-- Answers {now, state id, sequence, granted x5, reason, ms to wait, reason for waiting on the day, ms until the day's reset,
-- the first level it concerns (0: none)}.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local function whole(n) return string.format('%.0f', n) end

local limit, window, slice, capacity = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local slots, deadline, replica = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local rate = limit / window -- tokens per ms
local unlimited = 1e9

local s = redis.call('HMGET', KEYS[1], 'id', 'sequence', 'last', 'tokens', 'total', 'oldest', 'hold', 'lpause', 'lreason', 'pause', 'preason',
  'dlimit', 'dremaining', 'dreset', 'ready', 'full')
local function n(i) return tonumber(s[i] or '0') end
local id, sequence, last, tokens, total, oldest, hold = s[1], n(2), n(3), n(4), n(5), n(6), n(7)
local lpause, lreason, pause, preason = n(8), s[9] or '', n(10), s[11] or ''
local dlimit, dremaining, dreset, ready, full = n(12), n(13), n(14), n(15), s[16] == '1'
local seen = ARGV[2]

-- 1. Is this state to be believed? If not, calls nobody counted may have left in the last window: none leave in the next.
local function forget()
  local fields = redis.call('HKEYS', KEYS[1])
  for _, f in ipairs(fields) do
    if string.sub(f, 1, 1) == '@' then redis.call('HDEL', KEYS[1], f) end
  end
  tokens, total, ready = capacity, 0, now
  oldest = math.floor((now - window) / slice)
  last = now
end
if not id then
  id, sequence = ARGV[1], 0
  forget()
  if seen ~= '' then hold = now + window end
elseif seen ~= '' and seen ~= id then
  hold = math.max(hold, now + window)
elseif seen ~= '' and tonumber(ARGV[3]) > sequence then
  hold, sequence = math.max(hold, now + window), tonumber(ARGV[3])
end
-- Each replica's questions are counted by themselves as well: those of others would make up for what a failover lost.
local mine = '#' .. replica
if seen == '' then
  for _, f in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(f, 1, 1) == '#' then
      local at = tonumber(string.match(redis.call('HGET', KEYS[1], f), ' (%d+)$') or '0')
      if at < now - 86400000 then redis.call('HDEL', KEYS[1], f) end
    end
  end
elseif seen == id then
  local held = tonumber(string.match(redis.call('HGET', KEYS[1], mine) or '', '^%d+') or '0')
  if held < tonumber(ARGV[3]) then hold = math.max(hold, now + window) end
end
if now < last then
  if last - now > window / 60 then
    forget()
    hold = now + window
  else
    now = last -- a clock set back a little: time stands still until it is made up
  end
end
if ARGV[4] == '1' then hold = math.max(hold, now + window) end
local e = redis.call('HMGET', KEYS[5], 'loss', 'at')
if e[1] == '1' and tonumber(e[2]) <= now then hold = math.max(hold, tonumber(e[2]) + window) end

-- 2. Let time pass: calls leave the window slice by slice, tokens come.
local changed = {}
if limit > 0 then
  local first = math.floor((now - window) / slice)
  if first > oldest then
    local to = math.min(first - 1, math.floor(last / slice))
    local k = oldest
    while k <= to and total > 0 do
      local names = {}
      for i = k, math.min(k + 99, to) do names[#names + 1] = '@' .. whole(i) end
      local gone = {}
      for i, v in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
        if v then
          total = total - tonumber(v)
          gone[#gone + 1] = names[i]
        end
      end
      if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
      k = k + 100
    end
    oldest = first
  end
  tokens = math.min(capacity, tokens + (now - last) * rate)
end
last = now
if dreset > 0 and dreset <= now then dlimit, dremaining, dreset = 0, 0, 0 end

-- 3. Calls that ended free their slots; grants nobody used leave the log as well. A slot whose answer never came is free at its deadline.
local freed = tonumber(ARGV[32])
local at = 33
while at < 33 + freed do
  local to = math.min(at + 99, 32 + freed)
  redis.call('ZREM', KEYS[2], unpack(ARGV, at, to))
  at = to + 1
end
for i = 33 + freed, #ARGV do
  local till = redis.call('ZSCORE', KEYS[2], ARGV[i])
  if till then
    redis.call('ZREM', KEYS[2], ARGV[i])
    local k = math.floor((tonumber(till) - deadline) / slice)
    if limit > 0 and k >= oldest and total > 0 then
      redis.call('HINCRBY', KEYS[1], '@' .. whole(k), -1)
      total = total - 1
      tokens = math.min(capacity, tokens + 1)
    end
    dremaining = dremaining + 1
  end
end
local inFlight = 0
if slots > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', whole(now))
  inFlight = redis.call('ZCARD', KEYS[2])
end
if full and inFlight < slots then ready = now end

-- 4. Learn the day's quota. Answers overtake each other: the lower number is right, unless the difference is too large for that.
local limitOfDay, left, reset = tonumber(ARGV[23]), tonumber(ARGV[24]), tonumber(ARGV[25])
if limitOfDay > 0 then
  if reset < 0 then
    reset = dreset > 0 and dreset - now or 3600000
  end
  left = left - inFlight
  if dlimit ~= limitOfDay or left > dremaining + 10 + 2 * slots then
    dremaining = left
  else
    dremaining = math.min(dremaining, left + inFlight)
  end
  dlimit, dreset = limitOfDay, now + math.max(1000, reset)
end

-- 5. Learn of a refusal.
if tonumber(ARGV[26]) > 0 and now + tonumber(ARGV[26]) > lpause then
  lpause, lreason = now + tonumber(ARGV[26]), ARGV[27]
end
if ARGV[28] == '1' then tokens = 0 end

-- 6. Grant.
local want = {}
local wanted = 0
for i = 1, 5 do
  want[i] = tonumber(ARGV[12 + i])
  wanted = wanted + want[i]
end
local granted = {0, 0, 0, 0, 0}
local reason, wait, dayReason, dayLevel = '', 0, '', 0

local function emptySlots() return slots > 0 and slots - inFlight or unlimited end
local function calls()
  if limit == 0 then return unlimited end
  return math.min(math.floor(tokens + 1e-9), limit - total)
end
-- firstFree answers how long until a call may leave again.
local function firstFree()
  local ms = 0
  if tokens < 1 then ms = math.ceil((1 - tokens) / rate) end
  if limit - total < 1 then
    local k = oldest
    local to = math.floor(now / slice)
    while k <= to do
      local names = {}
      for i = k, math.min(k + 99, to) do names[#names + 1] = '@' .. whole(i) end
      for i, v in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
        if v and tonumber(v) > 0 then
          return math.max(ms, (k + i) * slice + window - now)
        end
      end
      k = k + 100
    end
  end
  return math.max(1, ms)
end

if wanted > 0 then
  if hold > now then
    reason, wait = 'pause:state_lost', hold - now
  elseif lpause > now then
    reason, wait = 'pause:' .. lreason, lpause - now
  else
    local only = 5
    if pause > now then
      reason, wait = 'pause:' .. preason, pause - now
      only = 1
    end
    -- Replicas take turns: while others wait, each lets those go first whose last turn is longer ago, for a moment each.
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', whole(now))
    local rank, others = 0, 0
    local waiters = redis.call('ZRANGE', KEYS[3], 0, -1)
    if #waiters > 0 then
      local mine = tonumber(redis.call('ZSCORE', KEYS[4], replica) or '0')
      for _, other in ipairs(waiters) do
        if other ~= replica then
          others = others + 1
          local theirs = tonumber(redis.call('ZSCORE', KEYS[4], other) or '0')
          if theirs < mine or theirs == mine and other < replica then rank = rank + 1 end
        end
      end
    end
    local turn = ready + rank * tonumber(ARGV[29]) - now
    local share = unlimited
    if others > 0 then share = math.max(1, math.ceil(math.min(calls(), emptySlots()) / (others + 1))) end
    local got = 0
    if rank == 0 or turn <= 0 then
      for i = 1, only do
        local m = math.min(want[i], calls() , emptySlots(), share - got)
        if dlimit > 0 then
          local forDay = dremaining - math.ceil(dlimit * tonumber(ARGV[17 + i]))
          if forDay < m then
            m = forDay
            if want[i] > 0 then
              dayReason = dremaining <= 0 and 'day_quota' or 'day_reserve'
              if dayLevel == 0 then dayLevel = i end
            end
          end
        end
        if m > 0 then
          granted[i] = m
          got = got + m
          tokens, total, inFlight, dremaining = tokens - m, total + m, inFlight + m, dremaining - m
        end
      end
    end
    if got > 0 then
      if limit > 0 then redis.call('HINCRBY', KEYS[1], '@' .. whole(math.floor(now / slice)), got) end
      if slots > 0 then
        local till, from = whole(now + deadline), tonumber(ARGV[12])
        local k = 0
        while k < got do
          local members = {}
          for i = k, math.min(k + 99, got - 1) do
            members[#members + 1] = till
            members[#members + 1] = replica .. ':' .. whole(from + i)
          end
          redis.call('ZADD', KEYS[2], unpack(members))
          k = k + 100
        end
      end
      if others > 0 or got < wanted then
        redis.call('ZADD', KEYS[4], whole(now), replica)
        redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', whole(now - 600000))
      end
    end
    if got < wanted and reason == '' then
      if rank > 0 and turn > 0 then
        reason, wait = 'turn', turn
      elseif calls() < 1 then
        wait = firstFree()
        ready = now + wait
        reason = 'rate'
      elseif emptySlots() < 1 then
        reason, wait = 'slots', tonumber(ARGV[30])
      elseif dayReason == '' then
        reason, wait = 'turn', tonumber(ARGV[29])
      end
    end
  end
end

-- 7. Say who waits, and tell others of what is free now.
if reason == 'rate' or reason == 'slots' or reason == 'turn' then
  redis.call('ZADD', KEYS[3], whole(now + wait + 2 * tonumber(ARGV[30])), replica)
else
  redis.call('ZREM', KEYS[3], replica)
end
if (freed > 0 or 33 + freed <= #ARGV) and emptySlots() > 0 and redis.call('ZCARD', KEYS[3]) > 0 then
  redis.call('PUBLISH', ARGV[31], replica)
end

sequence = sequence + 1
redis.call('HSET', KEYS[1], 'id', id, 'sequence', whole(sequence), 'last', whole(last), 'tokens', string.format('%.6f', tokens), 'total', whole(total),
  'oldest', whole(oldest), 'hold', whole(hold), 'lpause', whole(lpause), 'lreason', lreason, 'dlimit', whole(dlimit), 'dremaining', whole(dremaining),
  'dreset', whole(dreset), 'ready', whole(ready), 'full', slots > 0 and inFlight >= slots and '1' or '0',
  mine, whole(sequence) .. ' ' .. whole(now))
return {whole(now), id, whole(sequence), granted[1], granted[2], granted[3], granted[4], granted[5], reason, whole(wait),
  dayReason, whole(dreset > now and dreset - now or 0), dayLevel}
