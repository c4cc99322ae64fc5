-- Helpers put before every claim script.

-- clock answers Redis's own time in milliseconds: the only clock that leases are compared with.
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- whole writes a whole number without an exponent.
local function whole(n) return string.format('%d', n) end

-- split takes a field and a number apart, 'n:CALLER:EPOCH 17'.
local function split(seen)
  local at = string.find(seen, ' ', 1, true)
  return string.sub(seen, 1, at - 1), string.sub(seen, at + 1)
end

-- intact answers the field that counts a caller's changes in the epoch, or nil when Redis holds another epoch or none. Each caller's changes are counted by
-- themselves, in a field of its own that names the epoch, too; seen is that field and the highest number the caller was answered, 'n:CALLER:EPOCH 17'. A
-- lower one means that Redis lost its last writes (a failover, a restart from an old file), whatever others have written since: the epoch is over.
local function intact(key, id, seen)
  local field, number = split(seen)
  local e = redis.call('HMGET', key, 'id', field)
  if not e[1] or e[1] ~= id then return nil end
  if tonumber(e[2] or '0') < tonumber(number) then
    redis.call('DEL', key)
    return nil
  end
  return field
end

-- guard counts a change of the caller in the epoch and answers its number, or nil where the epoch is not intact. A count that goes on where the caller
-- left off says by itself that it is; only the first one, and one that does not, asks more.
local function guard(key, id, seen)
  local field, number = split(seen)
  if number ~= '0' then
    local n = redis.call('HINCRBY', key, field, 1)
    if n > tonumber(number) then return n end
    if n == 1 then redis.call('HDEL', key, field) else redis.call('HINCRBY', key, field, -1) end
  end
  field = intact(key, id, seen)
  return field and redis.call('HINCRBY', key, field, 1)
end

-- keep makes a key live at least so many milliseconds longer; it never shortens a life. GT leaves a key that has no end as it is: a new one.
local function keep(key, ms)
  if redis.call('PEXPIRE', key, ms, 'GT') == 0 and redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, ms) end
end

-- Who waits for a claim registers with what for: 'settled', or 'free', which somebody may wait for beside others who wait for 'settled'.

-- wake tells those who wait that a claim is settled, if anyone registered since the last time.
local function wake(key, channel, message)
  if redis.call('DEL', key) == 1 then redis.call('PUBLISH', channel, message) end
end

-- wakeNext tells those who wait for a claim or a lease to be free that it is. Who waits for it to be settled has nothing to gain and is left alone.
local function wakeNext(key, channel, message)
  if redis.call('GET', key) ~= 'free' then return end
  redis.call('SET', key, 'settled', 'KEEPTTL')
  redis.call('PUBLISH', channel, message)
end

-- fresh answers an empty string for a field that is absent.
local function fresh(v) return v or '' end
