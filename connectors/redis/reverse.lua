-- Marks claims as reversed: what they had posted was taken back in the books. Orders get the data they have without it. The leases of the orders must be
-- held under the token, so nobody works on any of the claims. Asked again it changes nothing.
--
-- KEYS: epoch, the orders whose leases are held, the claims.
-- ARGV: 1 epoch id, 2 changes seen, 3 token, 4 retention ms, 5 number of orders, then per order: whether data is given, data; then per claim: coordinates.
-- Answers {'ok', now, sequence}, {'doubt', index of the claim, sequence} or {'lost', 0, sequence}.
local sequence = guard(KEYS[1], ARGV[1], ARGV[2])
if not sequence then return {'epoch'} end

local token, retention, orders = ARGV[3], ARGV[4], tonumber(ARGV[5])
local firstClaim = 1 + orders
for i = 1, orders do
  if redis.call('HGET', KEYS[1 + i], 'ltoken') ~= token then return {'lost', 0, sequence} end
end
for i = 1, #KEYS - firstClaim do
  if redis.call('HGET', KEYS[firstClaim + i], 'state') == 'sending' then return {'doubt', whole(i), whole(sequence)} end
end

for i = 1, orders do
  if ARGV[4 + 2 * i] == '1' then redis.call('HSET', KEYS[1 + i], 'data', ARGV[5 + 2 * i]) end
end
for i = 1, #KEYS - firstClaim do
  local key = KEYS[firstClaim + i]
  redis.call('HSET', key, 'state', 'reversed', 'coordinates', ARGV[5 + 2 * orders + i])
  redis.call('HDEL', key, 'steps', 'data', 'step', 'since', 'was', 'rcoordinates', 'rfingerprint', 'rrevision', 'routcome')
  keep(key, retention)
end
return {'ok', whole(clock()), whole(sequence)}
