// The shared state of one session as this device shows it: what the server holds, and on top what this device has written
// and the server has not confirmed yet. Pure.

import { isLater } from "./hybrid.js";

/**
 * A value, when and by whom it was written.
 *
 * @typedef {{value: any, at: string, by: unknown}} Shared
 */

/**
 * A patch that is not confirmed. `seq`: the server has it, in an event that was not seen yet.
 *
 * @typedef {{patch: Record<string, any>, at: string, seq: number | null}} Pending
 */

/** See the module. */
export class SharedState {
  /** @type {Map<string, Shared>} */
  #confirmed = new Map();
  /** Up to this event the confirmed state is known. */
  #head = 0;
  /** @type {Pending[]} */
  #pending = [];

  /**
   * Takes in the state as of an event, from the answer to a `subscribe`.
   *
   * @param {Record<string, Shared>} shared
   * @param {number} head
   */
  begin(shared, head) {
    this.#confirmed = new Map(Object.entries(shared));
    this.#head = head;
    this.#forgetSeen();
  }

  /**
   * Takes in a `state_changed`; its patch holds only the keys that won. Says whether it was news.
   *
   * @param {number} seq
   * @param {{patch: Record<string, any>, at: string, by?: unknown}} change
   */
  changed(seq, { patch, at, by }) {
    // The state that a stream begins with knows the events up to its head, and they come all the same.
    if (seq <= this.#head) return false;
    this.#head = seq;
    for (const [key, value] of Object.entries(patch)) {
      if (value === null) this.#confirmed.delete(key);
      else this.#confirmed.set(key, { value, at, by });
    }
    this.#forgetSeen();
    return true;
  }

  /**
   * This device has written something.
   *
   * @param {Record<string, any>} patch
   * @param {string} at
   */
  wrote(patch, at) {
    this.#pending.push({ patch, at, seq: null });
  }

  /**
   * The server has a patch of this device, and tells of it in that event; it is shown on top until that event is there.
   *
   * @param {string} at
   * @param {number | undefined} seq
   */
  confirmed(at, seq) {
    const pending = this.#pending.find((one) => one.at === at);
    if (pending) pending.seq = seq ?? 0;
    this.#forgetSeen();
  }

  /**
   * The server does not take a patch of this device.
   *
   * @param {string} at
   */
  refused(at) {
    this.#pending = this.#pending.filter((one) => one.at !== at);
  }

  /**
   * What to show. A pending value that is earlier than the confirmed one has lost already.
   *
   * @returns {Record<string, any>}
   */
  merged() {
    const shown = new Map(this.#confirmed);
    for (const { patch, at } of this.#pending) {
      for (const [key, value] of Object.entries(patch)) {
        const known = shown.get(key);
        if (!known || isLater(at, known.at)) shown.set(key, { value, at, by: null });
      }
    }
    const values = [...shown].filter(([, { value }]) => value !== null);
    return Object.fromEntries(values.map(([key, { value }]) => [key, value]));
  }

  #forgetSeen() {
    this.#pending = this.#pending.filter(({ seq }) => seq === null || seq > this.#head);
  }
}
