-- read answers what a claim holds, in the order that the Go side expects; then come the order's lease and the holder's last mark. Most claims are new, and
-- for them asking for everything is the cheapest question.
local names
local function read(key)
  local all = redis.call('HGETALL', key)
  local e = {}
  if #all == 0 then return e end
  names = names or {'state', 'was', 'coordinates', 'fingerprint', 'revision', 'step', 'since', 'steps', 'outcome', 'data',
    'scoordinates', 'sfingerprint', 'srevision', 'rcoordinates', 'rfingerprint', 'rrevision', 'routcome', 'token', 'until', 'ltoken', 'luntil', 'mark'}
  local held = {}
  for i = 1, #all, 2 do held[all[i]] = all[i + 1] end
  for i = 1, #names do e[i] = held[names[i]] or false end
  return e
end

-- show leaves out what holds nothing but leases of orders.
local function show(e)
  if e[1] or e[8] or e[10] or e[18] then return e end
  return {}
end
