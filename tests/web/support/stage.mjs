// A client whose time, network and storage belong to the test: a server with one connection after the other, played by it.

import assert from "node:assert/strict";

import { connect, memoryStorage } from "../../../src/web/client.js";

export const SESSION = "0197a2c4-0000-7000-8000-000000000001";
export const NOON = Date.parse("2026-01-01T12:00:00.000Z");

/** Time that stands still until it is moved. */
export class FakeClock {
  #now = NOON;
  #timers = new Map();
  #next = 1;

  now = () => this.#now;

  setTimeout = (work, ms) => {
    const number = this.#next++;
    this.#timers.set(number, { at: this.#now + ms, number, work });
    return number;
  };

  clearTimeout = (number) => void this.#timers.delete(number);

  get waiting() {
    return this.#timers.size;
  }

  /** Moves on, and does what becomes due in its order. */
  async pass(ms) {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers.values()].filter(({ at }) => at <= end);
      const next = due.sort((one, other) => one.at - other.at || one.number - other.number)[0];
      if (!next) break;
      this.#timers.delete(next.number);
      this.#now = Math.max(this.#now, next.at);
      next.work();
      await settled();
    }
    this.#now = end;
    await settled();
  }
}

/** Lets everything happen that needs no time. */
export async function settled() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The client's end of a connection, as a browser shows it. */
class FakeSocket {
  readyState = 0;
  closedWith = null;
  frames = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
  }

  send(text) {
    assert.equal(this.readyState, 1, "only an open socket is written to");
    this.frames.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code ?? "no code";
    this.readyState = 2;
  }

  // What the test does with it.

  opens() {
    this.readyState = 1;
    this.onopen?.({});
  }

  says(frame) {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  ends(code = 1006, reason = "") {
    this.readyState = 3;
    this.onerror?.({});
    this.onclose?.({ code, reason });
  }
}

/** See the module. */
export class Stage {
  clock = new FakeClock();
  storage = memoryStorage();
  sockets = [];
  /** Everything that the client told: its name, and what. */
  told = [];
  /** What is answered over HTTP; an error where it is one. */
  fetched = [];
  http = () => {
    throw new TypeError("nobody is there");
  };
  #options;

  constructor(options = {}) {
    this.#options = options;
  }

  /** Begins a client, and listens to everything. */
  async connects(options = {}) {
    const stage = this;
    class WebSocket extends FakeSocket {
      constructor(url, protocols) {
        super(url, protocols);
        stage.sockets.push(this);
      }
    }
    const fetch = async (url, init) => {
      stage.fetched.push({ url, ...init });
      const [status, body] = await stage.http();
      return { status, json: async () => body };
    };
    const { clock, storage } = this;
    const usual = { url: "http://127.0.0.1:1", token: "secret", deviceId: "phone-1", WebSocket, fetch, clock, storage };
    this.client = await connect({ ...usual, ...this.#options, ...options });
    const names = ["connection", "event", "signal", "reset", "resumed", "ended", "shared", "session_list"];
    names.push("project_event", "project_reset", "project_resumed");
    for (const name of [...names, "session_summary", "accepted", "rejected", "postponed", "notice", "error"]) {
      this.client.on(name, (detail) => this.told.push([name, detail]));
    }
    return this.client;
  }

  /** The connection of now. */
  get socket() {
    return this.sockets.at(-1);
  }

  /** Takes the connection, up to `welcome`. */
  async welcomes(fields = {}) {
    this.socket.opens();
    assert.equal(this.takes("hello").deviceId, "phone-1");
    const serverTime = new Date(this.clock.now()).toISOString();
    this.socket.says({ type: "welcome", protocol: 1, heartbeatSeconds: 30, maxMessageBytes: 10_000, serverTime, ...fields });
    await settled();
  }

  /** The connection breaks, and the next one is begun. */
  async breaks(code, reason) {
    const before = this.sockets.length;
    this.socket.ends(code, reason);
    await settled();
    // No pause is longer than 30 s.
    for (let step = 0; step < 300 && this.sockets.length === before; step += 1) await this.clock.pass(100);
  }

  /** The program ends the connection, and the server agrees. */
  async closes() {
    const closing = this.client.close();
    await settled();
    this.socket.ends(1000);
    await closing;
  }

  /** Takes the oldest frame that was not taken yet; it must be of this type. */
  takes(type) {
    const frame = this.socket.frames.shift();
    assert.equal(frame?.type, type, JSON.stringify(frame));
    return frame;
  }

  /** Answers a frame. */
  async answers(frame, answer) {
    this.socket.says({ ...answer, ref: frame.ref });
    await settled();
  }

  /** Answers a `subscribe`; the stream begins with `from`. */
  async follows(from, { epoch = "e", reset = false, head = from - 1, state = {} } = {}) {
    const subscribe = this.takes("subscribe");
    await this.answers(subscribe, { type: "subscribed", sessionId: SESSION, epoch, head, from, reset, state });
    return subscribe;
  }

  event(seq, kind = "agent_message", data = { n: seq }) {
    const at = new Date(this.clock.now()).toISOString();
    this.socket.says({ type: "event", sessionId: SESSION, seq, hash: `h${seq}`, at, kind, data });
  }

  /** What was told under this name. */
  heard(name) {
    return this.told.filter(([told]) => told === name).map(([, detail]) => detail);
  }

  get seqs() {
    return this.heard("event").map(({ seq }) => seq);
  }
}

/** A client that is connected and follows {@link SESSION} from its first event. */
export async function followed(options) {
  const stage = new Stage(options);
  await stage.connects();
  await stage.welcomes();
  const subscribing = stage.client.subscribe(SESSION, { after: 0 });
  await stage.follows(1);
  await subscribing;
  return stage;
}

/** What became of a promise, without waiting for it. */
export function outcome(promise) {
  const seen = { state: "open", value: undefined };
  promise.then(
    (value) => Object.assign(seen, { state: "done", value }),
    (error) => Object.assign(seen, { state: "failed", value: error }),
  );
  return seen;
}
