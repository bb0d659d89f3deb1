// A device in JavaScript: follows a conversation and says what is typed. (In other languages: examples/device.rs.)
//
//   tandem serve --agent simulator &
//   node --experimental-websocket examples/device.mjs http://127.0.0.1:4870 "$(tandem token)" SESSION
//
// Node 22 and newer need no flag. A page imports the same client from its server: import { connect } from "/client.js".

import { createInterface } from "node:readline";

import { connect } from "../src/web/client.js";

const [url, token, session] = process.argv.slice(2);
if (!session) throw new Error("usage: device.mjs URL TOKEN SESSION");

const client = await connect({ url, token, deviceId: "example-js", deviceName: "The JavaScript example", kind: "script" });

// Every event once and in order, whatever becomes of the connection in between.
client.on("event", ({ seq, kind, data }) => console.log(String(seq).padStart(6), kind, JSON.stringify(data)));
client.on("reset", () => console.log("-- the server has another history; starting over"));
const off = client.on("connection", ({ state, reason }) => {
  console.error(`-- ${state}${reason ? `: ${reason}` : ""}`);
  if (state === "closed") process.exit(1);
});
await client.subscribe(session, { after: 0 });

// What is typed is said once, also when the server is away for a while.
const saying = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line) saying.push(client.submit(session, line).catch((error) => console.error(`-- ${error.message}`)));
}
await Promise.all(saying);
off();
await client.close();
