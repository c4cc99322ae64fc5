-- Gives back what an attempt holds: the order leases, and the claim. What was settled before stays settled, a write in doubt stays in doubt.
--
-- KEYS: epoch, claim, its waiters; per order its claim and waiters.
-- ARGV: 1 epoch id, 2 changes seen, 3 token, 4 wake channel, 5 the claim's wake message, then one per order.
local sequence = guard(KEYS[1], ARGV[1], ARGV[2])
if not sequence then return {'epoch'} end

local token = ARGV[3]
for i = 1, (#KEYS - 3) / 2 do
  local key = KEYS[2 + 2 * i]
  if redis.call('HGET', key, 'ltoken') == token then
    redis.call('HDEL', key, 'ltoken', 'luntil')
    if key ~= KEYS[2] then wakeNext(KEYS[3 + 2 * i], ARGV[4], ARGV[5 + i]) end
  end
end

local c = redis.call('HMGET', KEYS[2], 'token', 'state', 'steps', 'data', 'announced', 'ltoken')
-- Nobody holds it: released before, settled, or lapsed and gone. Somebody else does: it was lost.
if c[1] and c[1] ~= token then return {'lost', 0, sequence} end
if c[1] == token then
  redis.call('HDEL', KEYS[2], 'token', 'until', 'mark', 'acoordinates', 'afingerprint', 'arevision')
  if fresh(c[2]) == '' and fresh(c[3]) == '' and fresh(c[4]) == '' and not c[5] and not c[6] then redis.call('DEL', KEYS[2]) end
  wakeNext(KEYS[3], ARGV[4], ARGV[5])
end
return {'ok', clock(), sequence}
