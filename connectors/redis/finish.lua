-- Settles a claim: stores the outcome, updates the orders named, gives back their leases and wakes who waits.
--
-- KEYS: epoch, claim, its waiters; per order its claim, its waiters and its pending payments.
-- ARGV: 1 epoch id, 2 changes seen, 3 token, 4 done or rejected, 5 outcome, 6 whether steps are given, 7 steps, 8 whether data is given, 9 data,
--       10 retention ms, 11 business id, 12 wake channel, 13 the claim's wake message, 14 prefix of the pending keys, then per order: wake message,
--       whether data is given, data, revision (19 digits, empty: keep), done.
local sequence = guard(KEYS[1], ARGV[1], ARGV[2])
if not sequence then return {'epoch'} end

local claim, token, retention = KEYS[2], ARGV[3], ARGV[10]
local orders = (#KEYS - 3) / 3
local c = redis.call('HMGET', claim, 'token', 'state', 'was', 'settled', 'acoordinates', 'afingerprint', 'arevision', 'revision', 'announced', 'ltoken')
if c[1] ~= token then
  -- The same attempt asks again: its answer was lost, its work was not.
  if c[4] == token then return {'ok', '0', sequence} end
  return {'lost', 0, sequence}
end
for i = 1, orders do
  local key = KEYS[1 + 3 * i]
  local lease = key == claim and c[10] or redis.call('HGET', key, 'ltoken')
  if lease ~= token then return {'lost', 0, sequence} end
end

local settled = fresh(c[2])
if settled == 'sending' then settled = fresh(c[3]) end
local drop = {'token', 'until', 'mark', 'was', 'acoordinates', 'afingerprint', 'arevision', 'scoordinates', 'sfingerprint', 'srevision', 'announced'}
local function without(...)
  for _, field in ipairs({...}) do drop[#drop + 1] = field end
end
if c[10] == token then without('ltoken', 'luntil') end
local later, state = false, 'done'
if ARGV[4] == 'done' then
  without('step', 'since', 'rcoordinates', 'rfingerprint', 'rrevision', 'routcome')
elseif settled == 'done' then
  -- A later revision was refused: the order keeps the document it has, and those who need it need not wait.
  later = true
else
  state = 'rejected'
end
local revision = fresh(c[7])
if ARGV[4] == 'done' and settled == 'done' and fresh(c[8]) > revision then revision = c[8] end
local set
if later then
  set = {'settled', token, 'state', state, 'rcoordinates', fresh(c[5]), 'rfingerprint', fresh(c[6]), 'rrevision', revision, 'routcome', ARGV[5]}
else
  set = {'settled', token, 'state', state, 'coordinates', fresh(c[5]), 'fingerprint', fresh(c[6]), 'revision', revision, 'outcome', ARGV[5]}
end
local function put(field, value)
  set[#set + 1] = field
  set[#set + 1] = value
end
if ARGV[6] == '1' then put('steps', ARGV[7]) end
if ARGV[8] == '1' then put('data', ARGV[9]) end
-- The claim's own order, when it is done, is changed with it.
local own = state == 'done'
for i = 1, orders do
  local at = 15 + 5 * (i - 1)
  if own and KEYS[1 + 3 * i] == claim then
    if ARGV[at + 1] == '1' then put('data', ARGV[at + 2]) end
    if ARGV[at + 3] ~= '' and ARGV[at + 3] > (later and fresh(c[8]) or revision) then put('revision', ARGV[at + 3]) end
  end
end
redis.call('HSET', claim, unpack(set))
redis.call('HDEL', claim, unpack(drop))
keep(claim, retention)

-- The orders announced are those named, as a rule, and then their keys are declared; all share the organisation's hash tag. The list, not the orders
-- named, decides: an order and a payment may have the same id.
if c[9] then
  for _, order in ipairs(cjson.decode(c[9])) do redis.call('ZREM', ARGV[14] .. order, ARGV[11]) end
end

local function change(key, at)
  local touched, given = false, ARGV[at + 3]
  if ARGV[at + 1] == '1' then
    redis.call('HSET', key, 'data', ARGV[at + 2])
    touched = true
  end
  if ARGV[at + 4] == '1' then
    local o = redis.call('HMGET', key, 'state', 'was', 'revision', 'coordinates', 'fingerprint', 'outcome')
    -- A write of the order's own event that is in doubt stays so: it will find the document.
    local field = o[1] == 'sending' and 'was' or 'state'
    local before = o[1] == 'sending' and o[2] or o[1]
    redis.call('HSET', key, field, 'done')
    if before == 'rejected' then
      redis.call('HSET', key, 'rcoordinates', fresh(o[4]), 'rfingerprint', fresh(o[5]), 'rrevision', fresh(o[3]), 'routcome', fresh(o[6]))
      redis.call('HDEL', key, 'coordinates', 'fingerprint', 'outcome')
    end
    if before ~= 'done' then redis.call('HSET', key, 'revision', given ~= '' and given or '0000000000000000000') end
    touched = true
  end
  if given ~= '' and given > fresh(redis.call('HGET', key, 'revision')) then
    redis.call('HSET', key, 'revision', given)
    touched = true
  end
  if touched then keep(key, retention) end
end
for i = 1, orders do
  local key, at = KEYS[1 + 3 * i], 15 + 5 * (i - 1)
  if key ~= claim then redis.call('HDEL', key, 'ltoken', 'luntil') end
  if key ~= claim or not own then change(key, at) end
  if key ~= claim then wake(KEYS[2 + 3 * i], ARGV[12], ARGV[at]) end
end
wake(KEYS[3], ARGV[12], ARGV[13])
return {'ok', '0', sequence}
