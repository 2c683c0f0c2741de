-- Whose flows a recording has: the scope of who cut it, as it is written; empty if they saw every flow. `filter`, which decides what
-- is in the recording, has it too.
ALTER TABLE recordings ADD COLUMN scope TEXT NOT NULL DEFAULT '';
-- The account that cut it here. Nobody's: what the operator cut, and what came from elsewhere.
ALTER TABLE recordings ADD COLUMN owner TEXT;
