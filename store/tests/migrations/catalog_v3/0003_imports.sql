-- Captures that were imported. AUTOINCREMENT: the number of a feed is in stored rows and must never come again, and 0
-- is the wire. Instants are nanoseconds since 1970.
CREATE TABLE imports (
    feed              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name              TEXT NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('reading', 'storing', 'done', 'failed')),
    error             TEXT,
    started_at        INTEGER NOT NULL,
    finished_at       INTEGER,
    datagrams         INTEGER NOT NULL DEFAULT 0,
    records           INTEGER NOT NULL DEFAULT 0,
    first_received_at INTEGER,
    last_received_at  INTEGER
) STRICT;
