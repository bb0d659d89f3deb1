// One connection: the handshake, frames in both directions, and the watch over its silence.

/** How long connecting may take, up to `welcome`. */
const CONNECT_WITHIN_MS = 10_000;

/** How long the answer to a `ping` may take on a connection that has gone quiet. */
const PONG_WITHIN_MS = 10_000;

/** A browser does not show the server's pings to a page: after so many heartbeats without a frame the client asks. */
const QUIET_HEARTBEATS = 1.5;

/** How long a server may take to say goodbye to us. */
const CLOSE_WITHIN_MS = 1_000;

/** `ref` of the pings that the connection sends by itself; the client's own are numbers. */
const PING_REF = "alive";

const PROTOCOL = 1;

/**
 * Time, as the client needs it.
 *
 * @typedef {{now(): number, setTimeout(work: () => void, ms: number): any, clearTimeout(timer: any): void}} Clock
 */

/**
 * Why a connection is over. `isTerminal`: connecting again makes no sense until a person acts; `closeCode` says why. `wasOpen`:
 * the server has taken the upgrade.
 *
 * @typedef {{reason: string, isTerminal: boolean, wasOpen: boolean, closeCode?: number}} WireEnd
 */

/**
 * @typedef {object} WireOptions
 * @property {string} url
 * @property {string} token
 * @property {Record<string, unknown>} hello the fields of the introduction
 * @property {typeof globalThis.WebSocket} WebSocket
 * @property {Clock} clock
 * @property {(welcome: any) => void} onWelcome
 * @property {(frame: any) => void} onFrame
 * @property {(end: WireEnd) => void} onEnd once
 */

/** See the module. */
export class Wire {
  #options;
  #clock;
  /** @type {WebSocket} */
  #socket;
  #quietMs = Infinity;
  /** @type {any} */
  #timer = null;
  #wasOpen = false;
  #isWelcome = false;
  #isOver = false;
  /** The server's last words, for the end that follows them. */
  #goodbye = "";

  /** @param {WireOptions} options */
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock;
    this.#socket = new options.WebSocket(options.url, ["tandem.v1", `bearer.${options.token}`]);
    this.#socket.onopen = () => {
      this.#wasOpen = true;
      this.send({ type: "hello", protocol: PROTOCOL, ...options.hello });
    };
    this.#socket.onmessage = (message) => this.#heard(message.data);
    this.#socket.onclose = (close) => this.#closed(close.code, close.reason);
    // Of a socket that was open the close follows, and says more; of others the WebSocket of Node 20 tells no close.
    this.#socket.onerror = () => {
      if (!this.#wasOpen) this.#end("it could not be opened");
    };
    this.#within(CONNECT_WITHIN_MS, () => this.#end(`nothing came for ${CONNECT_WITHIN_MS / 1000} s`));
  }

  /** @param {object | string} frame */
  send(frame) {
    if (this.#socket.readyState !== 1) return;
    this.#socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Asks for a sign of life now; without one the connection is given up. */
  check() {
    if (!this.#isWelcome || this.#isOver) return;
    this.send({ type: "ping", ref: PING_REF });
    this.#within(PONG_WITHIN_MS, () => this.#end("the server does not answer"));
  }

  /** Gives the connection up: it is of no use. @param {string} reason */
  giveUp(reason) {
    this.#end(reason);
  }

  /** Says goodbye. Returns when the server has, which shows that everything before has arrived, or a moment later. */
  async close() {
    if (this.#isOver) return;
    this.#isOver = true;
    await new Promise((resolve) => {
      this.#socket.onclose = () => resolve(undefined);
      this.#socket.onmessage = null;
      this.#within(CLOSE_WITHIN_MS, () => resolve(undefined));
      this.#socket.close(1000);
    });
    this.#clock.clearTimeout(this.#timer);
  }

  /** @param {unknown} text */
  #heard(text) {
    let frame;
    try {
      frame = JSON.parse(String(text));
    } catch {
      // It may have been an event: that shows as a gap, which is closed again.
      return;
    }
    if (this.#isWelcome) this.#watchSilence();
    if (frame.type === "goodbye") this.#goodbye = String(frame.reason ?? "");
    else if (frame.type === "welcome") this.#welcomed(frame);
    else if (this.#isWelcome && frame.ref !== PING_REF) this.#options.onFrame(frame);
    else if (!this.#isWelcome && frame.type === "error") this.#goodbye = String(frame.error?.message ?? "");
  }

  /** @param {any} welcome */
  #welcomed(welcome) {
    this.#isWelcome = true;
    this.#quietMs = Math.max(welcome.heartbeatSeconds ?? 30, 1) * 1_000 * QUIET_HEARTBEATS;
    this.#watchSilence();
    this.#options.onWelcome(welcome);
  }

  #watchSilence() {
    this.#within(this.#quietMs, () => this.check());
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    const isTerminal = code >= 4500 && code <= 4999;
    const words = code === 1006 ? "it was lost" : `close code ${code}`;
    this.#end(this.#goodbye || reason || words, isTerminal, code);
  }

  /**
   * @param {string} reason
   * @param {boolean} [isTerminal]
   * @param {number} [closeCode]
   */
  #end(reason, isTerminal = false, closeCode = undefined) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#clock.clearTimeout(this.#timer);
    // A browser waits long for a peer that is gone; what still comes of it is of no interest.
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = this.#socket.onerror = null;
    this.#socket.close();
    this.#options.onEnd({ reason, isTerminal, wasOpen: this.#wasOpen, closeCode });
  }

  /**
   * Replaces the one thing that is waited for.
   *
   * @param {number} ms
   * @param {() => void} work
   */
  #within(ms, work) {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(work, ms);
  }
}
