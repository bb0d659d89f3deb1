-- Version 2: how far each device has read, and notices that wait for a device.

-- `notable` is how many things for a person there were up to `seq`, so that what is unread is one subtraction.
CREATE TABLE cursor (
    session   BLOB NOT NULL,
    device_id TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    notable   INTEGER NOT NULL,
    PRIMARY KEY (session, device_id)
) STRICT, WITHOUT ROWID;

-- `number` rises in the order in which they are handed over; a row goes when its device has it.
CREATE TABLE notice (
    number      INTEGER PRIMARY KEY,
    notice_id   BLOB NOT NULL,
    device_id   TEXT NOT NULL,
    from_device TEXT NOT NULL,
    from_user   TEXT NOT NULL,
    message     TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT;

CREATE INDEX notice_of_device ON notice (device_id, number);
