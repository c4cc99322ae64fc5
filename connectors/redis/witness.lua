-- Says whether the epoch still holds the changes that a caller, perhaps another one, was answered; ends it where not.
--
-- KEYS: epoch.  ARGV: 1 epoch id, 2 changes seen.  Answers {1} or {0}.
return {intact(KEYS[1], ARGV[1], ARGV[2]) and 1 or 0}
