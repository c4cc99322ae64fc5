-- Prolongs the leases of a claim and of its orders.
--
-- KEYS: epoch, claim, the orders' claims.  ARGV: 1 epoch id, 2 changes seen, 3 token, 4 lease ms, 5 grace ms.
local sequence = guard(KEYS[1], ARGV[1], ARGV[2])
if not sequence then return {'epoch'} end
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[3] then return {'lost', 0, sequence} end
for i = 3, #KEYS do
  if redis.call('HGET', KEYS[i], 'ltoken') ~= ARGV[3] then return {'lost', 0, sequence} end
end
local now = clock()
local till, life = whole(now + tonumber(ARGV[4])), tonumber(ARGV[4]) + tonumber(ARGV[5])
redis.call('HSET', KEYS[2], 'until', till)
keep(KEYS[2], life)
for i = 3, #KEYS do
  redis.call('HSET', KEYS[i], 'luntil', till)
  keep(KEYS[i], life)
end
return {'ok', now, sequence}
