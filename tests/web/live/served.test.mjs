// The client as the server hands it out.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { projectPath, token, url } from "../support/live.mjs";

/** Fetches a module and everything that it imports, as a browser does. */
async function fetchInto(folder, name, known = new Set()) {
  if (known.has(name)) return known;
  known.add(name);
  const response = await fetch(`${url}/${name}`);
  assert.equal(response.status, 200, name);
  assert.match(response.headers.get("content-type"), /^text\/javascript/, name);
  const text = await response.text();
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  for (const [, imported] of text.matchAll(/^(?:import|export) .* from "(.+)";$/gm)) {
    await fetchInto(folder, path.posix.join(path.posix.dirname(name), imported), known);
  }
  return known;
}

test("it is served whole, and has a conversation", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "tandem-client-"));
  await writeFile(path.join(folder, "package.json"), '{"type": "module"}');
  const parts = await fetchInto(folder, "client.js");
  assert.ok(parts.size > 10, [...parts].join());
  const { connect } = await import(pathToFileURL(path.join(folder, "client.js")).href);

  const client = await connect({ url, token, deviceId: "program", deviceName: "A program", kind: "script" });
  assert.ok(Date.parse(await client.ping()) > 0);
  const session = await client.createSession({ projectPath, title: "from JavaScript" });
  assert.equal((await client.watch()).find(({ sessionId }) => sessionId === session).title, "from JavaScript");
  const answered = new Promise((resolve) => client.on("event", ({ kind, data }) => kind === "turn_ended" && resolve(data)));
  await client.subscribe(session);
  assert.ok(Date.parse(await client.keepAlive(session)) > Date.now());
  await client.submit(session, "hello");
  assert.equal((await answered).text, "echo: hello");
  client.activity(session, "typing");
  const presence = await new Promise((resolve) => client.on("signal", ({ kind, data }) => kind === "presence" && resolve(data)));
  assert.equal(presence.devices.find(({ deviceId }) => deviceId === "program").activity, "typing");
  await client.close();
  await rm(folder, { recursive: true });
});
