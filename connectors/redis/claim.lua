-- Takes a claim and the leases of every order named with it, all or none. With a step, a claim that holds nothing is marked as sending at once, as by
-- sending.lua right behind this script.
--
-- KEYS: epoch, claim, the claim's waiters; per order its claim and waiters; per announced order its pending payments; per need its claim and waiters;
--       if asked for, the pending payments to list.
-- ARGV: 1 epoch id, 2 changes seen, 3 token, 4 lease ms, 5 coordinates, 6 fingerprint, 7 revision (19 digits), 8 replay, 9 business id,
--       10 waiter ttl ms, 11 retention ms, 12 grace ms, 13 orders, 14 announced, 15 needs, 16 list, 17 announced orders as JSON,
--       18 step (empty: none), 19 steps, 20 mark.
-- Answers {state, now, busy until, sequence, entry, entries of orders and needs, indexes waited for (orders, then needs; 0 the claim), pending, marked}.
local sequence = guard(KEYS[1], ARGV[1], ARGV[2])
if not sequence then return {'epoch'} end

local now = clock()
local token, lease, coordinates, revision = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[7]
local replay = ARGV[8] == '1'
local orders, announced, needs = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local firstAnnounced = 4 + 2 * orders
local firstNeed = firstAnnounced + announced
local listed = firstNeed + 2 * needs

-- Every claim is read once; the answer shows what was there before this script.
local cells = {}
local function cell(key)
  local c = cells[key]
  if not c then
    c = read(key)
    cells[key] = c
  end
  return c
end
local c = cell(KEYS[2])
local state, holder = fresh(c[1]), fresh(c[18])
local settled = state
if state == 'sending' then settled = fresh(c[2]) end
local mine = holder == token
-- A state that this version does not know is neither free nor done: who wrote it knows what it means.
local known = {[''] = true, done = true, rejected = true, reversed = true}
if not known[settled] then return {'unreadable', 0, 0, sequence} end

local function answer(state, busyUntil, waiting, pending, marked)
  if mine then c[18], c[19] = false, false end
  local told, entries = {[KEYS[2]] = true}, {}
  local function tell(key)
    if told[key] then
      entries[#entries + 1] = false
    else
      told[key] = true
      entries[#entries + 1] = show(cell(key))
    end
  end
  for i = 1, orders do tell(KEYS[2 + 2 * i]) end
  for i = 1, needs do tell(KEYS[firstNeed + 2 * (i - 1)]) end
  return {state, now, busyUntil, sequence, show(c), entries, waiting, pending, marked or 0}
end

local function registerFree(key) redis.call('SET', key, 'free', 'PX', ARGV[10]) end
local function registerSettled(key)
  if not redis.call('SET', key, 'settled', 'PX', ARGV[10], 'NX') then redis.call('PEXPIRE', key, ARGV[10]) end
end

-- What is settled is settled, also beneath a later attempt's write that is in doubt: its record publishes the stored outcome again.
local same = coordinates ~= ''
if settled == 'done' then
  if same and c[3] == coordinates then return answer('done', 0, {}, {}) end
  if same and c[14] == coordinates and not replay then return answer('rejected', 0, {}, {}) end
  if revision <= fresh(c[5]) then return answer('done', 0, {}, {}) end
elseif settled == 'reversed' then
  -- An operator took it back: only a replay or other content posts again.
  if not replay and (same and c[3] == coordinates or c[4] == ARGV[6] or revision < fresh(c[5])) then return answer('done', 0, {}, {}) end
elseif settled == 'rejected' then
  if same and c[3] == coordinates and not replay then return answer('rejected', 0, {}, {}) end
end

-- Before any wait: who comes later has to see that this payment is on its way.
for i = 0, announced - 1 do
  redis.call('ZADD', KEYS[firstAnnounced + i], 'NX', whole(now), ARGV[9])
  redis.call('PEXPIRE', KEYS[firstAnnounced + i], ARGV[11])
end

local pending = {}
if ARGV[16] == '1' then
  local all = redis.call('ZRANGEBYSCORE', KEYS[listed], '(' .. whole(now - tonumber(ARGV[11])), '+inf')
  for _, id in ipairs(all) do
    if announced == 0 or id ~= ARGV[9] then pending[#pending + 1] = id end
  end
end

-- The same request again: its answer was lost, its mark was not.
if mine and ARGV[18] ~= '' and c[22] == ARGV[20] then
  local leased = true
  for i = 1, orders do leased = leased and cell(KEYS[2 + 2 * i])[20] == token end
  if leased then
    c, mine = {}, false
    cells[KEYS[2]] = c
    return answer('claimed', 0, {}, pending, 1)
  end
end

if holder ~= '' and not mine and tonumber(fresh(c[19])) > now then
  registerFree(KEYS[3])
  return answer('busy', tonumber(c[19]), {0}, pending)
end

-- Asked again with the same token the needs were met already; asking anew would leave a claim taken behind the answer "waiting".
if not mine then
  local waiting = {}
  for i = 1, needs do
    local key = firstNeed + 2 * (i - 1)
    if cell(KEYS[key])[1] ~= 'done' then
      registerSettled(KEYS[key + 1])
      waiting[#waiting + 1] = orders + i
    end
  end
  if #waiting > 0 then return answer('waiting', 0, waiting, pending) end
end

local busyUntil, waiting = 0, {}
for i = 1, orders do
  local l = cell(KEYS[2 + 2 * i])
  local till = tonumber(l[21] or '0')
  if l[20] and l[20] ~= token and till > now then
    registerFree(KEYS[3 + 2 * i])
    waiting[#waiting + 1] = i
    if till > busyUntil then busyUntil = till end
  end
end
if #waiting > 0 then return answer('busy', busyUntil, waiting, pending) end

local till = whole(now + lease)
local life = lease + tonumber(ARGV[12])
local marked, held = 0, life
local set
if ARGV[18] ~= '' and not mine and not (c[1] or c[8] or c[10]) then
  set = {'token', token, 'until', till, 'acoordinates', coordinates, 'afingerprint', ARGV[6], 'arevision', revision,
    'state', 'sending', 'step', ARGV[18], 'since', whole(now), 'scoordinates', coordinates, 'sfingerprint', ARGV[6], 'srevision', revision,
    'steps', ARGV[19], 'mark', ARGV[20]}
  held, marked = ARGV[11], 1
else
  set = {'token', token, 'until', till, 'acoordinates', coordinates, 'afingerprint', ARGV[6], 'arevision', revision}
end
local function put(field, value)
  set[#set + 1] = field
  set[#set + 1] = value
end
-- write sets fields of a claim, which lives at least so much longer; before is what it held.
local function write(key, ms, before, ...)
  redis.call('HSET', key, ...)
  if #before == 0 then
    redis.call('PEXPIRE', key, ms)
  else
    keep(key, ms)
  end
end
if announced > 0 then
  put('announced', ARGV[17])
  held = ARGV[11]
end
if marked == 0 and not mine and c[22] then
  put('mark', '') -- the marks of another holder are no measure for this one's
end
for i = 1, orders do
  local key = KEYS[2 + 2 * i]
  if key == KEYS[2] then
    put('ltoken', token)
    put('luntil', till)
  else
    write(key, life, cell(key), 'ltoken', token, 'luntil', till)
  end
end
write(KEYS[2], held, c, unpack(set))
if state == 'sending' then return answer('in doubt', 0, {}, pending) end
return answer('claimed', 0, {}, pending, marked)
