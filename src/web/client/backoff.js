// How long to wait before the next try to connect: exponential, with full jitter, so that after a restart of the server
// its devices do not all come back in the same moment. The numbers are those of src/client/backoff.rs. Pure.

/**
 * A connection that lasted so long was a good one: the next pause is short again.
 *
 * Shorter ones do not count, or a server that takes connections and drops them would be asked without end.
 */
export const STEADY_AFTER_MS = 10_000;

/** Doubling stops here; by then every sensible cap is reached. */
const MAX_DOUBLINGS = 16;

/**
 * Between which bounds pauses grow.
 *
 * @typedef {{baseMs: number, capMs: number}} BackoffPolicy the longest first pause, and the longest pause at all
 */

/** @type {BackoffPolicy} */
export const DEFAULT_POLICY = { baseMs: 250, capMs: 30_000 };

/** Counts failures since the last steady connection. */
export class Backoff {
  #policy;
  #random;
  #failures = 0;

  /**
   * @param {Partial<BackoffPolicy>} [policy]
   * @param {() => number} [random] in 0..1
   */
  constructor(policy = {}, random = Math.random) {
    this.#policy = { ...DEFAULT_POLICY, ...policy };
    this.#random = random;
  }

  /** The next pause in milliseconds: anything from nothing to twice what was possible before. */
  pauseMs() {
    const longest = Math.min(this.#policy.baseMs * 2 ** Math.min(this.#failures, MAX_DOUBLINGS), this.#policy.capMs);
    this.#failures += 1;
    return longest * this.#random();
  }

  /**
   * A connection has ended that lasted so long.
   *
   * @param {number} ms
   */
  lasted(ms) {
    if (ms >= STEADY_AFTER_MS) this.#failures = 0;
  }
}
