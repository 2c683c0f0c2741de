-- Who signs on elsewhere: what an OpenID provider calls them, and which account is theirs. A provider gives a subject to one person for
-- ever (OpenID Connect Core 1.0, 2); names and addresses may change their owner.
CREATE TABLE identities (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    account INTEGER NOT NULL UNIQUE REFERENCES accounts (number) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
