-- read answers what a claim holds, in the order that the Go side expects; the last two are the order's lease. One call for everything: in a script a call
-- costs more than a field.
local function read(key)
  return redis.call('HMGET', key, 'state', 'was', 'coordinates', 'fingerprint', 'revision', 'step', 'since', 'steps', 'outcome', 'data',
    'scoordinates', 'sfingerprint', 'srevision', 'rcoordinates', 'rfingerprint', 'rrevision', 'routcome', 'token', 'until', 'ltoken', 'luntil')
end

-- show leaves out what holds nothing but leases of orders.
local function show(e)
  if e[1] or e[8] or e[10] or e[18] then return e end
  return {}
end
