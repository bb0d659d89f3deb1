// What tests against a real server stand on: where it is, a wire that can be cut, and patience.

import assert from "node:assert/strict";
import net from "node:net";
import { after } from "node:test";

import { connect } from "../../../src/web/client.js";

const { TANDEM_URL, TANDEM_TOKEN, TANDEM_SESSION, TANDEM_PROJECT, TANDEM_FAULT_SEED } = process.env;
assert.ok(TANDEM_URL && TANDEM_TOKEN && TANDEM_SESSION, "tests/javascript.rs says where the server is");

export const url = TANDEM_URL;
export const token = TANDEM_TOKEN;
export const session = TANDEM_SESSION;
export const projectPath = TANDEM_PROJECT;

/** How long a test waits for something that must come; far more than it ever takes. */
const PATIENCE_MS = 30_000;

/** A client that keeps what it hears. */
export async function device(deviceId, options = {}) {
  const backoff = { baseMs: 5, capMs: 50 };
  const client = await connect({ url, token, deviceId, kind: "test", backoff, ...options });
  const events = [];
  const losses = [];
  // Also where a test has failed, or it would never end.
  after(() => client.close());
  client.on("event", (event) => events.push(event));
  client.on("reset", () => assert.fail("the history is the same"));
  client.on("connection", (connection) => connection.state === "waiting" && losses.push(connection));
  return { client, events, losses };
}

/** Waits until something is true, looking whenever one of the clients tells something. */
export function until(what, clients, isTrue) {
  return new Promise((resolve, reject) => {
    const offs = [];
    const end = (finish) => {
      clearTimeout(timer);
      for (const off of offs) off();
      finish();
    };
    const timer = setTimeout(() => end(() => reject(new Error(`never true: ${what}`))), PATIENCE_MS);
    const look = () => isTrue() && end(resolve);
    for (const client of clients) for (const name of ["event", "connection", "accepted", "shared"]) offs.push(client.on(name, look));
    look();
  });
}

/** What a promise becomes, or an error when that takes too long. */
export function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never happened: ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const count = (events, kind) => events.filter((event) => event.kind === kind).length;

/** All events of the session, through the API. */
export async function journal() {
  const path = `/api/sessions/${session}/events?after=0&limit=1000`;
  const response = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
  const { events, head } = await response.json();
  assert.equal(events.length, head, "they fit on one page");
  return events;
}

/** What was heard is what was written, from the first event on. */
export async function heardAll(events) {
  const place = ({ seq, hash, kind }) => ({ seq, hash, kind });
  const written = await journal();
  assert.deepEqual(events.map(place), written.slice(0, events.length).map(place));
  return written;
}

/** Stands between a client and the server, so that the wire can be cut. */
export class Relay {
  #server;
  #wires = new Set();
  #isPaused = false;
  opened = 0;

  static async open() {
    const relay = new Relay();
    const { hostname, port } = new URL(url);
    relay.#server = net.createServer((near) => {
      if (relay.#isPaused) {
        near.destroy();
        return;
      }
      const far = net.connect(Number(port), hostname);
      const wire = { near, far };
      relay.opened += 1;
      relay.#wires.add(wire);
      for (const [one, other] of [[near, far], [far, near]]) {
        one.pipe(other);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          other.destroy();
          relay.#wires.delete(wire);
        });
      }
    });
    after(() => relay.close());
    await new Promise((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    relay.url = `http://127.0.0.1:${relay.#server.address().port}`;
    return relay;
  }

  /** Cuts every wire; says how many there were. */
  cut() {
    const { size } = this.#wires;
    for (const { near, far } of this.#wires) {
      near.destroy();
      far.destroy();
    }
    this.#wires.clear();
    return size;
  }

  /** Cuts every wire, and lets no other come. */
  pause() {
    this.#isPaused = true;
    this.cut();
  }

  resume() {
    this.#isPaused = false;
  }

  close() {
    this.cut();
    this.#server.close();
  }
}

/** Random numbers below `end` that can be repeated (mulberry32). */
export function chance() {
  let state = Number(TANDEM_FAULT_SEED);
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end;
  };
}
