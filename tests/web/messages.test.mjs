// What a client says: once, in order, kept until it is accepted.

import assert from "node:assert/strict";
import { test } from "node:test";

import { webStorage } from "../../src/web/client.js";
import { followed, outcome, SESSION, settled, Stage } from "./support/stage.mjs";

const rejection = (error) => ({ type: "rejected", error: { message: "No.", ...error } });

async function accepts(stage, frame, fields = {}) {
  await stage.answers(frame, { type: "accepted", messageId: frame.messageId, seq: 2, duplicate: false, ...fields });
}

test("a message is sent again under its id until it is accepted", async () => {
  const stage = await followed();
  const submitting = outcome(stage.client.submit(SESSION, "hi"));
  await settled();
  const first = stage.takes("submit");
  await stage.breaks();
  await stage.welcomes();
  const second = stage.takes("submit");
  assert.deepEqual([second.messageId, second.content, second.mode], [first.messageId, "hi", "queue"]);
  assert.equal(submitting.state, "open");
  await accepts(stage, second, { duplicate: true });
  assert.deepEqual(submitting.value, { messageId: first.messageId, seq: 2, duplicate: true });
  await stage.breaks();
  await stage.welcomes();
  assert.equal(stage.socket.frames.filter(({ type }) => type === "submit").length, 0, "and then no more");
});

test("messages arrive in the order in which they were said, over a lost connection", async () => {
  const stage = await followed();
  for (const text of ["1", "2", "3"]) void stage.client.submit(SESSION, text);
  await settled();
  await accepts(stage, stage.takes("submit"));
  await stage.breaks();
  await stage.welcomes();
  stage.socket.frames = stage.socket.frames.filter(({ type }) => type === "submit");
  for (const text of ["2", "3"]) {
    const frame = stage.takes("submit");
    assert.equal(frame.content, text);
    await accepts(stage, frame);
  }
});

test("a message said without a connection goes out when there is one", async () => {
  const stage = new Stage();
  await stage.connects();
  void stage.client.submit(SESSION, "early");
  await settled();
  assert.deepEqual(stage.socket.frames, []);
  await stage.welcomes();
  assert.equal(stage.takes("submit").content, "early");
});

test("a refusal is handed on and the message forgotten", async () => {
  for (const effect of ["none", "done"]) {
    const stage = await followed();
    const submitting = outcome(stage.client.submit(SESSION, "hi"));
    await settled();
    await stage.answers(stage.takes("submit"), rejection({ code: "session_closed", effect }));
    assert.deepEqual([submitting.value.code, submitting.value.effect], ["session_closed", effect]);
    assert.equal(stage.heard("rejected")[0].content, "hi");
    assert.deepEqual(stage.client.unsent(), []);
    assert.deepEqual(await stage.storage.keys("tandem/phone-1/outbox/"), []);
  }
});

test("where the effect is unknown, or the server says when, it is said again later and not before", async () => {
  const cases = [[{ code: "storage_unavailable", effect: "unknown" }, 1_000], [{ code: "queue_full", effect: "none", retryAfterSeconds: 5 }, 5_000]];
  for (const [error, pause] of cases) {
    const stage = await followed();
    const submitting = outcome(stage.client.submit(SESSION, "hi"));
    const behind = outcome(stage.client.submit(SESSION, "behind"));
    await settled();
    const first = stage.takes("submit");
    await stage.answers(first, rejection(error));
    await stage.clock.pass(pause - 1);
    assert.deepEqual(stage.socket.frames.filter(({ type }) => type === "submit"), [], error.code);
    await stage.clock.pass(1);
    const second = stage.takes("submit");
    assert.equal(second.messageId, first.messageId);
    await accepts(stage, second);
    assert.equal(submitting.state, "done");
    await accepts(stage, stage.takes("submit"));
    assert.equal(behind.state, "done");
    assert.equal(stage.heard("postponed").length, 1);
  }
});

test("a message that is larger than the server takes is not sent", async () => {
  const stage = await followed();
  const submitting = outcome(stage.client.submit(SESSION, "ä".repeat(5_000)));
  await settled();
  assert.equal(submitting.value.code, "too_large");
  assert.deepEqual(stage.socket.frames, []);
  assert.deepEqual(await stage.storage.keys("tandem/phone-1/outbox/"), []);
});

test("what was not accepted outlives the program, in its order", async () => {
  const stage = await followed();
  for (const text of ["1", "2", "3"]) stage.client.submit(SESSION, text).catch(() => {});
  await settled();
  const first = stage.takes("submit");
  await accepts(stage, first);
  await stage.closes();

  const next = new Stage();
  next.storage = stage.storage;
  await next.connects();
  assert.deepEqual(next.client.unsent(SESSION).map(({ content }) => content), ["2", "3"]);
  const last = next.client.submit(SESSION, "4");
  await next.welcomes();
  for (const text of ["2", "3", "4"]) {
    await settled();
    const frame = next.takes("submit");
    assert.equal(frame.content, text);
    await accepts(next, frame);
  }
  await last;
  assert.deepEqual(next.heard("accepted").length, 3);
  assert.deepEqual(await next.storage.keys("tandem/phone-1/outbox/"), []);
});

test("a message is written only when it is kept", async () => {
  let keep;
  const stage = await followed();
  stage.storage.set = () => new Promise((resolve) => (keep = resolve));
  void stage.client.submit(SESSION, "hi");
  await settled();
  assert.deepEqual(stage.socket.frames, []);
  keep();
  await settled();
  assert.equal(stage.takes("submit").content, "hi");
});

test("a storage that fails, or says nothing, is told of and does not hold messages back", async () => {
  const full = await followed();
  full.storage.set = () => Promise.reject(new Error("the quota is used up"));
  void full.client.submit(SESSION, "hi");
  await settled();
  assert.equal(full.takes("submit").content, "hi");
  assert.equal(full.heard("error")[0].code, "storage_failed");

  const silent = await followed();
  silent.storage.set = () => new Promise(() => {});
  void silent.client.submit(SESSION, "hi");
  await silent.clock.pass(2_000);
  assert.equal(silent.socket.frames.filter(({ type }) => type === "submit").length, 1);
});

test("localStorage keeps it", async () => {
  const values = new Map([["other", "1"]]);
  const storage = webStorage({
    get length() {
      return values.size;
    },
    key: (place) => [...values.keys()][place] ?? null,
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, String(value)),
    removeItem: (key) => void values.delete(key),
  });
  const stage = new Stage();
  stage.storage = storage;
  await stage.connects();
  stage.client.submit(SESSION, [{ type: "text", text: "hi" }]).catch(() => {});
  assert.equal([...values.keys()].filter((key) => key.startsWith("tandem/phone-1/outbox/")).length, 1, "at once");
  await stage.closes();
  const next = new Stage();
  next.storage = storage;
  await next.connects();
  await next.welcomes();
  const frame = next.takes("submit");
  assert.deepEqual(frame.content, [{ type: "text", text: "hi" }]);
  await accepts(next, frame);
  assert.deepEqual([...values.keys()].filter((key) => key.includes("outbox")), []);
});

test("a command that is not repeatable says that it may have been done, and is not sent again", async () => {
  const stage = await followed();
  const { client } = stage;
  const commands = {
    interrupt: client.interrupt(SESSION, { cancelQueued: true }),
    approve: client.approve(SESSION, "q", { decision: "allow" }),
    cancel: client.cancel(SESSION, "m"),
    edit: client.edit(SESSION, "m", "new"),
    move: client.move(SESSION, "m", null),
    keep_alive: client.keepAlive(SESSION),
    handoff: client.handoff(SESSION, "laptop"),
    notify: client.notify({ all: true }, "hello", { exclude: ["phone-1"] }),
    unlink: client.unlink(SESSION),
  };
  const seen = Object.fromEntries(Object.entries(commands).map(([name, command]) => [name, outcome(command)]));
  assert.deepEqual(stage.socket.frames.map(({ type }) => type), Object.keys(commands));
  await stage.breaks();
  await stage.welcomes();
  for (const [name, { value }] of Object.entries(seen)) assert.deepEqual([value?.code, value?.effect], ["lost", "unknown"], name);
  assert.deepEqual(stage.socket.frames.map(({ type }) => type), ["subscribe"]);
});

test("commands are written as the protocol says, and their answers come back", async () => {
  const stage = await followed();
  const { client } = stage;
  const cases = [
    [() => client.interrupt(SESSION), { type: "interrupt", sessionId: SESSION, cancelQueued: false }, {}, undefined],
    [
      () => client.approve(SESSION, "q", { decision: "deny", message: "no" }),
      { type: "approve", sessionId: SESSION, requestId: "q", decision: "deny", message: "no" }, {}, undefined,
    ],
    [() => client.move(SESSION, "m", null), { type: "move", sessionId: SESSION, messageId: "m", before: null }, {}, undefined],
    [() => client.keepAlive(SESSION), { type: "keep_alive", sessionId: SESSION }, { expiresAt: "then" }, "then"],
    [() => client.handoff(SESSION, "laptop"), { type: "handoff", sessionId: SESSION, toDeviceId: "laptop" }, {}, undefined],
    [
      () => client.notify({ sessionId: SESSION }, "hi", { exclude: "old" }),
      { type: "notify", to: { sessionId: SESSION }, message: "hi", exclude: "old" }, { delivered: 1, waiting: 2 }, { delivered: 1, waiting: 2 },
    ],
    [() => client.unlink(SESSION, "old"), { type: "unlink", sessionId: SESSION, deviceId: "old" }, {}, undefined],
  ];
  for (const [ask, expected, answer, result] of cases) {
    const asking = ask();
    const { ref, ...frame } = stage.takes(expected.type);
    assert.deepEqual(frame, expected);
    await stage.answers({ ref }, { type: "ok", ...answer });
    assert.deepEqual(await asking, result, expected.type);
  }
});

test("a command without an answer is given up in time, a message gives up its connection", async () => {
  const stage = await followed({ answerWithinMs: 5_000 });
  const pinging = outcome(stage.client.ping());
  void stage.client.submit(SESSION, "hi");
  await settled();
  stage.socket.frames = [];
  await stage.clock.pass(4_999);
  assert.equal(pinging.state, "open");
  await stage.clock.pass(1);
  assert.equal(pinging.value.code, "no_answer");
  assert.match(stage.client.connection.reason, /does not answer/);
  await stage.clock.pass(30_000);
  await stage.welcomes();
  assert.equal(stage.takes("submit").content, "hi");
});

test("what was never written can be changed and taken back, and is neither after that", async () => {
  const stage = new Stage();
  await stage.connects();
  const first = outcome(stage.client.submit(SESSION, "first", { messageId: "m-1" }));
  void stage.client.submit(SESSION, "second", { messageId: "m-2" });
  await settled();
  assert.deepEqual(stage.client.outlook("m-1"), { problem: null, isOpen: true });
  assert.equal(stage.client.rewrite("m-2", "changed"), true);
  assert.equal(stage.client.discard("m-1"), true);
  await settled();
  assert.equal(first.value.code, "discarded");
  assert.equal((await stage.storage.keys("tandem/phone-1/outbox/")).length, 1);
  await stage.welcomes();
  assert.equal(stage.takes("submit").content, "changed");
  assert.deepEqual(stage.socket.frames, []);
  assert.deepEqual([stage.client.rewrite("m-2", "late"), stage.client.discard("m-2"), stage.client.discard("m-1")], [false, false, false]);
});

test("what was refused for now can be taken back, and what may be there cannot", async () => {
  for (const [error, isOpen] of [[{ code: "queue_full", effect: "none", retryAfterSeconds: 5 }, true], [{ code: "storage_unavailable", effect: "unknown" }, false]]) {
    const stage = await followed();
    void outcome(stage.client.submit(SESSION, "hi", { messageId: "m-1" }));
    await settled();
    await stage.answers(stage.takes("submit"), rejection(error));
    const { problem, ...outlook } = stage.client.outlook("m-1");
    assert.deepEqual([problem.code, outlook], [error.code, { isOpen }]);
    assert.equal(stage.client.discard("m-1"), isOpen);
    assert.equal(stage.client.unsent().length, isOpen ? 0 : 1);
  }
});
