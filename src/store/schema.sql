-- Version 1 of the journal's tables. A later version is a file of its own; this one is never changed.

-- What is said once of the whole history: `epoch`.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a session, written with every append. `head` is the last event's seq (0: claimed, nothing appended), `hash`
-- the chain there, `lines` how much transcript there is. The checks keep the ids of the next two tables apart.
CREATE TABLE session (
    key     INTEGER PRIMARY KEY CHECK (key < 1 << 23),
    uuid    BLOB NOT NULL UNIQUE,
    term    INTEGER NOT NULL,
    head    INTEGER NOT NULL CHECK (head < 1 << 40),
    hash    BLOB NOT NULL,
    lines   INTEGER NOT NULL CHECK (lines < 1 << 40),
    summary TEXT NOT NULL
) STRICT;

-- `id` is session.key << 40 | seq. SQLite stores a table in the order of its INTEGER PRIMARY KEY, so a session's
-- events lie side by side: reading behind a cursor is one seek and a scan, and there is no second index to write.
CREATE TABLE event (
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    term INTEGER NOT NULL,
    hash BLOB NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
) STRICT;

-- What the agent wrote to its own files; `id` is session.key << 40 | n, n = 1, 2, 3, …
CREATE TABLE transcript (
    id   INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    line TEXT NOT NULL
) STRICT;

CREATE TABLE device (
    device_id    TEXT PRIMARY KEY,
    device_name  TEXT,
    kind         TEXT,
    last_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Only the hash of a token is kept.
CREATE TABLE token (
    hash       BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
