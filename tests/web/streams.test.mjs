// What a client hears: every event once, in order, over gaps, reconnects and reloads.

import assert from "node:assert/strict";
import { test } from "node:test";

import { followed, outcome, SESSION, settled, Stage } from "./support/stage.mjs";

test("duplicates are dropped", async () => {
  const stage = await followed();
  for (const seq of [1, 1, 2, 1, 2, 3]) stage.event(seq);
  assert.deepEqual(stage.seqs, [1, 2, 3]);
});

test("a gap is closed by asking again from the cursor", async () => {
  const stage = await followed();
  for (const seq of [1, 2, 4, 5]) stage.event(seq);
  await settled();
  assert.deepEqual(stage.seqs, [1, 2]);
  const subscribe = await stage.follows(3);
  assert.deepEqual([subscribe.after, subscribe.epoch, subscribe.hash], [2, "e", "h2"]);
  assert.deepEqual(stage.socket.frames.filter(({ type }) => type === "subscribe"), [], "once");
  for (const seq of [3, 4, 5]) stage.event(seq);
  assert.deepEqual(stage.seqs, [1, 2, 3, 4, 5]);
  assert.equal(stage.heard("resumed").length, 1);
});

test("after a reconnect every stream goes on, and the list of sessions", async () => {
  const stage = await followed();
  const watching = stage.client.watch();
  await settled();
  await stage.answers(stage.takes("watch"), { type: "session_list", sessions: [{ sessionId: SESSION }] });
  assert.deepEqual(await watching, [{ sessionId: SESSION }]);
  stage.event(1);
  await stage.breaks();
  stage.event(2);
  await stage.welcomes();
  assert.deepEqual(stage.seqs, [1], "nothing counts before the answer");
  const subscribe = await stage.follows(2);
  assert.equal(subscribe.after, 1);
  await stage.answers(stage.takes("watch"), { type: "session_list", sessions: [] });
  stage.event(2);
  assert.deepEqual(stage.seqs, [1, 2]);
  assert.deepEqual(stage.heard("session_list"), [{ sessions: [] }]);
});

test("another history is told, and what was not accepted is kept", async () => {
  const stage = await followed();
  stage.event(1);
  void stage.client.submit(SESSION, "hi");
  await settled();
  await stage.breaks();
  await stage.welcomes();
  assert.equal(stage.takes("submit").content, "hi");
  await stage.follows(1, { epoch: "restored", reset: true, head: 3, state: { title: "t" } });
  assert.equal(stage.heard("reset")[0].state.title, "t");
  stage.event(1);
  assert.deepEqual(stage.seqs, [1, 1]);
  assert.equal(stage.client.unsent().length, 1);
});

test("a subscription may be refused, and one that was lost is told of", async () => {
  const stage = await followed();
  const nowhere = outcome(stage.client.subscribe("elsewhere"));
  const error = { code: "session_not_found", message: "There is none.", effect: "none" };
  await stage.answers(stage.takes("subscribe"), { type: "rejected", error });
  assert.equal(nowhere.value.code, "session_not_found");
  await stage.breaks();
  await stage.welcomes();
  await stage.answers(stage.takes("subscribe"), { type: "rejected", error });
  assert.equal(stage.heard("ended")[0].error.code, "session_not_found");
  await stage.breaks();
  await stage.welcomes();
  assert.deepEqual(stage.socket.frames, []);
});

test("a session that starts over hears nothing of the stream before", async () => {
  const stage = await followed();
  void stage.client.subscribe(SESSION, { tail: 1 });
  const again = stage.client.subscribe(SESSION, { after: 0 });
  await stage.follows(3);
  stage.event(3);
  await stage.follows(1, { head: 3 });
  await again;
  for (const seq of [1, 2, 3]) stage.event(seq);
  assert.deepEqual(stage.seqs, [1, 2, 3]);
});

test("signals, notices and summaries are handed on, but signals not before the stream is there", async () => {
  const stage = await followed();
  const signal = { type: "signal", sessionId: SESSION, kind: "delta", data: { text: "a" } };
  stage.socket.says(signal);
  stage.socket.says({ type: "notice", from: "laptop", message: "hi", at: "then" });
  stage.socket.says({ type: "session_summary", session: { sessionId: SESSION } });
  stage.socket.says({ type: "error", error: { code: "bad_request", message: "What?", effect: "none" } });
  await stage.breaks();
  await stage.welcomes();
  stage.socket.says(signal);
  assert.deepEqual(stage.heard("signal").map(({ data }) => data.text), ["a"]);
  assert.deepEqual(stage.heard("notice"), [{ from: "laptop", message: "hi", at: "then" }]);
  assert.deepEqual(stage.heard("session_summary")[0].session, { sessionId: SESSION });
  assert.equal(stage.heard("error")[0].message, "What?");
});

test("what is not known, and what is no JSON, is ignored", async () => {
  const stage = await followed();
  stage.socket.says({ type: "from_the_future", ref: "99" });
  stage.socket.says("no json");
  stage.socket.says({ type: "event", sessionId: "elsewhere", seq: 1, hash: "h", kind: "x", data: {} });
  stage.event(1);
  assert.deepEqual(stage.seqs, [1]);
});

test("a listener that throws stops nobody, and is not silenced", async (context) => {
  const stage = await followed();
  const thrown = [];
  context.mock.method(globalThis, "queueMicrotask", (work) => thrown.push(work));
  const off = stage.client.on("event", () => {
    throw new Error("a bug of the page");
  });
  stage.event(1);
  off();
  stage.event(2);
  assert.deepEqual(stage.seqs, [1, 2]);
  assert.throws(thrown[0], { message: "a bug of the page" });
});

test("a session that is followed no more is silent, also after a reconnect", async () => {
  const stage = await followed();
  const leaving = stage.client.unsubscribe(SESSION);
  await stage.answers(stage.takes("unsubscribe"), { type: "ok" });
  await leaving;
  stage.event(1);
  assert.deepEqual(stage.seqs, []);
  await stage.breaks();
  await stage.welcomes();
  assert.deepEqual(stage.socket.frames, []);
});

test("the next run goes on behind what this one was told", async () => {
  const stage = await followed();
  for (const seq of [1, 2, 3]) stage.event(seq);
  await stage.clock.pass(500);
  stage.event(4);

  const next = new Stage();
  next.storage = stage.storage;
  await next.connects();
  await next.welcomes();
  void next.client.subscribe(SESSION);
  const subscribe = await next.follows(4);
  assert.deepEqual([subscribe.after, subscribe.epoch, subscribe.hash], [3, "e", "h3"]);
  next.event(4);
  assert.deepEqual(next.seqs, [4]);
  void next.client.subscribe(SESSION, { tail: 10 });
  const { after, tail } = next.takes("subscribe");
  assert.deepEqual([after, tail], [undefined, 10], "unless it wishes for something else");
});

test("what was shown is acknowledged in batches, at most every half second", async () => {
  const stage = await followed();
  for (const seq of [1, 2, 3]) stage.event(seq);
  await stage.clock.pass(499);
  assert.deepEqual(stage.socket.frames, []);
  await stage.clock.pass(1);
  assert.deepEqual(stage.takes("ack"), { type: "ack", sessionId: SESSION, seq: 3 });
  await stage.clock.pass(10_000);
  assert.deepEqual(stage.socket.frames, [], "once");
  await stage.breaks();
  await stage.welcomes();
  await stage.follows(4);
  await stage.clock.pass(500);
  assert.equal(stage.takes("ack").seq, 3, "it may have been lost with the connection");
});

test("a program that acknowledges by itself says what it has shown, and no more than it was told", async () => {
  const stage = await followed({ acks: false });
  for (const seq of [1, 2, 3]) stage.event(seq);
  await stage.clock.pass(1_000);
  assert.deepEqual(stage.socket.frames, []);
  stage.client.ack(SESSION, 2);
  await stage.clock.pass(500);
  assert.equal(stage.takes("ack").seq, 2);
  stage.client.ack(SESSION, 99);
  await stage.clock.pass(500);
  assert.equal(stage.takes("ack").seq, 3);
});

test("what the person does is said, and said again after a reconnect", async () => {
  const stage = await followed();
  stage.client.activity(SESSION, "typing", { at: 3 });
  const expected = { type: "activity", sessionId: SESSION, activity: "typing" };
  assert.deepEqual(stage.takes("activity"), { ...expected, cursor: { at: 3 } });
  await stage.breaks();
  await stage.welcomes();
  stage.client.activity(SESSION, "away");
  assert.deepEqual(stage.socket.frames.map(({ type }) => type), ["subscribe"]);
  await stage.follows(1);
  assert.deepEqual(stage.takes("activity"), { ...expected, activity: "away" }, "not before the session is followed again");
});

test("what is not true any more is not said again", async () => {
  for (const activity of ["typing", "viewing"]) {
    const stage = await followed();
    stage.client.activity(SESSION, activity);
    stage.takes("activity");
    await stage.breaks();
    await stage.clock.pass(11_000);
    await stage.welcomes();
    await stage.follows(1);
    assert.ok(!stage.socket.frames.some(({ type }) => type === "activity"), `${activity} of long ago`);
  }
});

test("a notice that comes again is told once", async () => {
  const stage = await followed();
  const told = [];
  stage.client.on("notice", ({ message }) => told.push(message));
  const notice = (noticeId, message) => stage.socket.says({ type: "notice", noticeId, from: {}, message, at: "2026-01-01T12:00:00.000Z" });
  notice("n1", "once");
  notice("n2", "twice");
  notice("n1", "once");
  assert.deepEqual(told, ["once", "twice"]);
});
