// The state of a conversation, kept right by events; and the answer as it grows.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveAnswer } from "../../../src/web/app/core/live-answer.js";
import { applied, assumed } from "../../../src/web/app/core/session-state.js";

const IDLE = {
  sessionId: "s", projectPath: "/p", title: null, model: null, permissionMode: null, status: "idle", agent: { state: "none" }, queue: [],
  turn: null, approvals: [], devices: [], primaryDeviceId: null, expiresAt: "t0", turns: 0, costUsd: 0,
};

/** The state after events, from pairs of kind and data. */
const after = (state, ...pairs) => pairs.reduce((now, [kind, data], place) => applied(now, { seq: place + 1, at: "", kind, data }), state);
const accepted = (messageId, mode = "queue") => ["message_accepted", { messageId, deviceId: "d", content: messageId, mode }];
const order = ({ queue }) => queue.map(({ messageId }) => messageId).join("");

test("the queue is edited, moved and cancelled as the server does it", () => {
  const state = after(IDLE, accepted("a"), accepted("b"), accepted("c"), accepted("d", "now"));
  assert.equal(order(state), "dabc");
  assert.equal(order(after(state, ["queue_moved", { messageId: "c", before: "a" }])), "dcab");
  assert.equal(order(after(state, ["queue_moved", { messageId: "d" }])), "abcd");
  assert.equal(order(after(state, ["queue_moved", { messageId: "x", before: "a" }])), "dabc");
  assert.equal(order(after(state, ["message_cancelled", { messageId: "b" }])), "dac");
  assert.equal(after(state, ["message_edited", { messageId: "b", content: "B" }]).queue[2].content, "B");
  const running = after(state, ["turn_dispatched", { messageId: "d", turn: 1 }]);
  assert.deepEqual([order(running), running.turn.messageId, running.status], ["abc", "d", "running"]);
});

test("the status follows turns, questions, and the end of the conversation", () => {
  const states = [];
  let state = IDLE;
  for (const event of [
    accepted("a"), ["turn_dispatched", { messageId: "a", turn: 1 }], ["approval_requested", { requestId: "1" }], ["approval_requested", { requestId: "2" }],
    ["approval_resolved", { requestId: "1", decision: "allow" }], ["approval_resolved", { requestId: "2", decision: "deny" }],
    ["turn_ended", { messageId: "a", turn: 1, costUsd: 0.5 }], ["session_expired", { expiresAt: "t1" }], accepted("b"), ["session_closed", {}],
  ]) {
    state = after(state, event);
    states.push(state.status);
  }
  const asks = "waiting_for_approval";
  assert.deepEqual(states, ["idle", "running", asks, asks, asks, "running", "idle", "expired", "idle", "closed"]);
  assert.deepEqual([state.turns, state.costUsd, state.queue.length], [1, 0.5, 0]);
});

test("what is no news leaves the state as it is", () => {
  assert.equal(after(IDLE, ["agent_message", {}]), IDLE);
  assert.equal(after(IDLE, ["something_new", {}]), IDLE);
});

test("titles and modes change, one at a time", () => {
  const state = after(IDLE, ["session_changed", { title: "t" }], ["session_changed", { permissionMode: "plan" }]);
  assert.deepEqual([state.title, state.permissionMode, state.model], ["t", "plan", null]);
});

test("devices come and go", () => {
  const state = after(IDLE, ["device_linked", { deviceId: "a", deviceName: "A", kind: "phone" }], ["device_linked", { deviceId: "b" }], ["primary_changed", { deviceId: "a" }]);
  assert.deepEqual(state.devices.map(({ deviceId }) => deviceId), ["a", "b"]);
  assert.equal(state.primaryDeviceId, "a");
  assert.deepEqual(after(state, ["device_unlinked", { deviceId: "a" }]).devices.map(({ deviceId }) => deviceId), ["b"]);
});

test("pieces of an answer are put together, whatever comes twice", () => {
  const live = new LiveAnswer();
  live.delta({ index: 0, offset: 0, text: "häl" });
  live.delta({ index: 0, offset: 3, text: "lo 👋" });
  live.delta({ index: 0, offset: 2, text: "llo 👋 you" });
  assert.deepEqual(live.growing, { text: "hällo 👋 you", isGapped: false });
});

test("a piece that was dropped is seen, and the next block is whole again", () => {
  const live = new LiveAnswer();
  live.delta({ index: 0, offset: 0, text: "one" });
  live.delta({ index: 0, offset: 9, text: "three" });
  assert.deepEqual(live.growing, { text: "one\n\n…three", isGapped: true });
  live.delta({ index: 1, offset: 0, text: "next" });
  assert.deepEqual(live.growing, { text: "next", isGapped: false });
  live.delta({ index: 0, offset: 14, text: "late" });
  assert.equal(live.growing.text, "next", "of a block that is over");
  live.end();
  assert.equal(live.growing, null);
});

test("an answer that has begun goes on where the state has it", () => {
  const live = new LiveAnswer();
  live.begin("so far");
  live.delta({ index: 3, offset: 6, text: ", so good" });
  assert.deepEqual(live.growing, { text: "so far, so good", isGapped: false });
});

test("before the server has told, a conversation is what the list has of it", () => {
  assert.deepEqual(assumed("s", undefined), { ...IDLE, projectPath: "", expiresAt: "" });
  const summary = { sessionId: "s", projectPath: "/p", title: "T", status: "closed", turns: 3, costUsd: 1, expiresAt: "t1", queued: 2 };
  assert.deepEqual(assumed("s", summary), { ...IDLE, title: "T", status: "closed", turns: 3, costUsd: 1, expiresAt: "t1" });
});
