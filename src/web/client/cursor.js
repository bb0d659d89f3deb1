// Where a device stands in one session's history, and which events it takes: those with seq last + 1. Pure.

/**
 * The place behind one event: its seq, the history that it belongs to, and its hash where that is known.
 *
 * @typedef {{epoch: string, seq: number, hash: string | null}} Place
 */

/**
 * From where to follow a session: behind an event, behind no event (`after: 0`), or so many of the newest.
 *
 * @typedef {{after: number | Place} | {tail: number} | {}} StartFrom
 */

/** See the module. */
export class Cursor {
  /** @type {StartFrom} */
  #start;
  /** @type {Place | null} */
  #held = null;
  /** A `subscribe` has been asked for; events before its answer belong to the stream that it replaces. */
  isAnswerAwaited = true;
  /** The number of the request whose answer counts. */
  asked = 0;

  /** @param {StartFrom} start */
  constructor(start) {
    this.#start = start;
  }

  /** The place behind the last event that was applied; none before the first answer. */
  get place() {
    return this.#held;
  }

  /** The fields of a `subscribe` that say where to start. */
  wanted() {
    const place = this.#held ?? ("after" in this.#start ? this.#start.after : null);
    if (typeof place === "number") return { after: place };
    if (place) return { after: place.seq, epoch: place.epoch, ...(place.hash ? { hash: place.hash } : {}) };
    return "tail" in this.#start ? { tail: this.#start.tail } : {};
  }

  /** The stream is asked for again; what is still under way of the old one does not count. */
  askedAgain() {
    this.isAnswerAwaited = true;
  }

  /**
   * Takes in the answer to a `subscribe`, and says what it means for what was applied so far: there was nothing, it goes
   * on, or it must be dropped.
   *
   * @param {{epoch: string, from: number, reset?: boolean}} answer
   * @returns {"first" | "resumed" | "reset"}
   */
  subscribed({ epoch, from, reset = false }) {
    this.isAnswerAwaited = false;
    const held = this.#held ?? this.#kept();
    const joins = held !== null && !reset && held.epoch === epoch && from <= held.seq + 1;
    if (joins) {
      this.#held = held;
      return "resumed";
    }
    this.#held = { epoch, seq: from - 1, hash: null };
    return held === null && !reset ? "first" : "reset";
  }

  /**
   * Decides on an event, and steps forward when it is the next one. `drop`: it was applied before, or belongs to a stream
   * that has been replaced. `resubscribe`: something before it is missing.
   *
   * @param {number} seq
   * @param {string} hash
   * @returns {"apply" | "drop" | "resubscribe"}
   */
  event(seq, hash) {
    if (!this.#held || this.isAnswerAwaited || seq <= this.#held.seq) return "drop";
    if (seq !== this.#held.seq + 1) return "resubscribe";
    this.#held = { epoch: this.#held.epoch, seq, hash };
    return "apply";
  }

  /** What an earlier run held. */
  #kept() {
    const after = "after" in this.#start ? this.#start.after : 0;
    return typeof after === "number" ? null : after;
  }
}
