-- Pauses an organisation, or ends a pause.  KEYS: 1 budget state.  ARGV: 1 ms from now (0: end the pause), 2 reason.
-- The pauses that come from refusals are not touched.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
if ARGV[1] == '0' then
  redis.call('HDEL', KEYS[1], 'pause', 'preason')
  return {0}
end
local till = now + tonumber(ARGV[1])
if till > tonumber(redis.call('HGET', KEYS[1], 'pause') or '0') then
  redis.call('HSET', KEYS[1], 'pause', string.format('%.0f', till), 'preason', ARGV[2])
end
return {1}
