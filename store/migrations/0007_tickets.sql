-- Visual trouble tickets. AUTOINCREMENT: people call a ticket by its number, which must never come again. Instants are nanoseconds
-- since 1970.
CREATE TABLE tickets (
    number      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The same for other systems: 32 hex digits by chance.
    id          TEXT NOT NULL UNIQUE,
    pressed_at  INTEGER NOT NULL,
    reporter    TEXT NOT NULL,
    -- The address that it is about, and the site that it is at; empty if at none.
    host        TEXT NOT NULL,
    site        TEXT NOT NULL,
    -- What they said; both may be empty.
    application TEXT NOT NULL,
    words       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'escalated', 'closed')),
    assignee    TEXT,
    -- Why it was closed; and which other one goes on with it.
    reason      TEXT,
    merged_into INTEGER REFERENCES tickets (number),
    -- None once somebody deleted it.
    recording   INTEGER UNIQUE REFERENCES recordings (number) ON DELETE SET NULL,
    -- Made after the press, of what had arrived by then.
    story       TEXT CHECK (json_valid(story)),
    picture     BLOB,
    made_at     INTEGER
) STRICT;

-- Each ticket has a recording: what is asked of all of them again and again is asked of this, not of the rows with their rules.
CREATE INDEX recordings_by_state ON recordings (state, arrived_from, arrived_to, octets);

-- Lists go from the newest number down: an index has the number behind its columns.
CREATE INDEX tickets_by_state ON tickets (state);
CREATE INDEX tickets_by_host ON tickets (host);
CREATE INDEX tickets_by_site ON tickets (site);
CREATE INDEX tickets_by_reporter ON tickets (reporter);
CREATE INDEX tickets_by_time ON tickets (pressed_at);
CREATE INDEX tickets_merged ON tickets (merged_into) WHERE merged_into IS NOT NULL;
-- Those whose story is still to be made.
CREATE INDEX tickets_unmade ON tickets (number) WHERE story IS NULL;

-- The servers that the host had used.
CREATE TABLE ticket_servers (
    server TEXT NOT NULL,
    ticket INTEGER NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    PRIMARY KEY (server, ticket)
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_servers_of ON ticket_servers (ticket);

-- What became of a ticket: nothing of it is changed or taken back.
CREATE TABLE ticket_events (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    ticket INTEGER NOT NULL REFERENCES tickets (number),
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,
    kind   TEXT NOT NULL
        CHECK (kind IN ('pressed', 'assigned', 'commented', 'escalated', 'merged', 'took_in', 'closed', 'reopened')),
    text   TEXT NOT NULL
) STRICT;

CREATE INDEX ticket_events_of ON ticket_events (ticket);

CREATE TRIGGER ticket_events_are_not_changed BEFORE UPDATE ON ticket_events
BEGIN SELECT RAISE(ABORT, 'events of tickets are not changed'); END;

CREATE TRIGGER ticket_events_are_kept BEFORE DELETE ON ticket_events
BEGIN SELECT RAISE(ABORT, 'events of tickets are kept'); END;
