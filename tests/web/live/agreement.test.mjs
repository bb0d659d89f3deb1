// Three devices in one session.

import assert from "node:assert/strict";
import { test } from "node:test";

import { count, device, heardAll, session, until } from "../support/live.mjs";

test("three devices see the same events in the same order, with equal hashes", async () => {
  const devices = await Promise.all(["phone", "laptop", "tablet"].map((name) => device(name)));
  const clients = devices.map(({ client }) => client);
  for (const client of clients) await client.subscribe(session, { after: 0 });
  const texts = clients.flatMap((client, number) => [0, 1, 2, 3, 4].map((turn) => [client, `${number}-${turn}`]));
  await Promise.all(texts.map(([client, text]) => client.submit(session, text)));
  await until("all turns have ended everywhere", clients, () => devices.every(({ events }) => count(events, "turn_ended") === 15));
  for (const { events } of devices) {
    const written = await heardAll(events);
    assert.equal(count(written, "message_accepted"), 15);
  }
  for (const [number] of clients.entries()) {
    const own = devices[0].events.filter(({ kind, data }) => kind === "message_accepted" && data.content.startsWith(`${number}-`));
    assert.deepEqual(own.map(({ data }) => data.content), [0, 1, 2, 3, 4].map((turn) => `${number}-${turn}`), "in its own order");
  }
  await Promise.all(clients.map((client) => client.close()));
});
