// The list of conversations: what is shown, in which order, under which headings.

import assert from "node:assert/strict";
import { test } from "node:test";

import { grouped, newlyAsking, recentProjects, titleOf, waitingApprovals } from "../../../src/web/app/core/session-list.js";

let clock = 0;

/** A conversation; each is more recent than the one before. */
function session(sessionId, more = {}) {
  clock += 1;
  const lastActivityAt = new Date(clock * 1_000).toISOString();
  return { sessionId, projectPath: "/srv/app", title: sessionId, status: "idle", approvals: 0, lastActivityAt, ...more };
}

const shown = (sessions, wanted) => grouped(sessions, wanted).map(({ key, sessions: own }) => [key, ...own.map(({ sessionId }) => sessionId)]);

test("what waits for the person comes first, then what runs, the latest first in each", () => {
  const all = [
    session("old"), session("asks", { status: "waiting_for_approval", approvals: 2 }), session("runs", { status: "running" }),
    session("queued", { status: "waiting_for_slot" }), session("new"), session("expired", { status: "expired" }),
  ];
  assert.deepEqual(shown(all), [["waiting", "asks"], ["running", "queued", "runs"], ["rest", "expired", "new", "old"]]);
});

test("closed ones are shown where they are asked for, and ask nothing", () => {
  const all = [session("open"), session("closed", { status: "closed", approvals: 1 })];
  assert.deepEqual(shown(all), [["rest", "open"]]);
  assert.deepEqual(shown(all, { filter: "closed" }), [["rest", "closed"]]);
  assert.deepEqual(shown(all, { filter: "waiting" }), []);
  assert.equal(waitingApprovals(all), 0);
});

test("filters show what waits and what runs", () => {
  const all = [session("idle"), session("asks", { status: "waiting_for_approval", approvals: 1 }), session("runs", { status: "running" })];
  assert.deepEqual(shown(all, { filter: "waiting" }), [["waiting", "asks"]]);
  assert.deepEqual(shown(all, { filter: "running" }), [["waiting", "asks"], ["running", "runs"]]);
  assert.equal(waitingApprovals(all), 1);
});

test("a search finds all its words, in the title or the path, in any case", () => {
  const all = [session("Fix the parser"), session("Parser notes", { projectPath: "/srv/docs" })];
  assert.deepEqual(shown(all, { search: "parser" })[0].length, 3);
  assert.deepEqual(shown(all, { search: " DOCS par " }), [["rest", "Parser notes"]]);
  assert.deepEqual(shown(all, { search: "parser nothing" }), []);
});

test("one without a title is named by its project", () => {
  assert.equal(titleOf(session("a", { title: null })), "New conversation in app");
});

test("recent projects are those of the latest activity, each once", () => {
  const all = [session("a", { projectPath: "/a" }), session("b", { projectPath: "/b" }), session("c", { projectPath: "/a" })];
  assert.deepEqual(recentProjects(all), ["/a", "/b"]);
  assert.deepEqual(recentProjects([...all].reverse()), ["/a", "/b"]);
});

test("a conversation newly asks when it has more questions than before", () => {
  const of = (...list) => new Map(list.map((one) => [one.sessionId, one]));
  const before = of(session("a", { approvals: 1 }), session("b"));
  const after = of(session("a", { approvals: 1 }), session("b", { approvals: 1 }), session("c", { approvals: 2 }), session("d", { approvals: 1, status: "closed" }));
  assert.deepEqual(newlyAsking(before, after).map(({ sessionId }) => sessionId), ["b", "c"]);
  assert.deepEqual(newlyAsking(null, after), [], "the list was not known before");
});
