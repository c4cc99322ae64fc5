-- Reads claims.  KEYS: claims.
local entries = {}
for i, key in ipairs(KEYS) do entries[i] = show(read(key)) end
return entries
