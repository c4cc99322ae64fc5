-- Answers the epoch; writes one when there is none, or when the one there does not know of a loss that the caller knows of.
--
-- KEYS: epoch.  ARGV: 1 id to write, 2 whether it is a loss if absent, 3 log ends as JSON, 4 the epoch the caller knew, or empty.
local function read() return redis.call('HMGET', KEYS[1], 'id', 'loss', 'ends', 'at') end
local e = read()
local loss
if not e[1] then
  loss = ARGV[2]
elseif ARGV[4] ~= '' and ARGV[4] ~= e[1] and e[2] ~= '1' then
  loss = '1'
end
if loss then
  local t = redis.call('TIME')
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'id', ARGV[1], 'loss', loss, 'ends', ARGV[3],
    'at', string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)))
  e = read()
end
return e
