-- One row a setting; the value is JSON, so that a setting can become richer without a migration.
CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;

-- Every change of the rules adds one: who holds rules in memory sees by it that they are old.
INSERT INTO settings (key, value) VALUES ('rules_version', '0');

-- Names this data directory among all collectors of a store, for ever: part of the identity of each stored row.
INSERT INTO settings (key, value) VALUES ('collector_id', json_quote(lower(hex(randomblob(8)))));
