-- Changes the switches, or puts them back where Redis has lost them.  KEYS: 1 the switches.  ARGV: 1 what (set, clear, restore), 2 channel,
-- 3 version that the caller has seen; set: 4 field, 5 text; clear: 4.. fields; restore: 4.. field, value, field, value, ...
-- Fields are scope and owner; a value is "<ms since when> <text>".  The field "version" only grows and is never removed: one lower than a caller has seen
-- says that Redis has lost its memory.
-- Answers the version and how many fields were changed.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
local seen = tonumber(ARGV[3])
local changed = 0
if ARGV[1] == 'set' then
  local since = string.format('%.0f', now)
  local old = redis.call('HGET', KEYS[1], ARGV[4])
  if old then since = string.match(old, '^%d+') or since end
  redis.call('HSET', KEYS[1], ARGV[4], since .. ' ' .. ARGV[5])
  changed = 1
elseif ARGV[1] == 'clear' then
  for i = 4, #ARGV do changed = changed + redis.call('HDEL', KEYS[1], ARGV[i]) end
elseif version < seen then
  for i = 4, #ARGV, 2 do changed = changed + redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) end
else
  return {version, 0}
end
version = math.max(version, seen) + 1
redis.call('HSET', KEYS[1], 'version', string.format('%.0f', version))
redis.call('PUBLISH', ARGV[2], string.format('%.0f', version))
return {version, changed}
