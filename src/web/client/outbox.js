// What was asked and has no answer yet: what to write, what to write again, and when to give up. Pure.
//
//   asked ──▶ stored ──▶ waits ──due──▶ written ──answer──▶ gone
//                          ▲               │ connection lost, "effect unknown", or "retry after"
//                          └──repeatable───┤
//                                          └──not repeatable──▶ failed: it may have been done

import { TandemError } from "./errors.js";

/** Doing these twice is the same as doing them once: a message has an id of its own, a patch its stamp. */
const REPEATABLE = new Set(["submit", "state", "subscribe", "unsubscribe", "subscribe_project", "unsubscribe_project", "watch"]);

/** Those of them that survive the program: they are somebody's words. */
const KEPT = new Set(["submit", "state"]);

/**
 * A frame to be written, without its `ref`.
 *
 * @typedef {{type: string, sessionId?: string, [field: string]: any}} Request
 */

/**
 * Where the outcome of a request goes; nobody waits for those that the client makes by itself.
 *
 * @typedef {{resolve: (answer: any) => void, reject: (error: TandemError) => void}} Reply
 */

/**
 * A request without an answer. `key` is its place in the device's storage; `giveUpAt` is infinite for what is repeated.
 *
 * @typedef {object} Entry
 * @property {number} number
 * @property {Request} request
 * @property {Reply | null} reply
 * @property {string | null} key
 * @property {"storing" | "waiting" | "written"} place
 * @property {number} notBefore
 * @property {number} answerBy
 * @property {number} giveUpAt
 * @property {boolean} isInDoubt it has been written, so that the server may have it
 * @property {TandemError | null} problem why it was put back last
 */

/** @param {Request} request */
export function isKept(request) {
  return KEPT.has(request.type);
}

/** See the module. Requests keep the order in which they were asked, also when they are written again. */
export class Outbox {
  #answerWithinMs;
  #nextNumber = 1;
  /** @type {Map<number, Entry>} */
  #entries = new Map();

  /** @param {number} answerWithinMs */
  constructor(answerWithinMs) {
    this.#answerWithinMs = answerWithinMs;
  }

  /**
   * Adds a request. One with a `key` that is not stored yet is written only after {@link Outbox.stored}.
   *
   * @param {Request} request
   * @param {Reply | null} reply
   * @param {number} now
   * @param {{key?: string | null, isStored?: boolean, isInDoubt?: boolean}} [storage]
   * @returns {Entry}
   */
  add(request, reply, now, { key = null, isStored = true, isInDoubt = false } = {}) {
    const giveUpAt = REPEATABLE.has(request.type) ? Infinity : now + this.#answerWithinMs;
    const place = isStored ? "waiting" : "storing";
    const number = this.#nextNumber++;
    /** @type {Entry} */
    const entry = { number, request, reply, key, place, notBefore: now, answerBy: Infinity, giveUpAt, isInDoubt, problem: null };
    this.#entries.set(number, entry);
    return entry;
  }

  /** @param {Entry} entry */
  stored(entry) {
    if (entry.place === "storing") entry.place = "waiting";
  }

  /**
   * What is to be written now; it counts as written from here on.
   *
   * @param {number} now
   * @returns {Entry[]}
   */
  takeDue(now) {
    const due = [];
    const isHeld = holder();
    for (const entry of this.#sorted()) {
      if (entry.place === "storing") break;
      if (isHeld(entry.request) || entry.place !== "waiting" || entry.notBefore > now) continue;
      entry.place = "written";
      entry.answerBy = now + this.#answerWithinMs;
      due.push(entry);
    }
    return due;
  }

  /**
   * Takes out a request because it has been answered, or never will be.
   *
   * @param {number} number
   */
  take(number) {
    const entry = this.#entries.get(number);
    this.#entries.delete(number);
    return entry;
  }

  /**
   * Puts a request back that is to be written again.
   *
   * @param {Entry} entry
   * @param {number} notBefore
   */
  putBack(entry, notBefore) {
    this.#entries.set(entry.number, Object.assign(entry, { place: "waiting", notBefore, answerBy: Infinity }));
  }

  /**
   * The connection is gone: what can be repeated waits for the next one, the rest has failed.
   *
   * @param {number} now
   */
  disconnected(now) {
    for (const entry of this.#sorted()) {
      if (entry.place !== "written") continue;
      if (entry.giveUpAt === Infinity) {
        entry.isInDoubt = true;
        this.putBack(entry, now);
        continue;
      }
      this.#entries.delete(entry.number);
      const lost = "The connection was lost before the answer came; the command may have been done.";
      entry.reply?.reject(new TandemError("lost", lost));
    }
  }

  /**
   * Gives up what has waited too long.
   *
   * @param {number} now
   */
  expire(now) {
    for (const entry of this.#sorted()) {
      if (entry.giveUpAt > now) continue;
      this.#entries.delete(entry.number);
      const late = `The server did not answer within ${this.#answerWithinMs / 1000} s; the command may have been done.`;
      entry.reply?.reject(new TandemError("no_answer", late));
    }
  }

  /**
   * Whether something that is repeated was written and not answered in time: the connection is of no use.
   *
   * @param {number} now
   */
  isStuck(now) {
    return this.#sorted().some((entry) => entry.giveUpAt === Infinity && entry.answerBy <= now);
  }

  /**
   * When something is to be done next without anybody asking. Without a connection nothing can be written.
   *
   * @param {boolean} isConnected
   */
  nextDeadline(isConnected) {
    let deadline = Infinity;
    const isHeld = holder();
    for (const entry of this.#sorted()) {
      deadline = Math.min(deadline, entry.giveUpAt);
      // One that is held becomes due by the answer to another, and by no clock.
      if (isHeld(entry.request) || !isConnected || entry.place === "storing") continue;
      deadline = Math.min(deadline, entry.place === "waiting" ? entry.notBefore : entry.answerBy);
    }
    return deadline;
  }

  /**
   * The requests without an answer that are somebody's words, the oldest first.
   *
   * @returns {Request[]}
   */
  kept() {
    return this.#sorted().map((entry) => entry.request).filter(isKept);
  }

  /**
   * What is known of a message that is not accepted: `problem` says why it was put back, `isOpen` whether it can still be
   * changed, because the server cannot have it.
   *
   * @param {string} messageId
   * @returns {{problem: TandemError | null, isOpen: boolean} | undefined}
   */
  outlook(messageId) {
    const entry = this.#messageOf(messageId);
    return entry && { problem: entry.problem, isOpen: isOpen(entry) };
  }

  /**
   * The entry of a message that the server cannot have, to be changed or taken out.
   *
   * @param {string} messageId
   */
  open(messageId) {
    const entry = this.#messageOf(messageId);
    return entry && isOpen(entry) ? entry : undefined;
  }

  /** @param {string} messageId */
  #messageOf(messageId) {
    return this.#sorted().find(({ request }) => request.type === "submit" && request.messageId === messageId);
  }

  /**
   * Whether a request of this sort has no answer yet.
   *
   * @param {(request: Request) => boolean} isSort
   */
  has(isSort) {
    return this.#sorted().some((entry) => isSort(entry.request));
  }

  /**
   * Drops what nobody asked for.
   *
   * @param {(request: Request) => boolean} isSort
   */
  forget(isSort) {
    for (const entry of this.#sorted()) {
      if (entry.reply === null && isSort(entry.request)) this.#entries.delete(entry.number);
    }
  }

  /**
   * Nothing will be answered any more. What is kept stays in the storage.
   *
   * @param {TandemError} error
   */
  close(error) {
    const entries = this.#sorted();
    this.#entries.clear();
    for (const entry of entries) entry.reply?.reject(error);
  }

  #sorted() {
    return [...this.#entries.values()].sort((one, other) => one.number - other.number);
  }
}

/** @param {Entry} entry */
function isOpen({ place, isInDoubt }) {
  return place === "waiting" && !isInDoubt;
}

/**
 * Tells of each request, in order, whether it is behind another one.
 *
 * Messages of one session go one by one: were the second written before the answer to the first, the first could be
 * refused for now and the second not. A message that goes first in any case waits for nobody.
 *
 * @returns {(request: Request) => boolean}
 */
function holder() {
  /** @type {Set<string | undefined>} */
  const busy = new Set();
  return ({ type, mode, sessionId }) => {
    if (type !== "submit" || mode === "now") return false;
    const isHeld = busy.has(sessionId);
    busy.add(sessionId);
    return isHeld;
  };
}
