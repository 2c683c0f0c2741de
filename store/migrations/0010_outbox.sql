-- What goes out of the house: mail, and what other systems are told. Instants are nanoseconds since 1970.
CREATE TABLE outbox (
    number   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- 32 hex digits by chance: by it a receiver knows what it has already.
    id       TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))),
    -- 'mail', or the name of a webhook; and the address that mail goes to, else empty.
    channel  TEXT NOT NULL,
    receiver TEXT NOT NULL,
    -- What is of one lane goes out in its order, one after the other.
    lane     TEXT NOT NULL,
    ticket   INTEGER REFERENCES tickets (number),
    subject  TEXT NOT NULL,
    -- Emptied once it was sent: that it was is all that is kept.
    body     TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    made_at  INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When it is tried next; when it was sent or given up.
    next_at  INTEGER NOT NULL,
    ended_at INTEGER,
    error    TEXT
) STRICT;

CREATE INDEX outbox_waiting ON outbox (channel, next_at) WHERE state = 'waiting';
CREATE INDEX outbox_lanes ON outbox (lane, number) WHERE state = 'waiting';
CREATE INDEX outbox_sent ON outbox (lane, ended_at) WHERE state = 'sent';
CREATE INDEX outbox_by_state ON outbox (state, number);

CREATE TABLE outbox_attachments (
    message    INTEGER NOT NULL REFERENCES outbox (number) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    content    BLOB NOT NULL
) STRICT;

CREATE INDEX outbox_attachments_of ON outbox_attachments (message);

-- Whoever has an address may do without mail.
ALTER TABLE accounts ADD COLUMN mail INTEGER NOT NULL DEFAULT 1 CHECK (mail IN (0, 1));

-- The last event of a ticket that was told. What was before there was an outbox is not told.
INSERT INTO settings (key, value)
SELECT 'told_event', CAST(coalesce(max(number), 0) AS TEXT) FROM ticket_events;
