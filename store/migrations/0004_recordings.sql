-- Network recordings. AUTOINCREMENT: the number is in the names of databases and folders, and must never come again. Instants are
-- nanoseconds since 1970.
CREATE TABLE recordings (
    number        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The same wherever the recording goes: 32 hex digits.
    id            TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL UNIQUE,
    -- making: an import is under way; referenced: tape and tables of flows hold it; own: it has a tape and tables of its own;
    -- deleting: what it has is being removed.
    state         TEXT NOT NULL CHECK (state IN ('making', 'referenced', 'own', 'deleting')),
    arrived_from  INTEGER NOT NULL,
    -- May lie ahead: it goes on until then.
    arrived_to    INTEGER NOT NULL,
    filter        TEXT NOT NULL,
    cut_by        TEXT NOT NULL,
    cut_at        INTEGER NOT NULL,
    collector     TEXT NOT NULL,
    imported_at   INTEGER,
    anonymized    INTEGER NOT NULL DEFAULT 0,
    -- The rules in force when it was cut.
    enrichment    TEXT NOT NULL CHECK (json_valid(enrichment)),
    datagrams     INTEGER NOT NULL DEFAULT 0,
    flows         INTEGER NOT NULL DEFAULT 0,
    exporters     INTEGER NOT NULL DEFAULT 0,
    -- On disk, of its own.
    octets        INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE recording_notes (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    recording  INTEGER NOT NULL REFERENCES recordings (number) ON DELETE CASCADE,
    -- The moment in the recording.
    at         INTEGER NOT NULL,
    written_by TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    text       TEXT NOT NULL
) STRICT;

-- Tells this data directory's recordings from those of others in one store, for ever.
INSERT INTO settings (key, value) VALUES ('archive_id', json_quote(lower(hex(randomblob(6)))));
