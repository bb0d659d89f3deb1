// A client of a Tandem server that keeps its word: what it was given to say is said once, and what it hears is whole.
//
// It speaks docs/protocol.md over one WebSocket, in browsers and in Node, and needs nothing else:
// - a message has an id of its own and is sent again until the server has it on disk or refuses it, over reloads too;
// - of each session it hears every event once, in order: duplicates are dropped, gaps closed by asking again;
// - a lost connection is got back with growing, random pauses, and every stream goes on where it was.
//
//   const client = await connect({ url, token, deviceId: "tab-1", storage: webStorage() });
//   client.on("event", ({ sessionId, seq, kind, data }) => show(data));
//   client.on("reset", ({ sessionId, state }) => startOver(state));
//   await client.subscribe(sessionId, { tail: 100 });
//   await client.submit(sessionId, "run the tests");

import { Address, createSession } from "./client/address.js";
import { Driver } from "./client/driver.js";
import { TandemError } from "./client/errors.js";
import { memoryStorage, webStorage } from "./client/storage.js";
import { uuid7 } from "./client/uuid.js";

export { memoryStorage, TandemError, webStorage };

/** @typedef {import("./client/address.js").NewSession} NewSession */
/** @typedef {import("./client/backoff.js").BackoffPolicy} BackoffPolicy */
/** @typedef {import("./client/cursor.js").StartFrom} StartFrom */
/** @typedef {import("./client/storage.js").KeyValues} KeyValues */
/** @typedef {import("./client/wire.js").Clock} Clock */

/**
 * How to reach a server, and as whom.
 *
 * @typedef {object} Options
 * @property {string} url `http://host:port`, or `https://…`
 * @property {string} token the server's token
 * @property {string} deviceId this device, chosen by itself and kept
 * @property {string} [deviceName] what its owner calls it
 * @property {string} [kind] `phone`, `browser`, `terminal`, `script`, …
 * @property {KeyValues} [storage] what survives a reload; by default nothing does
 * @property {boolean} [acks] whether to tell the server by itself what was shown (true)
 * @property {number} [answerWithinMs] how long a command may be without an answer
 * @property {Partial<BackoffPolicy>} [backoff] pauses between tries to connect
 * @property {typeof globalThis.WebSocket} [WebSocket]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {Clock} [clock]
 * @property {any} [scope] the window whose wake-ups count
 */

/**
 * Where the connection is. `waiting`: lost, and tried again in so many milliseconds. `closed`: over for good; `code` says
 * whether the token was wrong (`unauthorized`).
 *
 * @typedef {{state: "connecting" | "connected"} | {state: "waiting", reason: string, retryInMs: number}
 *   | {state: "closed", code: string, reason: string}} Connection
 */

/**
 * Reads what an earlier run of this device has left, and begins to connect. The connection need not be there: what is said
 * before goes out when it is.
 *
 * @param {Options} options
 * @returns {Promise<Client>}
 */
export async function connect(options) {
  const driver = new Driver(options);
  await driver.begin();
  return new Client(options, driver);
}

/**
 * A connection that is kept. Tells, by `on`:
 * - `connection`: a {@link Connection}, whenever it changes;
 * - `event`: the next event of a session, `{sessionId, seq, hash, at, kind, data}`;
 * - `signal`: a passing hint, `{sessionId, kind, data}`;
 * - `reset`: the server has another history of a session, drop what is shown of it; `{sessionId, epoch, head, from, state}`;
 * - `resumed`: a session's stream goes on behind the last event; the same fields;
 * - `ended`: a session or a project can be followed no more, `{sessionId, error}` or `{projectPath, error}`;
 * - `project_event`, `project_reset`, `project_resumed`: the same of a project, with `projectPath`, and its signals as `signal`;
 * - `shared`: a session's shared state looks different now, `{sessionId, shared}`;
 * - `session_list`, `session_summary`: the list that is watched, after a reconnect, and its changes;
 * - `accepted`, `rejected`, `postponed`: what became of a message or a patch, also of those of an earlier run;
 * - `notice`: somebody has something to say, `{noticeId, from, message, at}`; one that comes again is not told again;
 * - `error`: a {@link TandemError} that belongs to no command.
 */
export class Client {
  #options;
  #driver;

  /**
   * Use {@link connect}.
   *
   * @param {Options} options
   * @param {Driver} driver
   */
  constructor(options, driver) {
    this.#options = options;
    this.#driver = driver;
  }

  /**
   * Adds a listener; what it returns takes the listener away again.
   *
   * @param {string} name
   * @param {(detail: any) => void} listener
   */
  on(name, listener) {
    return this.#driver.emitter.on(name, listener);
  }

  /** Where the connection is now. */
  get connection() {
    return this.#driver.connection;
  }

  /** The time by the server's clock, as far as it is known, in milliseconds since 1970. */
  get serverNow() {
    return this.#driver.serverNow;
  }

  /**
   * What this device has said and the server has not accepted yet, the oldest first: `submit` and `state` requests.
   *
   * @param {string} [sessionId] of this session alone
   */
  unsent(sessionId) {
    const requests = this.#driver.unsent();
    return sessionId === undefined ? requests : requests.filter((request) => request.sessionId === sessionId);
  }

  /**
   * Begins a session and answers with its id. Goes over HTTP; it is not repeated.
   *
   * @param {NewSession} session
   */
  async createSession(session) {
    const { url, token, deviceId, fetch = globalThis.fetch } = this.#options;
    return createSession(fetch, new Address(url), token, { ...session, deviceId });
  }

  /**
   * Follows a session over all reconnects: its events come as `event`. Without `start` it goes on behind the last event that
   * an earlier run of this device was told, else with the 100 newest. One that is followed already starts over.
   *
   * @param {string} sessionId
   * @param {StartFrom} [start]
   * @returns {Promise<{sessionId: string, epoch: string, head: number, from: number, reset: boolean, state: any}>}
   */
  subscribe(sessionId, start) {
    return this.#driver.follow(sessionId, start);
  }

  /**
   * Follows a session no more; the device stays linked to it.
   *
   * @param {string} sessionId
   */
  async unsubscribe(sessionId) {
    await this.#driver.unfollow(sessionId);
  }

  /**
   * Follows a project over all reconnects: its events come as `project_event`. Without `start` from the newest ones on; where
   * it stands is not kept over reloads. The answer, as `project_reset` and `project_resumed`, has the project as it is:
   * `locks`, `conflicts` and `sessions`.
   *
   * @param {string} projectPath
   * @param {StartFrom} [start]
   * @returns {Promise<{projectPath: string, epoch: string, head: number, from: number, reset: boolean, locks: any[],
   *   conflicts: any[], sessions: any[]}>} `projectPath` is the one that its events carry
   */
  subscribeProject(projectPath, start = {}) {
    return this.#driver.followProject(projectPath, start);
  }

  /** Follows a project no more. @param {string} projectPath */
  async unsubscribeProject(projectPath) {
    await this.#driver.command({ type: "unsubscribe_project", projectPath });
  }

  /** Follows the list of sessions: answers with it; changes come as `session_summary`. @returns {Promise<any[]>} */
  async watch() {
    const { sessions } = await this.#driver.command({ type: "watch" });
    return sessions;
  }

  /**
   * Says something. Waits, over all reconnects, until the server has it on disk or refuses it for good.
   *
   * @param {string} sessionId
   * @param {string | object[]} content text, or content blocks
   * @param {{messageId?: string, mode?: "queue" | "now"}} [more]
   * @returns {Promise<{messageId: string, seq: number, duplicate: boolean}>}
   */
  submit(sessionId, content, { messageId = uuid7(), mode = "queue" } = {}) {
    return this.#driver.say({ type: "submit", sessionId, content, messageId, mode });
  }

  /**
   * What is known of a message in {@link Client.unsent}: `problem`, why the server has not taken it yet, and `isOpen`, whether
   * it can still be changed. One that was written may have come through, also when no answer did; so may one of an earlier
   * run.
   *
   * @param {string} messageId
   * @returns {{problem: TandemError | null, isOpen: boolean} | undefined}
   */
  outlook(messageId) {
    return this.#driver.outlook(messageId);
  }

  /**
   * Lets a message that is still open say something else, at its place among the others. Says whether it does.
   *
   * @param {string} messageId
   * @param {string | object[]} content
   */
  rewrite(messageId, content) {
    return this.#driver.rewrite(messageId, content);
  }

  /**
   * Takes a message back that is still open; whoever waits for it is told `discarded`. Says whether it is gone.
   *
   * @param {string} messageId
   */
  discard(messageId) {
    return this.#driver.discard(messageId);
  }

  /**
   * Writes into the session's shared state: keys with values, null takes a key away. Shown by {@link Client.shared} at once;
   * waits as {@link Client.submit} does.
   *
   * @param {string} sessionId
   * @param {Record<string, any>} patch
   * @returns {Promise<{seq: number, at: string}>}
   */
  setState(sessionId, patch) {
    return this.#driver.setState(sessionId, patch);
  }

  /**
   * The shared state of a session that is followed, with what this device has written and the server has not confirmed.
   *
   * @param {string} sessionId
   */
  shared(sessionId) {
    return this.#driver.shared(sessionId);
  }

  // Commands that are not repeated. When the connection ends before the answer they fail with `lost`: they may have been done.

  /**
   * Any other command of docs/protocol.md, for instance `lock_request`; answers with the fields of its direct answer.
   *
   * @param {{type: string, [field: string]: any}} request
   * @returns {Promise<any>}
   */
  command(request) {
    return this.#driver.command(request);
  }

  /**
   * Ends the running turn, and with `cancelQueued` takes back everything that waits.
   *
   * @param {string} sessionId
   * @param {{cancelQueued?: boolean}} [more]
   */
  async interrupt(sessionId, { cancelQueued = false } = {}) {
    await this.#driver.command({ type: "interrupt", sessionId, cancelQueued });
  }

  /**
   * Answers the agent's question; `already_resolved` when somebody was faster.
   *
   * @param {string} sessionId
   * @param {string} requestId
   * @param {{decision: "allow", updatedInput?: any, scope?: "once" | "session"} | {decision: "deny", message?: string}} verdict
   */
  async approve(sessionId, requestId, verdict) {
    await this.#driver.command({ type: "approve", sessionId, requestId, ...verdict });
  }

  /**
   * Takes a queued message back; `not_queued` when its turn has begun.
   *
   * @param {string} sessionId
   * @param {string} messageId
   */
  async cancel(sessionId, messageId) {
    await this.#driver.command({ type: "cancel", sessionId, messageId });
  }

  /**
   * Lets a queued message say something else.
   *
   * @param {string} sessionId
   * @param {string} messageId
   * @param {string | object[]} content
   */
  async edit(sessionId, messageId, content) {
    await this.#driver.command({ type: "edit", sessionId, messageId, content });
  }

  /**
   * Puts a queued message in front of another, or last.
   *
   * @param {string} sessionId
   * @param {string} messageId
   * @param {string | null} before
   */
  async move(sessionId, messageId, before) {
    await this.#driver.command({ type: "move", sessionId, messageId, before });
  }

  /** Lets a session live on; answers until when. @param {string} sessionId @returns {Promise<string | undefined>} */
  async keepAlive(sessionId) {
    const { expiresAt } = await this.#driver.command({ type: "keep_alive", sessionId });
    return expiresAt;
  }

  /**
   * Hands the lead over to a device that is linked to the session, and with it the draft.
   *
   * @param {string} sessionId
   * @param {string} toDeviceId
   */
  async handoff(sessionId, toDeviceId) {
    await this.#driver.command({ type: "handoff", sessionId, toDeviceId });
  }

  /**
   * Sends a short word to devices, beside all conversations; `exclude`: who of them is not meant.
   *
   * @param {{deviceId: string} | {userId: string} | {sessionId: string} | {all: true}} to
   * @param {string} message
   * @param {{exclude?: string | string[]}} [more]
   * @returns {Promise<{delivered: number, waiting: number}>}
   */
  async notify(to, message, { exclude } = {}) {
    return this.#driver.command({ type: "notify", to, message, ...(exclude === undefined ? {} : { exclude }) });
  }

  /**
   * Ends the link of a device to a session; of this one by default.
   *
   * @param {string} sessionId
   * @param {string} [deviceId]
   */
  async unlink(sessionId, deviceId) {
    await this.#driver.command({ type: "unlink", sessionId, ...(deviceId === undefined ? {} : { deviceId }) });
  }

  /** Asks for a sign of life; answers with the server's time. @returns {Promise<string>} */
  async ping() {
    const { serverTime } = await this.#driver.command({ type: "ping" });
    return serverTime;
  }

  // What has no answer.

  /**
   * Says what the person does here, and where their cursor is, in a session that is followed. Said again after a reconnect,
   * without the cursor.
   *
   * @param {string} sessionId
   * @param {"viewing" | "typing" | "idle" | "away"} activity
   * @param {any} [cursor] any JSON up to 4 KiB
   */
  activity(sessionId, activity, cursor) {
    this.#driver.activity({ type: "activity", sessionId, activity }, cursor);
  }

  /**
   * Says that everything up to an event was shown; by default up to the last one that was told. Goes out in batches.
   *
   * @param {string} sessionId
   * @param {number} [seq]
   */
  ack(sessionId, seq) {
    this.#driver.ack(sessionId, seq);
  }

  /** Tries at once, for whoever knows that the network is back; a connection that is there is asked for a sign of life. */
  wake() {
    this.#driver.wake();
  }

  /**
   * Ends the connection. What is not accepted yet fails with `closed` here, and stays in the storage for the next run.
   */
  async close() {
    await this.#driver.close();
  }
}
