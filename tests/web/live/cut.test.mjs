// A wire that is cut again and again.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chance, count, device, heardAll, Relay, session, until, within } from "../support/live.mjs";

const CUTS = 20;
const MOST_CUTS = 200;

test("cut twenty times at random while messages are sent, all are accepted exactly once and no event is missed", async () => {
  const below = chance();
  const relay = await Relay.open();
  const { client, events, losses } = await device("phone", { url: relay.url });
  await client.subscribe(session, { after: 0 });
  const accepted = [];
  let duplicates = 0;
  let cuts = 0;
  // A cut between the server's acceptance and its answer is the one that matters: it shows as a duplicate.
  while (cuts < CUTS || (duplicates === 0 && cuts < MOST_CUTS)) {
    const submitted = client.submit(session, `message ${accepted.length}`);
    accepted.push(submitted.then((answer) => (duplicates += answer.duplicate ? 1 : 0, answer)));
    if (below(3) > 0) await until("it is connected", [client], () => client.connection.state === "connected");
    // The instant at which the fault strikes: the server takes a few milliseconds for a message.
    await new Promise((resolve) => setTimeout(resolve, below(8)));
    cuts += relay.cut() > 0 ? 1 : 0;
  }
  const answers = await within("all are accepted", Promise.all(accepted));
  await until("all turns have ended", [client], () => count(events, "turn_ended") === accepted.length);
  assert.ok(losses.length >= CUTS / 2, `the wire was lost ${losses.length} times`);
  assert.ok(duplicates > 0, `none of ${cuts} cuts came between acceptance and answer`);
  const written = await heardAll(events);
  const ids = written.filter(({ kind }) => kind === "message_accepted").map(({ data }) => data.messageId);
  assert.deepEqual(ids, answers.map(({ messageId }) => messageId), "each once, in the order in which they were said");
  assert.deepEqual(client.unsent(), []);
  await client.close();
  relay.close();
});
