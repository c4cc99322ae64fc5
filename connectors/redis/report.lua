-- Keeps what a replica reports of itself, and forgets those that have been silent.  KEYS: 1 the reports.  ARGV: 1 replica, 2 text ('' takes it back),
-- 3 ms after which a silent replica is forgotten.  A value is "<ms> <text>".
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '^%d+') or '0')
  if at < now - tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i]) end
end
return {1}
