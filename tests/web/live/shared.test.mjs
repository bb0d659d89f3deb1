// Shared state between devices, one of which is away for a while.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HybridClock } from "../../../src/web/client/hybrid.js";
import { device, heardAll, Relay, session, token, until, url, within } from "../support/live.mjs";

const changes = ({ events }) => events.filter(({ kind }) => kind === "state_changed").map(({ data }) => data);

test("two devices write, one of them without a connection, and end equal", async () => {
  const relay = await Relay.open();
  const phone = await device("phone", { url: relay.url });
  const laptop = await device("laptop");
  const devices = [phone, laptop];
  for (const { client } of devices) await client.subscribe(session, { after: 0 });
  await Promise.all([phone.client.setState(session, { theme: "dark", gone: 1 }), laptop.client.setState(session, { font: 12 })]);
  const shown = () => devices.map(({ client }) => JSON.stringify(Object.entries(client.shared(session)).sort()));
  const clients = devices.map(({ client }) => client);
  await until("both show both", clients, () => shown().every((text) => text === '[["font",12],["gone",1],["theme","dark"]]'));

  relay.pause();
  await until("the phone is away", clients, () => phone.client.connection.state !== "connected");
  const away = phone.client.setState(session, { theme: "phone", font: 14, gone: null });
  assert.deepEqual(phone.client.shared(session), { theme: "phone", font: 14 }, "it shows what it wrote");
  await within("the laptop writes", laptop.client.setState(session, { theme: "laptop" }));
  relay.resume();
  await within("the phone's patch is taken", away);
  // Both wrote within a few milliseconds, and no two clocks agree on those: either may have been later, for everybody.
  const isWhole = (text) => text === '[["font",14],["theme","laptop"]]' || text === '[["font",14],["theme","phone"]]';
  const settled = () => changes(phone).length === 4 && changes(laptop).length === 4;
  await until("both have seen all", clients, () => settled() && shown().every(isWhole));
  assert.equal(shown()[0], shown()[1]);

  assert.deepEqual(changes(phone), changes(laptop));
  const conflicts = changes(laptop).flatMap(({ conflicts = [] }) => conflicts);
  assert.deepEqual(conflicts.map(({ key }) => key), ["theme"], "the one that nobody saw is named");
  await heardAll(phone.events);
  await Promise.all(clients.map((client) => client.close()));
});

test("what was written after having seen something replaces it without conflict, on a device whose clock is an hour late", async () => {
  const late = { now: () => Date.now() - 3_600_000, setTimeout, clearTimeout };
  const slow = await device("slow", { clock: late });
  const right = await device("right");
  for (const { client } of [slow, right]) await client.subscribe(session, { tail: 0 });
  for (const [{ client }, other, value] of [[right, slow, 1], [slow, right, 2], [right, slow, 3], [slow, right, 4]]) {
    await client.setState(session, { turn: value });
    await until("the other one has seen it", [other.client], () => other.client.shared(session).turn === value);
  }
  assert.deepEqual(changes(right).filter(({ conflicts }) => conflicts), []);
  await Promise.all([slow, right].map(({ client }) => client.close()));
});

test("its times are the server's", async () => {
  const watching = await device("watching");
  await watching.client.subscribe(session, { tail: 0 });
  for (const ms of [0, 1, 7, 123, 500, 999]) {
    const at = new Date(1_700_000_000_000 + ms).toISOString();
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = JSON.stringify({ patch: { [`at-${ms}`]: ms }, at, deviceId: "script" });
    const answer = await fetch(`${url}/api/sessions/${session}/state`, { method: "PATCH", headers, body });
    const expected = new HybridClock(() => Date.parse(at), "1").stamp();
    assert.equal((await answer.json()).at, expected, `${ms} ms`);
  }
  await watching.client.close();
});

test("the lead is handed over, and with it what was about to be said", async () => {
  const phone = await device("phone");
  const laptop = await device("laptop");
  for (const { client } of [phone, laptop]) await client.subscribe(session, { tail: 0 });
  await laptop.client.handoff(session, "laptop");
  await laptop.client.setState(session, { "draft.laptop": "in the middle of" });
  await phone.client.handoff(session, "phone");
  await until("the draft has moved", [laptop.client, phone.client], () =>
    [phone, laptop].every(({ client }) => client.shared(session)["draft.phone"] === "in the middle of"),
  );
  assert.equal(phone.client.shared(session)["draft.laptop"], undefined);
  await assert.rejects(phone.client.handoff(session, "nobody"), { code: "device_not_found" });
  await Promise.all([phone, laptop].map(({ client }) => client.close()));
});
