-- The rules by which flows are named. Lists are JSON, as they are always read and written whole.

-- First match first. Several rules may give the same name.
CREATE TABLE applications (
    position INTEGER NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL,
    servers  TEXT NOT NULL CHECK (json_type(servers) = 'array'),
    ports    TEXT NOT NULL CHECK (json_type(ports) = 'array'),
    clients  TEXT NOT NULL CHECK (json_type(clients) = 'array')
) STRICT;

CREATE TABLE sites (
    position INTEGER NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    subnets  TEXT NOT NULL CHECK (json_type(subnets) = 'array')
) STRICT;

CREATE TABLE exporters (
    position          INTEGER NOT NULL PRIMARY KEY,
    address           TEXT NOT NULL UNIQUE,
    name              TEXT NOT NULL,
    sampling_interval INTEGER CHECK (sampling_interval > 0),
    interfaces        TEXT NOT NULL CHECK (json_type(interfaces) = 'array')
) STRICT;
