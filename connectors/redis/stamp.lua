-- A cached value with a tag, which says what it agrees with, and a stamp and a revision, which never fall.  KEYS: the entry.  ARGV: 1 what to do, 2 tag,
-- 3 stamp, 4 value, 5 ttl in ms, 6 revision.  Answers tag, stamp and value as they are then (after hold: as they were before), or nothing.
--   raise  raises the stamp where the entry has the tag
--   hold   takes the tag off
--   store  writes the entry, unless it holds a later revision
local e = redis.call('HMGET', KEYS[1], 'tag', 'stamp', 'value', 'revision')
local before = tonumber(e[2] or '0')
if ARGV[1] == 'raise' then
  if e[3] and e[1] == ARGV[2] and tonumber(ARGV[3]) > before then
    redis.call('HSET', KEYS[1], 'stamp', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    e[2] = ARGV[3]
  end
elseif ARGV[1] == 'hold' then
  if e[3] then redis.call('HSET', KEYS[1], 'tag', '') end
elseif not e[3] or tonumber(e[4] or '0') <= tonumber(ARGV[6]) then
  local stamp = ARGV[3]
  if before > tonumber(stamp) then stamp = e[2] end
  redis.call('HSET', KEYS[1], 'tag', ARGV[2], 'stamp', stamp, 'value', ARGV[4], 'revision', ARGV[6])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  e = {ARGV[2], stamp, ARGV[4]}
end
return {e[1], e[2], e[3]}
