// What is written, what is written again, and when it is given up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../../src/web/client/outbox.js";
import { outcome } from "./support/stage.mjs";

const PATIENCE = 10_000;

/** Adds a request and returns what becomes of it. */
function add(outbox, request, storage) {
  let entry;
  const seen = outcome(
    new Promise((resolve, reject) => {
      entry = outbox.add(request, { resolve, reject }, 0, storage);
    }),
  );
  return { entry, seen };
}

const numbers = (due) => due.map(({ number }) => number);
const says = (sessionId, mode = "queue") => ({ type: "submit", sessionId, content: "hi", mode });

test("a lost connection repeats messages and fails the rest", async () => {
  const outbox = new Outbox(PATIENCE);
  const message = add(outbox, says("a"));
  const ping = add(outbox, { type: "ping" });
  assert.deepEqual(numbers(outbox.takeDue(0)), [1, 2]);
  outbox.disconnected(5);
  await null;
  assert.equal(ping.seen.value.code, "lost");
  assert.equal(message.seen.state, "open");
  assert.deepEqual(numbers(outbox.takeDue(5)), [1]);
  assert.deepEqual(outbox.takeDue(5), [], "it is written once a connection");
});

test("a message is never given up, but its connection is", async () => {
  const outbox = new Outbox(PATIENCE);
  const message = add(outbox, says("a"));
  const ping = add(outbox, { type: "ping" });
  outbox.takeDue(0);
  assert.equal(outbox.nextDeadline(true), PATIENCE);
  assert.equal(outbox.isStuck(PATIENCE - 1), false);
  outbox.expire(PATIENCE);
  await null;
  assert.equal(ping.seen.value.code, "no_answer");
  assert.equal(message.seen.state, "open");
  assert.equal(outbox.isStuck(PATIENCE), true);
});

test("messages of one session go one by one and in order, those of others beside them", () => {
  const outbox = new Outbox(PATIENCE);
  for (const session of ["a", "a", "b", "a"]) add(outbox, says(session));
  assert.deepEqual(numbers(outbox.takeDue(0)), [1, 3]);
  assert.deepEqual(outbox.takeDue(0), []);
  outbox.take(1);
  assert.deepEqual(numbers(outbox.takeDue(0)), [2]);
});

test("one that was put off holds back those behind it, but not one that goes first", () => {
  const outbox = new Outbox(PATIENCE);
  const { entry } = add(outbox, says("a"));
  add(outbox, says("a"));
  add(outbox, says("a", "now"));
  assert.deepEqual(numbers(outbox.takeDue(0)), [1, 3]);
  outbox.take(1);
  outbox.putBack(entry, 2_000);
  assert.deepEqual(outbox.takeDue(1_999), []);
  assert.equal(outbox.nextDeadline(true), 2_000);
  assert.deepEqual(numbers(outbox.takeDue(2_000)), [1]);
});

test("what is not stored yet is not written, nor what was asked after it", () => {
  const outbox = new Outbox(PATIENCE);
  const { entry } = add(outbox, says("a"), { key: "k", isStored: false });
  add(outbox, { type: "interrupt", sessionId: "a" });
  assert.deepEqual(outbox.takeDue(0), []);
  outbox.stored(entry);
  assert.deepEqual(numbers(outbox.takeDue(0)), [1, 2]);
});

test("without a connection only what is given up has a deadline", () => {
  const outbox = new Outbox(PATIENCE);
  add(outbox, says("a"));
  assert.equal(outbox.nextDeadline(false), Infinity);
  add(outbox, { type: "ping" });
  assert.equal(outbox.nextDeadline(false), PATIENCE);
});

test("the end tells everybody who waits", async () => {
  const outbox = new Outbox(PATIENCE);
  const message = add(outbox, says("a"));
  outbox.close(new Error("over"));
  await null;
  assert.equal(message.seen.value.message, "over");
});
