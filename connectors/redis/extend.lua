-- Prolongs a lease if it is the caller's.  KEYS: lease.  ARGV: 1 owner, 2 milliseconds.
if redis.call('GET', KEYS[1]) == ARGV[1] then return {redis.call('PEXPIRE', KEYS[1], ARGV[2])} end
return {0}
