// How a connection is made, watched, got back and ended.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../src/web/client.js";
import { followed, outcome, SESSION, settled, Stage } from "./support/stage.mjs";

const states = (stage) => stage.heard("connection").map(({ state }) => state);

test("it introduces itself, with the token as a sub-protocol", async () => {
  const stage = new Stage({ url: "https://host/tandem/", deviceName: "Pixel", kind: "phone" });
  await stage.connects();
  assert.equal(stage.socket.url, "wss://host/tandem/ws");
  assert.deepEqual(stage.socket.protocols, ["tandem.v1", "bearer.secret"]);
  stage.socket.opens();
  const hello = { type: "hello", protocol: 1, deviceId: "phone-1", deviceName: "Pixel", kind: "phone" };
  assert.deepEqual(stage.takes("hello"), hello);
  assert.equal(stage.client.connection.state, "connecting");
  stage.socket.says({ type: "welcome", protocol: 1, heartbeatSeconds: 30, maxMessageBytes: 1000 });
  assert.equal(stage.client.connection.state, "connected");
});

test("what is no address is refused at once", async () => {
  for (const url of ["", "localhost", "ftp://x"]) await assert.rejects(connect({ url, token: "t", deviceId: "d" }), { code: "bad_url" });
});

test("a lost connection is tried again with growing pauses", async () => {
  const stage = new Stage({ backoff: { baseMs: 1000, capMs: 4000 } });
  await stage.connects();
  for (let loss = 0; loss < 8; loss += 1) await stage.breaks();
  const pauses = stage.heard("connection").filter(({ state }) => state === "waiting");
  assert.equal(pauses.length, 8);
  pauses.forEach(({ retryInMs }, loss) => {
    assert.ok(retryInMs >= 0 && retryInMs <= Math.min(1000 * 2 ** loss, 4000), `${retryInMs} after ${loss}`);
  });
  assert.equal(stage.sockets.length, 9);
});

test("after codes from 4500 to 4999 it stays away, after all others it comes back", async () => {
  for (const code of [4500, 4502, 4503, 4999]) {
    const stage = await followed();
    const waiting = outcome(stage.client.ping());
    await stage.breaks(code, "revoked");
    await stage.clock.pass(3_600_000);
    assert.equal(stage.sockets.length, 1, String(code));
    const why = code === 4500 ? "unauthorized" : "closed";
    assert.deepEqual(stage.client.connection, { state: "closed", code: why, reason: "revoked" });
    assert.equal(waiting.state, "failed");
    await assert.rejects(stage.client.submit(SESSION, "hi"), { code: "closed" });
    assert.equal(stage.clock.waiting, 0, "nothing is left to do");
  }
  for (const code of [1000, 1001, 1006, 1009, 1011, 4000, 4001, 4499, 5000]) {
    const stage = await followed();
    await stage.breaks(code);
    assert.equal(stage.sockets.length, 2, String(code));
  }
});

test("the server's last words are the reason", async () => {
  const stage = await followed();
  stage.socket.says({ type: "goodbye", code: "going_away", reason: "Back soon.", resume: true });
  await stage.breaks(1001);
  assert.equal(stage.heard("connection").find(({ state }) => state === "waiting").reason, "Back soon.");
});

test("a token that is refused is found out over HTTP, and not tried for ever", async () => {
  const stage = new Stage();
  await stage.connects();
  stage.http = () => [401, { error: { code: "unauthorized", message: "The token is wrong.", effect: "none" } }];
  const submitting = outcome(stage.client.submit(SESSION, "hi"));
  await settled();
  await stage.breaks();
  assert.deepEqual(stage.client.connection, { state: "closed", code: "unauthorized", reason: "The token is wrong." });
  assert.equal(submitting.value.code, "unauthorized");
  assert.equal(stage.fetched[0].url, "http://127.0.0.1:1/api/sessions?limit=1");
  assert.equal(stage.fetched[0].headers.authorization, "Bearer secret");
  await stage.clock.pass(3_600_000);
  assert.equal(stage.sockets.length, 1);
  assert.equal((await stage.storage.keys("tandem/phone-1/outbox/")).length, 1, "the message is kept for the right token");
});

test("a refusal that is told late counts while the next try is under way, and it is asked for once", async () => {
  const stage = new Stage();
  await stage.connects();
  let tell;
  stage.http = () => new Promise((resolve) => (tell = () => resolve([401, { error: { code: "unauthorized", message: "The token is wrong." } }])));
  for (let loss = 0; loss < 3; loss += 1) await stage.breaks();
  assert.deepEqual([stage.sockets.length, stage.fetched.length], [4, 1]);
  tell();
  await settled();
  assert.equal(stage.client.connection.code, "unauthorized");
  assert.equal(stage.socket.closedWith, 1000);
  await stage.clock.pass(3_600_000);
  assert.equal(stage.sockets.length, 4);
});

test("a server that is away, or full, is tried again", async () => {
  const answers = [() => { throw new TypeError("refused"); }, () => [200, {}], () => [503, { error: { code: "rate_limited" } }]];
  for (const http of answers) {
    const stage = new Stage();
    await stage.connects();
    stage.http = http;
    await stage.breaks();
    assert.equal(stage.sockets.length, 2);
  }
  const opened = await followed();
  await opened.breaks();
  assert.deepEqual(opened.fetched, [], "one that was open needs no asking");
});

test("a server that says nothing is given up", async () => {
  const stage = new Stage();
  await stage.connects();
  stage.socket.opens();
  await stage.clock.pass(9_999);
  assert.deepEqual(states(stage), []);
  await stage.clock.pass(1);
  assert.deepEqual(states(stage)[0], "waiting");
  assert.notEqual(stage.sockets[0].closedWith, null);
});

test("a connection that has gone quiet is asked, and given up without an answer", async () => {
  const stage = await followed();
  await stage.clock.pass(44_999);
  stage.event(1);
  await stage.clock.pass(44_999);
  assert.deepEqual(stage.socket.frames.filter(({ type }) => type === "ping"), [], "an event is a sign of life");
  await stage.clock.pass(1);
  const ping = stage.socket.frames.find(({ type }) => type === "ping");
  await stage.answers(ping, { type: "pong", serverTime: "2026-01-01T12:00:00.000Z" });
  await stage.clock.pass(45_000);
  assert.equal(stage.socket.frames.filter(({ type }) => type === "ping").length, 2);
  await stage.clock.pass(9_999);
  assert.equal(stage.client.connection.state, "connected");
  const { socket } = stage;
  await stage.clock.pass(1);
  assert.match(stage.heard("connection").find(({ state }) => state === "waiting").reason, /does not answer/);
  socket.says({ type: "event", sessionId: SESSION, seq: 2, hash: "h2", kind: "x", data: {} });
  assert.deepEqual(stage.seqs, [1], "what still comes of it is of no interest");
});

test("it comes back at once when the network or the person does, and looks whether a connection lives", async () => {
  const scope = Object.assign(new EventTarget(), { document: Object.assign(new EventTarget(), { visibilityState: "hidden" }) });
  const { document } = scope;
  const stage = await followed({ scope, backoff: { baseMs: 1e9, capMs: 1e9 } });
  stage.socket.ends();
  await settled();
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(stage.sockets.length, 1, "nobody looks");
  scope.dispatchEvent(new Event("online"));
  assert.equal(stage.sockets.length, 2);
  stage.socket.ends();
  await settled();
  document.visibilityState = "visible";
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(stage.sockets.length, 3);
  await stage.welcomes();
  await stage.follows(1);
  scope.dispatchEvent(new Event("online"));
  assert.equal(stage.takes("ping").type, "ping");
  await stage.clock.pass(10_000);
  assert.notEqual(stage.client.connection.state, "connected");
  await stage.closes();
  scope.dispatchEvent(new Event("online"));
  assert.equal(stage.sockets.length, 3);
});

test("a connection that dies with the network is not taken for one that lives", async () => {
  const scope = new EventTarget();
  const stage = await followed({ scope, backoff: { baseMs: 1e9, capMs: 1e9 } });
  scope.dispatchEvent(new Event("offline"));
  assert.equal(stage.takes("ping").type, "ping");
  await stage.clock.pass(10_000);
  assert.equal(stage.client.connection.state, "waiting");
  scope.dispatchEvent(new Event("offline"));
  assert.equal(stage.sockets.length, 1, "nobody tries in vain");
  await stage.closes();
});

test("a page that is hidden keeps and says at once how far it has got", async () => {
  const scope = new EventTarget();
  const stage = await followed({ scope });
  stage.event(1);
  scope.dispatchEvent(new Event("pagehide"));
  await settled();
  assert.equal(stage.takes("ack").seq, 1);
  assert.equal((await stage.storage.get(`tandem/phone-1/cursor/${SESSION}`)).seq, 1);
});

test("closing says goodbye, and fails what is not answered", async () => {
  const stage = await followed();
  const submitting = outcome(stage.client.submit(SESSION, "hi"));
  await settled();
  const closing = outcome(stage.client.close());
  await settled();
  assert.equal(stage.socket.closedWith, 1000);
  assert.equal(submitting.value.code, "closed");
  assert.equal(closing.state, "open");
  stage.socket.ends(1000);
  await settled();
  assert.equal(closing.state, "done");
  assert.equal(stage.client.connection.state, "closed");
  assert.equal(stage.clock.waiting, 0, "nothing is left to do");
  await stage.client.close();
});

test("a server that does not say goodbye is not waited for", async () => {
  const stage = await followed();
  const closing = outcome(stage.client.close());
  await stage.clock.pass(1_000);
  assert.equal(closing.state, "done");
});
