-- Version 3: attachments, each kept once.

-- A blob is there when its row is, and the row is written last. `touched_at` is when somebody last brought it or was about
-- to refer to it: without a session, it is forgotten a day later.
CREATE TABLE blob (
    key        INTEGER PRIMARY KEY CHECK (key < 1 << 40),
    sha256     BLOB NOT NULL UNIQUE,
    media_type TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    touched_at INTEGER NOT NULL
) STRICT;

-- `id` is blob.key << 16 | n, n = 0, 1, 2, …
CREATE TABLE blob_part (
    id   INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

-- Keys of blobs that are being written in several parts. Those that a start finds were not finished: their parts go.
CREATE TABLE blob_unfinished (
    key INTEGER PRIMARY KEY
) STRICT;

-- Who brought a blob.
CREATE TABLE blob_device (
    blob      INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    PRIMARY KEY (blob, device_id)
) STRICT, WITHOUT ROWID;

-- Which sessions have an event that refers to a blob; written with that event.
CREATE TABLE blob_session (
    blob    INTEGER NOT NULL,
    session INTEGER NOT NULL,
    PRIMARY KEY (blob, session)
) STRICT, WITHOUT ROWID;
