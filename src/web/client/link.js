// What a client knows beyond one connection: where it stands in each session, and what it still wants. Pure: frames in,
// frames and news out.

import { Cursor } from "./cursor.js";
import { TandemError } from "./errors.js";
import { Outbox } from "./outbox.js";

/** @typedef {import("./cursor.js").StartFrom} StartFrom */
/** @typedef {import("./outbox.js").Entry} Entry */
/** @typedef {import("./outbox.js").Reply} Reply */
/** @typedef {import("./outbox.js").Request} Request */

/**
 * Something to tell the program.
 *
 * @typedef {{name: string, detail: any}} News
 */

/** How long to wait before a repeat when the server does not say. */
const REPEAT_AFTER_MS = 1_000;

/** Frames that come by themselves and are handed on as they are. */
const HANDED_ON = new Set(["session_summary", "notice"]);

/** Notices that are remembered; more than a server keeps for one device. */
const MAX_NOTICES = 256;

/** See the module. */
export class Link {
  /** @type {Map<string, Cursor>} */
  #cursors = new Map();
  #isWatching = false;
  /** The latest notices that were told: a server that does not know whether one has come sends it again. @type {Set<string>} */
  #notices = new Set();
  #maxMessageBytes = Infinity;

  /** @param {number} answerWithinMs */
  constructor(answerWithinMs) {
    this.outbox = new Outbox(answerWithinMs);
  }

  // What the program wants.

  /**
   * @param {Request} request
   * @param {Reply | null} reply
   * @param {number} now
   * @param {{key?: string | null, isStored?: boolean}} [storage]
   */
  ask(request, reply, now, storage) {
    if (request.type === "watch") this.#isWatching = true;
    if (request.type === "unsubscribe") {
      this.#cursors.delete(request.sessionId ?? "");
      this.outbox.forget((other) => isSubscribe(other, request.sessionId));
    }
    return this.outbox.add(request, reply, now, storage);
  }

  /**
   * Follows a session. One that is followed already starts over.
   *
   * @param {string} sessionId
   * @param {StartFrom} start
   * @param {Reply} reply
   * @param {number} now
   */
  follow(sessionId, start, reply, now) {
    this.outbox.forget((request) => isSubscribe(request, sessionId));
    const cursor = new Cursor(start);
    this.#cursors.set(sessionId, cursor);
    cursor.asked = this.outbox.add({ type: "subscribe", sessionId }, reply, now).number;
  }

  /**
   * Whether a session's events are coming: what is said of it before reaches nobody.
   *
   * @param {string} sessionId
   */
  isFlowing(sessionId) {
    return this.#cursors.get(sessionId)?.isAnswerAwaited === false;
  }

  /**
   * The place behind the last event of a session that was handed on.
   *
   * @param {string} sessionId
   */
  placeOf(sessionId) {
    return this.#cursors.get(sessionId)?.place ?? null;
  }

  // The connection.

  /** @param {number} maxMessageBytes */
  connected(maxMessageBytes) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /**
   * Everything that was under way is in doubt; what is followed will be asked for again.
   *
   * @param {number} now
   */
  disconnected(now) {
    this.outbox.disconnected(now);
    for (const [sessionId, cursor] of this.#cursors) {
      cursor.askedAgain();
      this.#followAgain(sessionId, now);
    }
    if (this.#isWatching && !this.outbox.has((request) => request.type === "watch")) {
      this.outbox.add({ type: "watch" }, null, now);
    }
  }

  /**
   * The frames that are to be written now, as text.
   *
   * @param {number} now
   * @returns {{texts: string[], refused: News[], done: Entry[]}} `done`: too large, they were not sent and are answered
   */
  takeDue(now) {
    /** @type {{texts: string[], refused: News[], done: Entry[]}} */
    const taken = { texts: [], refused: [], done: [] };
    for (const entry of this.outbox.takeDue(now)) {
      // Where a subscription starts is filled in when it is written: the cursor may have moved until then.
      const cursor = entry.request.type === "subscribe" ? this.#cursors.get(entry.request.sessionId ?? "") : null;
      const text = JSON.stringify({ ...entry.request, ...cursor?.wanted(), ref: String(entry.number) });
      const bytes = text.length * 3 > this.#maxMessageBytes ? new TextEncoder().encode(text).length : 0;
      if (bytes <= this.#maxMessageBytes) {
        taken.texts.push(text);
        continue;
      }
      this.outbox.take(entry.number);
      const message = `The message has ${bytes} bytes, and the server takes ${this.#maxMessageBytes}.`;
      const error = new TandemError("too_large", message, { effect: "none" });
      entry.reply?.reject(error);
      taken.done.push(entry);
      taken.refused.push({ name: "rejected", detail: { ...entry.request, error } });
    }
    return taken;
  }

  // What the server says.

  /**
   * Takes in a frame.
   *
   * @param {any} frame
   * @param {number} now
   * @returns {{news: News[], done: Entry | null}} `done`: the kept request that is answered for good
   */
  heard(frame, now) {
    const entry = typeof frame.ref === "string" ? this.outbox.take(Number(frame.ref)) : undefined;
    if (entry) return this.#answered(entry, frame, now);
    /** @type {News[]} */
    let news = [];
    if (frame.type === "event") news = this.#event(frame, now);
    else if (frame.type === "signal") news = this.#signal(frame);
    else if (frame.type === "error") news = [{ name: "error", detail: TandemError.from(frame.error) }];
    else if (frame.type === "notice" && this.#wasTold(frame.noticeId)) news = [];
    else if (HANDED_ON.has(frame.type)) news = [{ name: frame.type, detail: withoutType(frame) }];
    return { news, done: null };
  }

  /** @param {unknown} noticeId */
  #wasTold(noticeId) {
    if (typeof noticeId !== "string") return false;
    const wasTold = this.#notices.has(noticeId);
    this.#notices.add(noticeId);
    if (this.#notices.size > MAX_NOTICES) this.#notices.delete([...this.#notices][0]);
    return wasTold;
  }

  /**
   * @param {any} frame
   * @param {number} now
   * @returns {News[]}
   */
  #event(frame, now) {
    const cursor = this.#cursors.get(frame.sessionId);
    const verdict = cursor?.event(frame.seq, frame.hash) ?? "drop";
    if (verdict === "apply") return [{ name: "event", detail: withoutType(frame) }];
    if (verdict === "resubscribe") {
      cursor?.askedAgain();
      this.#followAgain(frame.sessionId, now);
    }
    return [];
  }

  /**
   * @param {any} frame
   * @returns {News[]}
   */
  #signal(frame) {
    return this.isFlowing(frame.sessionId) ? [{ name: "signal", detail: withoutType(frame) }] : [];
  }

  /**
   * @param {Entry} entry
   * @param {any} frame
   * @param {number} now
   * @returns {{news: News[], done: Entry | null}}
   */
  #answered(entry, frame, now) {
    if (frame.type === "rejected" || frame.type === "error") return this.#rejected(entry, frame, now);
    const answer = withoutType(frame);
    /** @type {News[]} */
    let news = [];
    if (frame.type === "subscribed") {
      const cursor = this.#cursors.get(frame.sessionId);
      // The answer to an older wish is not for a cursor that has started over.
      const begin = cursor?.asked === entry.number ? cursor.subscribed(frame) : null;
      answer.reset = begin === "reset";
      if (begin === "reset") news = [{ name: "reset", detail: answer }];
      else if (begin && !entry.reply) news = [{ name: "resumed", detail: answer }];
    } else if (frame.type === "session_list") {
      news = entry.reply ? [] : [{ name: "session_list", detail: answer }];
    } else if (frame.type === "accepted") {
      news = [{ name: "accepted", detail: { sessionId: entry.request.sessionId, ...answer } }];
    }
    entry.reply?.resolve(answer);
    return { news, done: entry };
  }

  /**
   * @param {Entry} entry
   * @param {any} frame
   * @param {number} now
   * @returns {{news: News[], done: Entry | null}}
   */
  #rejected(entry, frame, now) {
    const error = TandemError.from(frame.error);
    const { request, reply } = entry;
    const isForNow = error.retryAfterSeconds !== undefined;
    const isKept = request.type === "submit" || request.type === "state";
    // Nobody waits for these: the client itself has to get back to where it was.
    const isOwn = reply === null && (request.type === "subscribe" || request.type === "watch");
    if ((isKept && (isForNow || error.effect === "unknown")) || (isOwn && isForNow)) {
      const seconds = error.retryAfterSeconds;
      this.outbox.putBack(entry, now + (seconds === undefined ? REPEAT_AFTER_MS : seconds * 1_000));
      return { news: [{ name: "postponed", detail: { ...request, error } }], done: null };
    }
    /** @type {News[]} */
    const news = [];
    if (request.type === "subscribe") {
      this.#cursors.delete(request.sessionId ?? "");
      if (!reply) news.push({ name: "ended", detail: { sessionId: request.sessionId, error } });
    } else if (isKept) {
      news.push({ name: "rejected", detail: { ...request, error } });
    }
    reply?.reject(error);
    return { news, done: entry };
  }

  /**
   * @param {string} sessionId
   * @param {number} now
   */
  #followAgain(sessionId, now) {
    if (this.outbox.has((request) => isSubscribe(request, sessionId))) return;
    const entry = this.outbox.add({ type: "subscribe", sessionId }, null, now);
    const cursor = this.#cursors.get(sessionId);
    if (cursor) cursor.asked = entry.number;
  }
}

/**
 * @param {Request} request
 * @param {string | undefined} sessionId
 */
function isSubscribe(request, sessionId) {
  return request.type === "subscribe" && request.sessionId === sessionId;
}

/** @param {any} frame */
function withoutType({ type, ref, ...rest }) {
  return rest;
}
