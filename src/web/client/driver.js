// Behind a client: keeps a connection, moves frames between it and the link, and gets it back when it is lost.

import { Address, refusalOf } from "./address.js";
import { Backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { closed, TandemError } from "./errors.js";
import { HybridClock } from "./hybrid.js";
import { Link } from "./link.js";
import { isKept } from "./outbox.js";
import { Progress } from "./progress.js";
import { SharedState } from "./shared.js";
import { memoryStorage, Shelf } from "./storage.js";
import { uuid7 } from "./uuid.js";
import { watchPage } from "./wakeups.js";
import { Wire } from "./wire.js";

/** @typedef {import("../client.js").Connection} Connection */
/** @typedef {import("../client.js").Options} Options */
/** @typedef {import("./cursor.js").StartFrom} StartFrom */
/** @typedef {import("./link.js").News} News */
/** @typedef {import("./outbox.js").Entry} Entry */
/** @typedef {import("./outbox.js").Reply} Reply */
/** @typedef {import("./outbox.js").Request} Request */
/** @typedef {import("./wire.js").Clock} Clock */
/** @typedef {import("./wire.js").WireEnd} WireEnd */

/** How long a server may take to answer; it answers when its disk has synced, which is milliseconds. */
const ANSWER_WITHIN_MS = 30_000;

/** How long a device's own storage may hold a message up; then it goes out without being kept. */
const STORE_WITHIN_MS = 2_000;

/**
 * For how long it is true what somebody has said that they do: who types does so for ten seconds (docs/protocol.md,
 * presence), and viewing is what everybody does who says nothing. The rest holds until something else is said.
 *
 * @type {Record<string, number>}
 */
const HOLDS_MS = { viewing: 0, typing: 10_000 };

/** The close code of a token that is wrong, or is not the server's any more (docs/protocol.md, close codes). */
const TOKEN_REFUSED = 4500;

/** A browser's timer counts no further than 2^31 ms; whoever has longer to wait looks again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @type {Clock} */
const REAL_CLOCK = {
  now: () => Date.now(),
  setTimeout: (work, ms) => setTimeout(work, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

/** See the module. */
export class Driver {
  emitter = new Emitter();
  #options;
  #address;
  #WebSocket;
  #fetch;
  #clock;
  #link;
  #backoff;
  #hybrid;
  #shelf;
  #progress;
  /** @type {Map<string, SharedState>} */
  #shared = new Map();
  /** What this device said last of itself; the server forgets it with the connection. @type {Map<string, {request: any, at: number}>} */
  #activities = new Map();
  /** @type {Wire | null} */
  #wire = null;
  #isConnected = false;
  /** It is being found out over HTTP why a socket could not be opened. */
  #isAskingWhy = false;
  #connectedAt = 0;
  /** By how much the server's clock is before this device's. */
  #serverAheadMs = 0;
  /** @type {any} */
  #retryTimer = null;
  /** @type {any} */
  #dueTimer = null;
  #unwatch = () => {};
  /** @type {Connection} */
  connection = { state: "connecting" };

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#address = new Address(options.url);
    const webSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!webSocket) {
      throw new TandemError("bad_url", "There is no WebSocket here: use Node 22, or Node 20 with --experimental-websocket.");
    }
    this.#WebSocket = webSocket;
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.#clock = options.clock ?? REAL_CLOCK;
    this.#link = new Link(options.answerWithinMs ?? ANSWER_WITHIN_MS);
    this.#backoff = new Backoff(options.backoff);
    this.#hybrid = new HybridClock(() => this.serverNow);
    const report = (/** @type {TandemError} */ error) => this.emitter.emit("error", error);
    this.#shelf = new Shelf(options.storage ?? memoryStorage(), options.deviceId, report);
    this.#progress = new Progress(this.#clock, this.#shelf, () => this.#hybrid.last, (sessionId, seq) =>
      this.#sendNow({ type: "ack", sessionId, seq }),
    );
  }

  /** Reads what is kept, and goes. */
  async begin() {
    this.#hybrid.seen(await this.#shelf.get("clock"));
    await this.#progress.load();
    for (const [id, request] of await this.#shelf.all("outbox/")) {
      this.#link.ask(request, null, this.#clock.now(), { key: `outbox/${id}`, isInDoubt: true });
      if (request.type === "state") {
        this.#hybrid.seen(request.at);
        this.#sharedOf(request.sessionId).wrote(request.patch, request.at);
      }
    }
    const onHide = () => void this.#progress.flush();
    const onLoss = () => this.#wire?.check();
    this.#unwatch = watchPage(() => this.wake(), onHide, onLoss, this.#options.scope);
    this.#open();
  }

  // What the program wants.

  /**
   * @param {string} sessionId
   * @param {StartFrom} [start] by default behind what an earlier run was told
   * @returns {Promise<any>}
   */
  follow(sessionId, start) {
    const place = this.#progress.placeOf(sessionId);
    const from = start ?? (place ? { after: place } : {});
    return this.#answer((reply) => this.#link.follow({ type: "subscribe", sessionId }, from, reply, this.#clock.now()));
  }

  /**
   * @param {string} projectPath
   * @param {StartFrom} start
   * @returns {Promise<any>}
   */
  followProject(projectPath, start) {
    const request = /** @type {const} */ ({ type: "subscribe_project", projectPath });
    return this.#answer((reply) => this.#link.follow(request, start, reply, this.#clock.now()));
  }

  /** @param {string} sessionId */
  unfollow(sessionId) {
    this.#progress.drop(sessionId);
    this.#shared.delete(sessionId);
    this.#activities.delete(sessionId);
    return this.command({ type: "unsubscribe", sessionId });
  }

  /** @param {Request} request @returns {Promise<any>} */
  command(request) {
    return this.#answer((reply) => void this.#link.ask(request, reply, this.#clock.now()));
  }

  /**
   * A request that is kept until it is accepted: stored first, then written.
   *
   * @param {Request} request
   */
  say(request) {
    return this.#answer((reply) => {
      const key = `outbox/${uuid7()}`;
      const entry = this.#link.ask(request, reply, this.#clock.now(), { key, isStored: false });
      const go = () => {
        this.#clock.clearTimeout(timer);
        this.#link.outbox.stored(entry);
        this.#pump();
      };
      const timer = this.#clock.setTimeout(go, STORE_WITHIN_MS);
      void this.#shelf.set(key, request).then(go);
    });
  }

  /**
   * @param {string} sessionId
   * @param {Record<string, any>} patch
   */
  setState(sessionId, patch) {
    if (this.connection.state === "closed") return Promise.reject(closed("it was closed before"));
    const at = this.#hybrid.stamp();
    void this.#progress.ticked();
    this.#sharedOf(sessionId).wrote(patch, at);
    this.#tellShared(sessionId);
    return this.say({ type: "state", sessionId, patch, at });
  }

  /** @param {string} sessionId */
  shared(sessionId) {
    return this.#shared.get(sessionId)?.merged() ?? {};
  }

  get serverNow() {
    return this.#clock.now() + this.#serverAheadMs;
  }

  unsent() {
    return this.#link.outbox.kept();
  }

  /** @param {string} messageId */
  outlook(messageId) {
    return this.#link.outbox.outlook(messageId);
  }

  /**
   * @param {string} messageId
   * @param {string | object[]} content
   */
  rewrite(messageId, content) {
    const entry = this.#link.outbox.open(messageId);
    if (!entry) return false;
    entry.request = { ...entry.request, content };
    if (entry.key) void this.#shelf.set(entry.key, entry.request);
    return true;
  }

  /** @param {string} messageId */
  discard(messageId) {
    const entry = this.#link.outbox.open(messageId);
    if (!entry) return false;
    this.#link.outbox.take(entry.number);
    if (entry.key) void this.#shelf.delete(entry.key);
    entry.reply?.reject(new TandemError("discarded", "The message was taken back before it was sent.", { effect: "none" }));
    this.#pump();
    return true;
  }

  /**
   * @param {Request & {sessionId: string}} request
   * @param {any} cursor
   */
  activity(request, cursor) {
    this.#activities.set(request.sessionId, { request, at: this.#clock.now() });
    this.#sendNow(cursor === undefined ? request : { ...request, cursor });
  }

  /**
   * @param {string} sessionId
   * @param {number} [seq]
   */
  ack(sessionId, seq) {
    const last = this.#link.placeOf(sessionId)?.seq ?? 0;
    this.#progress.shown(sessionId, Math.min(seq ?? last, last));
  }

  wake() {
    if (this.connection.state === "waiting") this.#open();
    else this.#wire?.check();
  }

  async close() {
    const kept = this.#progress.flush();
    if (this.connection.state !== "closed") {
      this.#finish("closed", "this client closed it");
      await this.#wire?.close();
    }
    await kept;
  }

  // The connection.

  #open() {
    this.#clock.clearTimeout(this.#retryTimer);
    this.#tell({ state: "connecting" });
    const { token, deviceId, deviceName, kind } = this.#options;
    try {
      this.#wire = new Wire({
        url: this.#address.socketUrl,
        token,
        hello: { deviceId, deviceName, kind },
        WebSocket: this.#WebSocket,
        clock: this.#clock,
        onWelcome: (welcome) => this.#welcomed(welcome),
        onFrame: (frame) => this.#heard(frame),
        onEnd: (end) => void this.#lost(end),
      });
    } catch (error) {
      // The browser itself refuses an address, or a token that cannot be the name of a sub-protocol.
      this.#finish("bad_url", error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {any} welcome */
  #welcomed(welcome) {
    this.#isConnected = true;
    this.#connectedAt = this.#clock.now();
    const serverNow = Date.parse(welcome.serverTime);
    if (serverNow > 0) this.#serverAheadMs = serverNow - this.#clock.now();
    this.#link.connected(welcome.maxMessageBytes ?? Infinity);
    this.#tell({ state: "connected" });
    this.#pump();
  }

  /** @param {WireEnd} end */
  async #lost({ reason, isTerminal, wasOpen, closeCode }) {
    const now = this.#clock.now();
    if (this.#isConnected) this.#backoff.lasted(now - this.#connectedAt);
    this.#isConnected = false;
    this.#link.disconnected(now);
    if (isTerminal) {
      this.#finish(closeCode === TOKEN_REFUSED ? "unauthorized" : "closed", reason);
      return;
    }
    const retryInMs = this.#backoff.pauseMs();
    this.#retryTimer = this.#clock.setTimeout(() => this.#open(), retryInMs);
    this.#tell({ state: "waiting", reason, retryInMs });
    this.#pump();
    if (wasOpen || this.#isAskingWhy) return;
    this.#isAskingWhy = true;
    const refusal = await refusalOf(this.#fetch, this.#address, this.#options.token);
    this.#isAskingWhy = false;
    // Meanwhile another try may have come through; one that is under way would be refused as well.
    if (!refusal || this.#isConnected) return;
    this.#finish(refusal.code, refusal.message);
    void this.#wire?.close();
  }

  /**
   * @param {string} code
   * @param {string} reason
   */
  #finish(code, reason) {
    if (this.connection.state === "closed") return;
    this.#isConnected = false;
    this.#clock.clearTimeout(this.#retryTimer);
    this.#clock.clearTimeout(this.#dueTimer);
    this.#progress.close();
    this.#unwatch();
    this.#tell({ state: "closed", code, reason });
    this.#link.outbox.close(code === "closed" ? closed(reason) : new TandemError(code, reason));
  }

  /** @param {Connection} connection */
  #tell(connection) {
    this.connection = connection;
    this.emitter.emit("connection", connection);
  }

  // What goes out.

  /**
   * @param {(reply: Reply) => void} ask
   * @returns {Promise<any>}
   */
  #answer(ask) {
    if (this.connection.state === "closed") return Promise.reject(closed("it was closed before"));
    return new Promise((resolve, reject) => {
      ask({ resolve, reject });
      this.#pump();
    });
  }

  /** Writes what is due, gives up what is late, and comes back when the next thing is. */
  #pump() {
    if (this.connection.state === "closed") return;
    const { outbox } = this.#link;
    const now = this.#clock.now();
    outbox.expire(now);
    if (this.#isConnected && outbox.isStuck(now)) {
      this.#wire?.giveUp("the server does not answer");
      return;
    }
    if (this.#isConnected) {
      const { texts, refused, done } = this.#link.takeDue(now);
      for (const text of texts) this.#wire?.send(text);
      for (const entry of done) this.#settled(entry, undefined);
      this.#hand(refused);
    }
    this.#clock.clearTimeout(this.#dueTimer);
    const deadline = outbox.nextDeadline(this.#isConnected);
    if (deadline === Infinity) return;
    const ms = Math.min(Math.max(deadline - now, 0), LONGEST_TIMER_MS);
    this.#dueTimer = this.#clock.setTimeout(() => this.#pump(), ms);
  }

  /**
   * Sends what has no answer. Where the session is not followed on this connection it is left out: says whether it went.
   *
   * @param {Request & {sessionId: string}} request
   */
  #sendNow(request) {
    const isHeard = this.#isConnected && this.#link.isFlowing(request.sessionId);
    if (isHeard) this.#wire?.send(request);
    return isHeard;
  }

  // What comes in.

  /** @param {any} frame */
  #heard(frame) {
    const { news, done } = this.#link.heard(frame, this.#clock.now());
    const isEvent = frame.type === "event" && news.length > 0;
    const isBeginning = frame.type === "subscribed" && this.#link.placeOf(frame.sessionId) !== null;
    if (isBeginning) this.#begun(frame);
    if (isEvent) this.#happened(frame);
    this.#hand(news);
    if (isEvent || isBeginning) this.#told(frame.sessionId);
    if (isBeginning || (isEvent && frame.kind === "state_changed")) this.#tellShared(frame.sessionId);
    if (done) this.#settled(done, frame);
    this.#pump();
  }

  /** @param {News[]} news */
  #hand(news) {
    for (const { name, detail } of news) {
      if (name === "ended" && detail.sessionId) this.#progress.drop(detail.sessionId);
      this.emitter.emit(name, detail);
    }
  }

  /** @param {any} subscribed */
  #begun({ sessionId, head, state }) {
    const shared = state?.shared ?? {};
    for (const { at } of Object.values(shared)) this.#hybrid.seen(at);
    this.#sharedOf(sessionId).begin(shared, head);
    // The server has forgotten with the connection what this device does, and an ack may have been lost with it.
    // It takes whoever comes for viewing: only what is true still and says something else is said again.
    const said = this.#activities.get(sessionId);
    const holds = HOLDS_MS[said?.request.activity] ?? Number.POSITIVE_INFINITY;
    if (said && this.#clock.now() < said.at + holds) this.#sendNow(said.request);
    this.#progress.began(sessionId);
  }

  /** @param {any} event */
  #happened({ sessionId, seq, at, kind, data }) {
    this.#hybrid.seenWall(at);
    if (kind !== "state_changed") return;
    this.#hybrid.seen(data.at);
    this.#sharedOf(sessionId).changed(seq, data);
  }

  /** @param {string} sessionId */
  #told(sessionId) {
    const place = this.#link.placeOf(sessionId);
    if (!place) return;
    this.#progress.told(sessionId, place);
    if (this.#options.acks ?? true) this.#progress.shown(sessionId, place.seq);
  }

  /**
   * A request is answered for good.
   *
   * @param {Entry} entry
   * @param {any} frame
   */
  #settled({ request, key }, frame) {
    if (!isKept(request)) return;
    if (key) void this.#shelf.delete(key);
    if (request.type !== "state" || request.sessionId === undefined) return;
    const shared = this.#sharedOf(request.sessionId);
    // The server's own stamp, where ours was too far ahead.
    this.#hybrid.seen(frame?.at);
    if (frame?.type === "ok") shared.confirmed(request.at, frame.seq);
    else shared.refused(request.at);
    this.#tellShared(request.sessionId);
  }

  /** @param {string} sessionId */
  #sharedOf(sessionId) {
    const shared = this.#shared.get(sessionId) ?? new SharedState();
    this.#shared.set(sessionId, shared);
    return shared;
  }

  /** @param {string} sessionId */
  #tellShared(sessionId) {
    this.emitter.emit("shared", { sessionId, shared: this.shared(sessionId) });
  }
}
