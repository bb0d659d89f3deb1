// What has happened in a project, as a person reads it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decisions, hunkLines } from "../../../src/web/app/core/project-conflicts.js";
import { byDay, timeline } from "../../../src/web/app/core/project-timeline.js";

const LOGIN = { sessionId: "login" };
const OTHER = { sessionId: "other" };

/** Events, each so many seconds after noon. */
function events(...told) {
  return told.map(([seconds, kind, data], place) => ({ projectPath: "/p", seq: place + 1, at: new Date(Date.UTC(2026, 0, 1, 12, 0, seconds)).toISOString(), kind, data }));
}

const changed = (filePath, holder, changeType = "modified") => ({ filePath, changeType, holder });
const lock = (resourceId, holder) => ({ holder, locks: [{ resourceId, lockType: "file" }] });
const read = (entries) => entries.map(({ actor, lines }) => [actor?.sessionId ?? actor?.deviceId ?? null, ...lines.map(({ verb, things }) => `${verb} ${things.join(" ")}`)]);

test("what one does in one go is one entry, the newest first", () => {
  const all = events([0, "lock_acquired", lock("a", LOGIN)], [1, "file_changed", changed("a", LOGIN)], [2, "lock_acquired", lock("b", LOGIN)],
    [3, "file_changed", changed("b", LOGIN, "created")], [4, "file_changed", changed("a", LOGIN)], [5, "file_changed", changed("c", OTHER)],
    [6, "lock_released", lock("a", LOGIN)]);
  assert.deepEqual(read(timeline(all)), [["login", "gave back a"], ["other", "changed c"], ["login", "changed a", "created b"]]);
  assert.deepEqual(read(timeline(all, "locks")), [["login", "locked a b", "gave back a"]]);
});

test("things are called as inside of their project", () => {
  const all = events([0, "lock_acquired", lock("/p/src/a", LOGIN)], [1, "lock_acquired", lock("/p:main", LOGIN)], [2, "lock_acquired", lock("/q:main", LOGIN)]);
  assert.deepEqual(read(timeline(all)), [["login", "locked src/a main /q:main"]]);
});

test("a conflict that is found again is told once in one go", () => {
  const conflict = { conflictId: "1", conflictType: "file_edit", subject: "a", ours: {}, theirs: { holder: LOGIN } };
  const all = events([0, "conflict_detected", conflict], [1, "conflict_detected", conflict], [2, "conflict_detected", { ...conflict, conflictId: "2" }]);
  assert.deepEqual(read(timeline(all)), [["login", "is in conflict over a", "is in conflict over a"]]);
});

test("a pause begins a new entry", () => {
  const all = events([0, "file_changed", changed("a", LOGIN)], [299, "file_changed", changed("b", LOGIN)], [600, "file_changed", changed("c", LOGIN)]);
  assert.deepEqual(read(timeline(all)), [["login", "changed c"], ["login", "changed a b"]]);
});

test("filters leave out the rest", () => {
  const conflict = { conflictId: "1", conflictType: "file_edit", subject: "a", ours: {}, theirs: { holder: LOGIN } };
  const all = events([0, "lock_acquired", lock("a", LOGIN)], [1, "file_changed", changed("a", LOGIN)], [2, "conflict_detected", conflict],
    [3, "conflict_resolved", { conflictId: "1", resolution: "ours", by: { deviceId: "phone" } }]);
  assert.deepEqual(read(timeline(all, "files")), [["login", "changed a"]]);
  assert.deepEqual(read(timeline(all, "locks")), [["login", "locked a"]]);
  assert.deepEqual(read(timeline(all, "conflicts")), [["phone", "settled a conflict "], ["login", "is in conflict over a"]]);
});

test("a lock that was taken away is told of who took it", () => {
  const all = events([0, "lock_released", { ...lock("a", LOGIN), forcedBy: { deviceId: "phone" } }]);
  assert.deepEqual(read(timeline(all)), [["phone", "took away the lock of a"]]);
});

test("every kind of the channel is told, and what is not known is left out", () => {
  const all = events([0, "session_connected", { sessionId: "login" }], [1, "role_changed", { sessionId: "login", role: "primary" }],
    [2, "session_disconnected", { sessionId: "login" }], [3, "enforcement_changed", { enforcement: "off", by: { deviceId: "phone" } }],
    [4, "facts_dropped", { count: 7 }], [5, "lock_expired", lock("a", LOGIN)], [6, "lock_waiting", lock("a", OTHER)],
    [7, "lock_denied", { ...lock("a", OTHER), reason: "deadlock" }], [8, "of_the_future", {}]);
  assert.equal(timeline(all).flatMap(({ lines }) => lines).length, 8);
  const denied = timeline(all)[0].lines.at(-1);
  assert.deepEqual([denied.verb, denied.more], ["did not get", "each waited for the other"]);
});

test("days are told apart", () => {
  const all = timeline(events([0, "file_changed", changed("a", LOGIN)], [86_400, "file_changed", changed("b", LOGIN)]));
  assert.deepEqual(byDay(all, (at) => at.slice(0, 10)).map(({ day, entries }) => [day, entries.length]), [["2026-01-02", 1], ["2026-01-01", 1]]);
});

test("only of files can another version be taken", () => {
  const of = (conflictType, theirs = { hash: "ab" }) => {
    const { theirs: mayTake, merged } = decisions({ conflictType, theirs });
    return [mayTake, merged];
  };
  assert.deepEqual([of("file_edit"), of("file_edit", {}), of("state_divergence")], [[true, true], [false, true], [true, true]]);
  assert.deepEqual(["git_merge", "context_switch", "resource_lock", "of_the_future"].map((kind) => of(kind)), Array(4).fill([false, false]));
});

test("marked places are told apart from what is around them", () => {
  const hunks = "…\na\n<<<<<<< ours\nb\n||||||| original\nc\n=======\nd\n>>>>>>> theirs\n=======\n";
  assert.deepEqual(hunkLines(hunks).map(({ side }) => side), ["around", "around", "mark", "ours", "mark", "base", "mark", "theirs", "mark", "around"]);
});
