-- People: who they are, how they are known again, and what was done. Instants are nanoseconds since 1970; a digest is the SHA-256 of
-- what its bearer shows, so that whoever reads this file can show nothing.

-- AUTOINCREMENT: the number stands in the audit log, and must never come again.
CREATE TABLE accounts (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    shown_name TEXT NOT NULL,
    email      TEXT,
    role       TEXT NOT NULL
        CHECK (role IN ('end_user', 'help_desk', 'engineer', 'application_owner', 'manager', 'admin')),
    -- Whose flows they see, as a filter; empty for all.
    scope      TEXT NOT NULL,
    -- In PHC form; none for those who sign on elsewhere.
    password   TEXT,
    disabled   INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    made_at    INTEGER NOT NULL,
    made_by    TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
    number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    digest  BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,
    made_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    -- For the list that somebody has of their own: where it was begun, and what the browser calls itself.
    address TEXT,
    agent   TEXT NOT NULL
) STRICT;

CREATE INDEX sessions_of_account ON sessions (account);

CREATE TABLE tokens (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    name       TEXT NOT NULL,
    owner      INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,
    role       TEXT NOT NULL
        CHECK (role IN ('end_user', 'help_desk', 'engineer', 'application_owner', 'manager', 'admin')),
    scope      TEXT NOT NULL,
    made_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    UNIQUE (owner, name)
) STRICT;

-- What makes the first admin: one at most, and none once there is an account.
CREATE TABLE welcome (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    made_at INTEGER NOT NULL
) STRICT;

-- What was done, by whom. AUTOINCREMENT: sqlite_sequence remembers the last number, also if the last rows go.
CREATE TABLE audit (
    number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    -- As they were called then: an account's name, 'operator', or empty for nobody.
    who     TEXT NOT NULL,
    account INTEGER,
    token   INTEGER,
    address TEXT,
    what    TEXT NOT NULL,
    object  TEXT NOT NULL,
    detail  TEXT NOT NULL CHECK (json_valid(detail)),
    -- SHA-256 over the digest of the row before and this row: docs/security.md.
    digest  BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;

-- The last row that was taken off at the old end, so that what follows can still be checked.
CREATE TABLE audit_head (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;

INSERT INTO audit_head VALUES (1, 0, zeroblob(32));

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is not changed'); END;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN OLD.number > (SELECT number FROM audit_head)
BEGIN SELECT RAISE(ABORT, 'the audit log is kept'); END;

CREATE TRIGGER audit_head_goes_on BEFORE UPDATE ON audit_head
WHEN NEW.number < OLD.number
BEGIN SELECT RAISE(ABORT, 'the head of the audit log goes on only'); END;

CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'the audit log has a head'); END;
