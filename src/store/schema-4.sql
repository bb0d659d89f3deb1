-- Version 4: channels of projects. One is journalled as a session is; `project` is then the canonical path of its project,
-- and NULL for a conversation. `fences` in meta is the highest fencing number that was reserved.
ALTER TABLE session ADD COLUMN project TEXT;
