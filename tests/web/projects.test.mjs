// The channels of projects: streams like those of sessions, under the path that the server gives them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { followed, outcome, settled, Stage } from "./support/stage.mjs";

const PROJECT = "/srv/app";

/** Answers a `subscribe_project`. */
async function begins(stage, from, { epoch = "p", reset = false, ...more } = {}) {
  const subscribe = stage.takes("subscribe_project");
  const answer = { type: "subscribed_project", projectPath: PROJECT, epoch, head: from - 1, from, reset, locks: [], conflicts: [], sessions: [] };
  await stage.answers(subscribe, { ...answer, ...more });
  return subscribe;
}

function happens(stage, seq) {
  stage.socket.says({ type: "project_event", projectPath: PROJECT, seq, hash: `h${seq}`, at: "2026-01-01T12:00:00.000Z", kind: "file_changed", data: {} });
}

/** A client that follows the project from its first event, asked for by a path with a link in it. */
async function following() {
  const stage = new Stage();
  await stage.connects();
  await stage.welcomes();
  const answer = stage.client.subscribeProject("/srv/link/../app", { after: 0 });
  assert.equal((await begins(stage, 1)).projectPath, "/srv/link/../app");
  assert.equal((await answer).projectPath, PROJECT);
  return stage;
}

const seqs = (stage) => stage.heard("project_event").map(({ seq }) => seq);

test("events are told in order, without duplicates, and a gap is closed", async () => {
  const stage = await following();
  for (const seq of [1, 1, 2, 4]) happens(stage, seq);
  await settled();
  assert.deepEqual(seqs(stage), [1, 2]);
  const again = await begins(stage, 3);
  assert.deepEqual([again.projectPath, again.after, again.epoch, again.hash], [PROJECT, 2, "p", "h2"]);
  for (const seq of [3, 4]) happens(stage, seq);
  assert.deepEqual(seqs(stage), [1, 2, 3, 4]);
});

test("after a reconnect it goes on, and tells how the project is now", async () => {
  const stage = await following();
  happens(stage, 1);
  await stage.breaks();
  await stage.welcomes();
  assert.equal((await begins(stage, 2, { locks: [{ resourceId: "a" }] })).after, 1);
  assert.deepEqual(stage.heard("project_resumed").map(({ projectPath, locks }) => [projectPath, locks.length]), [[PROJECT, 1]]);
  await stage.breaks();
  await stage.welcomes();
  await begins(stage, 1, { epoch: "restored", reset: true });
  assert.deepEqual(stage.heard("project_reset").map(({ epoch }) => epoch), ["restored"]);
});

test("signals of a project are told while it is followed", async () => {
  const stage = await following();
  const signal = { type: "signal", projectPath: PROJECT, kind: "cursor_update", data: {} };
  stage.socket.says(signal);
  stage.socket.says({ ...signal, projectPath: "/elsewhere" });
  assert.deepEqual(stage.heard("signal").map(({ projectPath }) => projectPath), [PROJECT]);
  const left = outcome(stage.client.unsubscribeProject(PROJECT));
  await stage.answers(stage.takes("unsubscribe_project"), { type: "ok" });
  assert.equal(left.state, "done");
  stage.socket.says(signal);
  happens(stage, 1);
  assert.equal(stage.heard("signal").length, 1);
  assert.deepEqual(seqs(stage), []);
});

test("a project that can be followed no more is told of, and sessions go on", async () => {
  const stage = await followed();
  const answer = stage.client.subscribeProject(PROJECT);
  assert.equal((await begins(stage, 1)).after, undefined, "the newest");
  await answer;
  await stage.breaks();
  await stage.welcomes();
  await stage.follows(1);
  const error = { code: "project_not_found", message: "It is gone.", effect: "none" };
  await stage.answers(stage.takes("subscribe_project"), { type: "rejected", error });
  assert.deepEqual(stage.heard("ended").map((ended) => [ended.projectPath, ended.error.code]), [[PROJECT, "project_not_found"]]);
  stage.event(1);
  assert.deepEqual(stage.seqs, [1]);
});

test("other commands get their direct answer, and fail where it may be lost", async () => {
  const stage = await following();
  const lock = outcome(stage.client.command({ type: "lock_request", projectPath: PROJECT, resourceId: "a.rs", lockType: "file" }));
  await stage.answers(stage.takes("lock_request"), { type: "lock_acquired", resourceId: "a.rs", fence: 7 });
  assert.deepEqual(lock.value, { resourceId: "a.rs", fence: 7 });
  const release = outcome(stage.client.command({ type: "lock_release", projectPath: PROJECT, resourceId: "a.rs", lockType: "file" }));
  await settled();
  await stage.breaks();
  assert.equal(release.value.code, "lost");
});

test("one that is followed again before the first answer is followed", async () => {
  const stage = new Stage();
  await stage.connects();
  await stage.welcomes();
  const linked = "/srv/link/../app";
  const first = stage.client.subscribeProject(linked, { after: 0 });
  const left = stage.client.unsubscribeProject(linked);
  const second = stage.client.subscribeProject(linked, { after: 0 });
  await begins(stage, 1);
  await stage.answers(stage.takes("unsubscribe_project"), { type: "ok" });
  await begins(stage, 1, { reset: true });
  for (const answer of [first, left, second]) await answer;
  happens(stage, 1);
  await settled();
  assert.deepEqual(seqs(stage), [1]);
});
