// How far this device has got: told to the server as acks, and kept over a reload, both in batches.

/** @typedef {import("./cursor.js").Place} Place */
/** @typedef {import("./storage.js").Shelf} Shelf */
/** @typedef {import("./wire.js").Clock} Clock */

/** Long enough that a burst of events costs one ack and one write, short enough that others see who has read what. */
const BATCH_MS = 500;

/** See the module. */
export class Progress {
  #clock;
  #shelf;
  #lastStamp;
  #sendAck;
  /** The places behind the last events that the program was told. @type {Map<string, Place>} */
  #places = new Map();
  /** Sessions whose place is not stored yet. @type {Set<string>} */
  #unstored = new Set();
  /** What was shown. @type {Map<string, number>} */
  #shown = new Map();
  /** What the server was told of it on this connection. @type {Map<string, number>} */
  #acked = new Map();
  #storedStamp = "";
  /** @type {any} */
  #timer = null;
  #isClosed = false;

  /**
   * @param {Clock} clock
   * @param {Shelf} shelf
   * @param {() => string} lastStamp the latest time of the device's hybrid clock
   * @param {(sessionId: string, seq: number) => boolean} sendAck says whether it went
   */
  constructor(clock, shelf, lastStamp, sendAck) {
    this.#clock = clock;
    this.#shelf = shelf;
    this.#lastStamp = lastStamp;
    this.#sendAck = sendAck;
  }

  /** Reads what an earlier run has kept. */
  async load() {
    this.#places = new Map(await this.#shelf.all("cursor/"));
  }

  /** @param {string} sessionId */
  placeOf(sessionId) {
    return this.#places.get(sessionId) ?? null;
  }

  /**
   * The program was told the event at this place. What is kept may be a batch older, and is never newer.
   *
   * @param {string} sessionId
   * @param {Place} place
   */
  told(sessionId, place) {
    this.#places.set(sessionId, place);
    this.#unstored.add(sessionId);
    this.#soon();
  }

  /**
   * Everything up to this event was shown.
   *
   * @param {string} sessionId
   * @param {number} seq
   */
  shown(sessionId, seq) {
    this.#shown.set(sessionId, seq);
    this.#soon();
  }

  /** A stamp was given out: the clock must not fall behind it, whatever happens. */
  ticked() {
    this.#storedStamp = this.#lastStamp();
    return this.#shelf.set("clock", this.#storedStamp);
  }

  /**
   * A session's stream has begun. What was told on another connection may be lost: saying it twice is saying it once.
   *
   * @param {string} sessionId
   */
  began(sessionId) {
    this.#acked.delete(sessionId);
    this.#soon();
  }

  /** @param {string} sessionId */
  drop(sessionId) {
    this.#unstored.delete(sessionId);
    this.#shown.delete(sessionId);
  }

  /** Tells and keeps everything now; returns when it is kept. */
  async flush() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    for (const [sessionId, seq] of this.#shown) {
      if (seq === 0 || this.#acked.get(sessionId) === seq) continue;
      if (this.#sendAck(sessionId, seq)) this.#acked.set(sessionId, seq);
    }
    const keeping = [...this.#unstored].map((id) => this.#shelf.set(`cursor/${id}`, this.#places.get(id)));
    this.#unstored.clear();
    if (this.#lastStamp() !== this.#storedStamp) keeping.push(this.ticked());
    await Promise.all(keeping);
  }

  /** Nothing more is to be done by itself. */
  close() {
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#timer);
  }

  #soon() {
    if (this.#isClosed || this.#timer !== null) return;
    this.#timer = this.#clock.setTimeout(() => void this.flush(), BATCH_MS);
  }
}
