// One device, two runs of its program.

import assert from "node:assert/strict";
import { test } from "node:test";

import { memoryStorage } from "../../../src/web/client.js";
import { count, device, heardAll, Relay, session, until } from "../support/live.mjs";

test("the next run says what was not accepted, and hears what it has not heard", async () => {
  const storage = memoryStorage();
  const relay = await Relay.open();
  const first = await device("tab", { url: relay.url, storage });
  await first.client.subscribe(session, { after: 0 });
  await first.client.submit(session, "before");
  await until("its turn has ended", [first.client], () => count(first.events, "turn_ended") === 1);
  relay.close();
  const late = assert.rejects(first.client.submit(session, "into the dark"), { code: "closed" });
  await first.client.close();
  await late;

  const second = await device("tab", { storage });
  assert.deepEqual(second.client.unsent().map(({ content }) => content), ["into the dark"]);
  const { from, reset } = await second.client.subscribe(session);
  assert.deepEqual([from, reset], [first.events.length + 1, false]);
  await until("its turn has ended", [second.client], () => count(second.events, "turn_ended") === 1);
  await heardAll([...first.events, ...second.events]);
  assert.deepEqual(second.client.unsent(), []);
  await second.client.close();
});
