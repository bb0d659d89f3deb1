// The shared state as a device shows it: what is confirmed, and what it has written on top.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SharedState } from "../../src/web/client/shared.js";
import { followed, NOON, SESSION, settled, Stage } from "./support/stage.mjs";

const begun = () => {
  const state = new SharedState();
  state.begin({ a: { value: 1, at: "10/1", by: "x" }, b: { value: 2, at: "10/1", by: "x" } }, 5);
  return state;
};

test("events are folded in: keys are set, and null takes them away", () => {
  const state = begun();
  assert.equal(state.changed(6, { patch: { a: 3, b: null, c: [1] }, at: "11/1" }), true);
  assert.deepEqual(state.merged(), { a: 3, c: [1] });
});

test("what the state knows already is not folded in again", () => {
  const state = begun();
  assert.equal(state.changed(4, { patch: { a: 0, z: 0 }, at: "9/1" }), false);
  assert.deepEqual(state.merged(), { a: 1, b: 2 });
});

test("own patches are shown at once, and until their event is there", () => {
  const state = begun();
  state.wrote({ a: 7, b: null }, "20/2");
  assert.deepEqual(state.merged(), { a: 7 });
  state.confirmed("20/2", 8);
  assert.deepEqual(state.merged(), { a: 7 }, "accepted, but the event has not come");
  state.changed(8, { patch: { a: 7, b: null }, at: "20/2" });
  state.changed(9, { patch: { a: 9 }, at: "5/1" });
  assert.deepEqual(state.merged(), { a: 9 }, "nothing of it is left on top");
});

test("an own patch that is earlier than what is confirmed has lost, a later one wins", () => {
  const state = begun();
  state.wrote({ a: "early", b: "early" }, "15/2");
  state.changed(6, { patch: { a: "theirs" }, at: "16/1" });
  assert.deepEqual(state.merged(), { a: "theirs", b: "early" });
  state.wrote({ a: "late" }, "17/2");
  assert.deepEqual(state.merged(), { a: "late", b: "early" });
});

test("a refused patch is taken back", () => {
  const state = begun();
  state.wrote({ a: 7 }, "20/2");
  state.refused("20/2");
  assert.deepEqual(state.merged(), { a: 1, b: 2 });
});

test("a patch goes out with a stamp that is later than everything seen, and is merged by the server's word", async () => {
  const stage = await followed();
  const ahead = `${(BigInt(Math.floor(NOON / 1000)) + 50n) << 32n}/7`;
  stage.event(1, "state_changed", { patch: { theme: "light" }, at: ahead, by: { deviceId: "x" } });
  assert.deepEqual(stage.client.shared(SESSION), { theme: "light" });
  const writing = stage.client.setState(SESSION, { theme: "dark" });
  assert.deepEqual(stage.client.shared(SESSION), { theme: "dark" }, "shown at once");
  await settled();
  const frame = stage.takes("state");
  assert.deepEqual(frame.patch, { theme: "dark" });
  assert.match(frame.at, /^\d+\/[1-9a-f][0-9a-f]{16,31}$/);
  assert.ok(BigInt(frame.at.split("/")[0]) > BigInt(ahead.split("/")[0]));
  await stage.answers(frame, { type: "ok", seq: 2 });
  assert.equal((await writing).seq, 2);
  stage.event(2, "state_changed", { patch: {}, at: frame.at, by: {}, conflicts: [{ key: "theme", kept: "light", dropped: "dark" }] });
  assert.deepEqual(stage.client.shared(SESSION), { theme: "light" }, "the server kept the other one");
  assert.deepEqual(stage.heard("shared").map(({ shared }) => shared.theme), [undefined, "light", "dark", "dark", "light"]);
});

test("a patch survives the connection and the program, under its first stamp", async () => {
  const stage = await followed();
  void stage.client.setState(SESSION, { draft: "x" }).catch(() => {});
  await settled();
  const first = stage.takes("state");
  await stage.breaks();
  await stage.welcomes();
  assert.equal(stage.takes("state").at, first.at);

  const next = new Stage();
  next.storage = stage.storage;
  await next.connects();
  assert.deepEqual(next.client.shared(SESSION), { draft: "x" }, "shown before there is a connection");
  await next.welcomes();
  const again = next.takes("state");
  assert.equal(again.at, first.at);
  await next.answers(again, { type: "ok", seq: 9 });
  assert.deepEqual(await next.storage.keys("tandem/phone-1/outbox/"), []);
  void next.client.setState(SESSION, { draft: "y" });
  await settled();
  const later = next.takes("state");
  assert.ok(BigInt(later.at.split("/")[0]) > BigInt(first.at.split("/")[0]));
});

test("a patch whose stamp was too far ahead is written later than the server's", async () => {
  const stage = await followed();
  void stage.client.setState(SESSION, { a: 1 });
  await settled();
  const frame = stage.takes("state");
  const claimed = `${BigInt(frame.at.split("/")[0]) + (90n << 32n)}/1`;
  await stage.answers(frame, { type: "ok", seq: 1, at: claimed });
  void stage.client.setState(SESSION, { a: 2 });
  await settled();
  assert.ok(BigInt(stage.takes("state").at.split("/")[0]) > BigInt(claimed.split("/")[0]));
});

test("a device whose clock is wrong stamps by the server's", async () => {
  const stage = new Stage();
  await stage.connects();
  await stage.welcomes({ serverTime: new Date(NOON - 3_600_000).toISOString() });
  void stage.client.setState(SESSION, { a: 1 });
  await settled();
  const seconds = Number(BigInt(stage.takes("state").at.split("/")[0]) >> 32n);
  assert.equal(seconds, NOON / 1000 - 3_600);
});
