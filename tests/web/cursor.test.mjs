// Which events a device takes, and from where it goes on.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Cursor } from "../../src/web/client/cursor.js";

/** A cursor that has applied events 5 and 6 of history `e`. */
function atSix() {
  const cursor = new Cursor({ tail: 2 });
  assert.deepEqual(cursor.wanted(), { tail: 2 });
  assert.equal(cursor.subscribed({ epoch: "e", from: 5 }), "first");
  assert.equal(cursor.event(5, "h5"), "apply");
  assert.equal(cursor.event(6, "h6"), "apply");
  return cursor;
}

test("only the next event is applied", () => {
  const cursor = atSix();
  assert.equal(cursor.event(6, "h6"), "drop");
  assert.equal(cursor.event(1, "h1"), "drop");
  assert.equal(cursor.event(8, "h8"), "resubscribe");
  assert.equal(cursor.event(7, "h7"), "apply");
});

test("it resumes with seq, epoch and hash", () => {
  assert.deepEqual(atSix().wanted(), { after: 6, epoch: "e", hash: "h6" });
});

test("what comes before the answer belongs to the old stream", () => {
  const cursor = atSix();
  cursor.askedAgain();
  assert.equal(cursor.event(7, "h7"), "drop");
  assert.equal(cursor.subscribed({ epoch: "e", from: 7 }), "resumed");
  assert.equal(cursor.event(7, "h7"), "apply");
});

test("another history starts over", () => {
  for (const answer of [{ epoch: "e", from: 1, reset: true }, { epoch: "other", from: 7 }, { epoch: "e", from: 9 }]) {
    const cursor = atSix();
    assert.equal(cursor.subscribed(answer), "reset", JSON.stringify(answer));
    assert.equal(cursor.event(answer.from, "new"), "apply");
    assert.equal(cursor.wanted().epoch, answer.epoch);
  }
});

test("a place of an earlier run is gone on from, or dropped", () => {
  const after = { epoch: "e", seq: 4, hash: "h4" };
  const cursor = new Cursor({ after });
  assert.deepEqual(cursor.wanted(), { after: 4, epoch: "e", hash: "h4" });
  assert.equal(cursor.subscribed({ epoch: "e", from: 5 }), "resumed");
  assert.equal(cursor.event(5, "h5"), "apply");
  assert.equal(new Cursor({ after }).subscribed({ epoch: "f", from: 1, reset: true }), "reset");
});

test("without a wish the server says where to begin", () => {
  assert.deepEqual(new Cursor({}).wanted(), {});
  assert.deepEqual(new Cursor({ after: 0 }).wanted(), { after: 0 });
});
