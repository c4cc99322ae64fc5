-- Marks that a write is about to leave, or (without a step) that the end of the marked write is known; renews the leases.
--
-- KEYS: epoch, claim, the orders' claims.
-- ARGV: 1 epoch id, 2 changes seen, 3 token, 4 lease ms, 5 step, 6 whether steps are given, 7 steps, 8 retention ms, 9 mark, 10 grace ms.
-- The mark grows with every call of a holder: a command that was repeated after a lost answer changes nothing the second time, and one that lay about in
-- a closed connection cannot undo a later one.
local sequence = guard(KEYS[1], ARGV[1], ARGV[2])
if not sequence then return {'epoch'} end

local claim, token, step, mark = KEYS[2], ARGV[3], ARGV[5], ARGV[9]
local c = redis.call('HMGET', claim, 'token', 'state', 'was', 'mark', 'since', 'acoordinates', 'afingerprint', 'arevision', 'ltoken')
if c[1] ~= token then return {'lost', 0, sequence} end
for i = 3, #KEYS do
  local lease = KEYS[i] == claim and c[9] or redis.call('HGET', KEYS[i], 'ltoken')
  if lease ~= token then return {'lost', 0, sequence} end
end

local now = clock()
local last = fresh(c[4])
if last == mark then return {'ok', step == '' and now or fresh(c[5]), sequence} end
if mark < last then return {'lost', 0, sequence} end

local till = whole(now + tonumber(ARGV[4]))
local set = {'until', till, 'mark', mark}
local function put(field, value)
  set[#set + 1] = field
  set[#set + 1] = value
end
for i = 3, #KEYS do
  if KEYS[i] == claim then
    put('luntil', till)
  else
    redis.call('HSET', KEYS[i], 'luntil', till)
    keep(KEYS[i], tonumber(ARGV[4]) + tonumber(ARGV[10]))
  end
end
if ARGV[6] == '1' then put('steps', ARGV[7]) end
if step ~= '' then
  if c[2] ~= 'sending' then put('was', fresh(c[2])) end
  put('state', 'sending')
  put('step', step)
  put('since', whole(now))
  put('scoordinates', fresh(c[6]))
  put('sfingerprint', fresh(c[7]))
  put('srevision', fresh(c[8]))
elseif c[2] == 'sending' then
  if fresh(c[3]) ~= '' then
    put('state', c[3])
  else
    redis.call('HDEL', claim, 'state')
  end
  redis.call('HDEL', claim, 'was', 'step', 'since', 'scoordinates', 'sfingerprint', 'srevision')
end
redis.call('HSET', claim, unpack(set))
keep(claim, ARGV[8])
for i = 11, #ARGV, 2 do
  local order = KEYS[tonumber(ARGV[i])]
  redis.call('HSET', order, 'data', ARGV[i + 1])
  keep(order, ARGV[8])
end
return {'ok', now, sequence}
