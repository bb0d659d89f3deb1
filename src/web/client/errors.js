// What can go wrong between a client and its server.

/**
 * A command that did not succeed, or a connection that is over.
 *
 * `code` is one of the server's own (docs/protocol.md §2.4), or one of this client's:
 * - `lost`: the connection ended before the answer; the command may have been done;
 * - `no_answer`: no answer came in time; the command may have been done;
 * - `closed`: the connection is over for good, or the client was closed;
 * - `discarded`: it was taken back before it was written;
 * - `unreachable`: nobody answers, or it is no Tandem server;
 * - `bad_url`: the address is none that this client can use;
 * - `protocol`: the server said something that the protocol does not know;
 * - `storage_failed`: the device's own storage did not take something; the client goes on without it.
 */
export class TandemError extends Error {
  /**
   * @param {string} code
   * @param {string} message a sentence for a person
   * @param {{effect?: "none" | "unknown" | "done", retryAfterSeconds?: number, details?: unknown}} [more]
   */
  constructor(code, message, more = {}) {
    super(message);
    this.name = "TandemError";
    this.code = code;
    /** What became of the command. */
    this.effect = more.effect ?? "unknown";
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.details = more.details;
  }

  /**
   * Reads the `error` of a frame or of an HTTP answer. A word for the effect that is not known means `unknown`.
   *
   * @param {any} error
   */
  static from(error) {
    const { code = "protocol", message = "The server gave no reason.", effect, retryAfterSeconds, details } = error ?? {};
    const known = effect === "none" || effect === "done" ? effect : "unknown";
    return new TandemError(code, message, { effect: known, retryAfterSeconds, details });
  }
}

/** @param {string} reason */
export function closed(reason) {
  return new TandemError("closed", `The connection is closed: ${reason}.`);
}
