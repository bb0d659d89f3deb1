// kill -9 of the server in the middle; tests/javascript.rs starts it again on the same port.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chance, count, device, heardAll, session, until, within } from "../support/live.mjs";

const MESSAGES = 20;

test("a server is killed in the middle, and nothing is lost or doubled", async () => {
  const below = chance();
  const { client, events, losses } = await device("phone");
  await client.subscribe(session, { after: 0 });
  const answers = [];
  const kill = 5 + below(10);
  for (let number = 0; number < MESSAGES; number += 1) {
    const accepted = client.submit(session, `message ${number}`);
    answers.push(accepted);
    if (number === kill) {
      // The instant at which it dies: before, while or after it has the message on disk.
      await new Promise((resolve) => setTimeout(resolve, below(8)));
      process.kill(Number(process.env.TANDEM_SERVER_PID), "SIGKILL");
    } else if (number < kill) {
      await accepted;
    }
  }
  const accepted = await within("all are accepted", Promise.all(answers));
  await until("all turns have ended", [client], () => count(events, "turn_ended") >= MESSAGES);
  assert.ok(losses.length > 0);
  await heardAll(events);
  const ids = events.filter(({ kind }) => kind === "message_accepted").map(({ data }) => data.messageId);
  assert.deepEqual(ids, accepted.map(({ messageId }) => messageId));
  await client.close();
});
