// A project, folded from its channel.

import assert from "node:assert/strict";
import { test } from "node:test";

import { begun, conflictsOf, folded, lockedThings, placeOf } from "../../../src/web/app/core/project-state.js";

const LOGIN = { sessionId: "login" };
const PHONE = { deviceId: "phone" };

const empty = (more = {}) => begun({ projectPath: "/srv/app", head: 10, locks: [], conflicts: [], sessions: [], ...more });

/** The project after events that follow each other. */
function after(project, ...events) {
  return events.reduce((now, [kind, data], place) => folded(now, { projectPath: "/srv/app", seq: project.head + 1 + place, at: `2026-01-01T12:00:0${place}.000Z`, kind, data }), project);
}

const file = (resourceId) => [{ resourceId, lockType: "file", mode: "exclusive" }];
const things = (project) => lockedThings(project.locks).map(({ resourceId, held, waiting }) => [resourceId, held.map(({ holder }) => holder), waiting.map(({ holder }) => holder)]);

test("a lock is held, waited for, and handed on", () => {
  const acquired = ["lock_acquired", { holder: LOGIN, locks: file("a"), fence: 1, expiresAt: "…" }];
  const waiting = ["lock_waiting", { holder: PHONE, locks: file("a"), position: 1, behind: LOGIN }];
  const released = ["lock_released", { holder: LOGIN, locks: file("a"), fence: 1 }];
  const next = ["lock_acquired", { holder: PHONE, locks: file("a"), fence: 2, expiresAt: "…" }];
  assert.deepEqual(things(after(empty(), acquired)), [["a", [LOGIN], []]]);
  assert.deepEqual(things(after(empty(), acquired, waiting)), [["a", [LOGIN], [PHONE]]]);
  assert.deepEqual(things(after(empty(), acquired, waiting, released)), [["a", [], [PHONE]]]);
  const project = after(empty(), acquired, waiting, released, next);
  assert.deepEqual(things(project), [["a", [PHONE], []]]);
  assert.equal(project.locks[0].since, "2026-01-01T12:00:03.000Z");
  assert.deepEqual(things(after(empty(), acquired, ["lock_denied", { holder: PHONE, locks: file("a"), reason: "busy" }])), [["a", [LOGIN], []]]);
});

test("the end of an earlier grant does not end a later one", () => {
  const project = after(empty(), ["lock_acquired", { holder: LOGIN, locks: file("a"), fence: 2 }], ["lock_expired", { holder: LOGIN, locks: file("a"), fence: 1 }]);
  assert.deepEqual(things(project), [["a", [LOGIN], []]]);
});

test("who asks for more and does not get it keeps what it has", () => {
  const shared = ["lock_acquired", { holder: LOGIN, locks: [{ resourceId: "a", lockType: "file", mode: "shared" }], fence: 1 }];
  const wants = ["lock_waiting", { holder: LOGIN, locks: file("a"), position: 1, behind: PHONE }];
  assert.deepEqual(things(after(empty(), shared, wants, ["lock_denied", { holder: LOGIN, locks: file("a"), reason: "timed_out" }])), [["a", [LOGIN], []]]);
});

test("things that somebody waits for come first", () => {
  const project = after(empty(), ["lock_acquired", { holder: LOGIN, locks: [...file("a"), ...file("b")], fence: 1 }], ["lock_waiting", { holder: PHONE, locks: file("b"), position: 1 }]);
  assert.deepEqual(things(project).map(([name]) => name), ["b", "a"]);
});

test("what the answer has in it already is not told twice", () => {
  const project = empty({ head: 10 });
  assert.equal(folded(project, { projectPath: "/srv/app", seq: 10, at: "", kind: "lock_acquired", data: { holder: PHONE, locks: file("a"), fence: 1 } }), project);
});

test("conflicts are open until they are settled, the newest first", () => {
  const conflict = (conflictId, foundAt) => ({ conflictId, foundAt, conflictType: "file_edit", subject: "a" });
  const project = after(empty({ conflicts: [conflict("old", "2026-01-01"), conflict("settled", "2025-01-01")] }),
    ["conflict_detected", conflict("new", "2026-01-02")],
    ["conflict_resolved", { conflictId: "settled", resolution: "ours", by: { deviceId: "phone" } }],
    ["conflict_resolved", { conflictId: "unknown", resolution: "ours" }]);
  const { open, settled } = conflictsOf(project);
  assert.deepEqual(open.map(({ conflictId }) => conflictId), ["new", "old"]);
  assert.deepEqual(settled.map(({ conflictId, resolution, resolvedBy }) => [conflictId, resolution, resolvedBy.deviceId]), [["settled", "ours", "phone"]]);
});

test("conversations come, lead and go", () => {
  const project = after(empty({ sessions: [{ sessionId: "a", role: "primary" }] }), ["session_connected", { sessionId: "b", role: "secondary" }],
    ["session_disconnected", { sessionId: "a" }], ["role_changed", { sessionId: "b", role: "primary" }], ["enforcement_changed", { enforcement: "warn" }]);
  assert.deepEqual([...project.roles], [["b", "primary"]]);
  assert.equal(project.enforcement, "warn");
});

test("a cursor is told where it says something that is known", () => {
  assert.deepEqual([{ filePath: "a.rs", line: 3 }, { file: "b.rs" }, { path: "c.rs", position: { line: 7 } }, { line: 3 }, null, 7, { filePath: { toString: 1 } }].map(placeOf),
    ["a.rs:3", "b.rs", "c.rs:7", "", "", "", ""]);
});
