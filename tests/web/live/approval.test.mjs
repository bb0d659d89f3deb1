// The agent asks, a device answers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { count, device, session, until } from "../support/live.mjs";

test("an approval is answered, once, and the turn goes on", async () => {
  const one = await device("phone");
  const other = await device("laptop");
  const clients = [one.client, other.client];
  for (const client of clients) await client.subscribe(session, { tail: 0 });
  await one.client.submit(session, "/tool echo done");
  const asked = ({ events }) => events.find(({ kind }) => kind === "approval_requested");
  await until("both are asked", clients, () => asked(one) && asked(other));
  const { requestId } = asked(other).data;
  await other.client.approve(session, requestId, { decision: "allow" });
  await assert.rejects(one.client.approve(session, requestId, { decision: "deny" }), { code: "already_resolved" });
  await until("the turn has ended", clients, () => count(one.events, "turn_ended") === 1);
  const resolved = one.events.find(({ kind }) => kind === "approval_resolved").data;
  assert.deepEqual([resolved.decision, resolved.by.deviceId], ["allow", "laptop"]);
  assert.equal(one.events.at(-1).data.outcome, "completed");

  await one.client.submit(session, "/tool echo again");
  await until("it asks again", clients, () => count(one.events, "approval_requested") === 2);
  const again = one.events.findLast(({ kind }) => kind === "approval_requested").data;
  await one.client.approve(session, again.requestId, { decision: "deny", message: "not now" });
  await until("the turn has ended", clients, () => count(other.events, "turn_ended") === 2);
  const denied = other.events.findLast(({ kind }) => kind === "approval_resolved").data;
  assert.deepEqual([denied.decision, denied.message], ["deny", "not now"]);
  await Promise.all(clients.map((client) => client.close()));
});
