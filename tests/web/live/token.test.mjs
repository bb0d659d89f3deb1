// A token that the server does not take.

import assert from "node:assert/strict";
import { test } from "node:test";

import { device, Relay, session, until } from "../support/live.mjs";

test("a wrong token is told, and not tried for ever", async () => {
  const relay = await Relay.open();
  const { client } = await device("stranger", { url: relay.url, token: "tdm_wrong" });
  const submitting = assert.rejects(client.submit(session, "let me in"), { code: "unauthorized" });
  await until("it is over", [client], () => client.connection.state === "closed");
  assert.equal(client.connection.code, "unauthorized");
  assert.match(client.connection.reason, /token is missing or wrong/);
  await submitting;
  const { opened } = relay;
  assert.ok(opened <= 10, `${opened} connections`);
  client.wake();
  await assert.rejects(client.ping(), { code: "closed" });
  assert.equal(relay.opened, opened);
  await client.close();
  relay.close();
});
