// What a client knows beyond one connection: where it stands in each session and each project, and what it still wants.
// Pure: frames in, frames and news out.
//
// A stream is named by the id of its session or by the path of its project; neither can be taken for the other.

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
  /** By the name of the stream. @type {Map<string, Cursor>} */
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
   * @param {{key?: string | null, isStored?: boolean, isInDoubt?: boolean}} [storage]
   */
  ask(request, reply, now, storage) {
    if (request.type === "watch") this.#isWatching = true;
    if (request.type === "unsubscribe" || request.type === "unsubscribe_project") {
      this.#cursors.delete(streamOf(request));
      this.outbox.forget((other) => isSubscribe(other, streamOf(request)));
    }
    return this.outbox.add(request, reply, now, storage);
  }

  /**
   * Follows a session or a project. One that is followed already starts over.
   *
   * @param {{type: "subscribe", sessionId: string} | {type: "subscribe_project", projectPath: string}} request
   * @param {StartFrom} start
   * @param {Reply} reply
   * @param {number} now
   */
  follow(request, start, reply, now) {
    const stream = streamOf(request);
    this.outbox.forget((other) => isSubscribe(other, stream));
    const cursor = new Cursor(start);
    this.#cursors.set(stream, cursor);
    cursor.asked = this.outbox.add(request, reply, now).number;
  }

  /**
   * Whether the events of a stream are coming: what is said of it before reaches nobody.
   *
   * @param {string} stream
   */
  isFlowing(stream) {
    return this.#cursors.get(stream)?.isAnswerAwaited === false;
  }

  /**
   * The place behind the last event of a stream that was handed on.
   *
   * @param {string} stream
   */
  placeOf(stream) {
    return this.#cursors.get(stream)?.place ?? null;
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
    for (const [stream, cursor] of this.#cursors) {
      cursor.askedAgain();
      this.#followAgain(stream, now);
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
      const cursor = isSubscribe(entry.request) ? this.#cursors.get(streamOf(entry.request)) : null;
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
    if (frame.type === "event" || frame.type === "project_event") news = this.#event(frame, now);
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
    const cursor = this.#cursors.get(streamOf(frame));
    const verdict = cursor?.event(frame.seq, frame.hash) ?? "drop";
    if (verdict === "apply") return [{ name: frame.type, detail: withoutType(frame) }];
    if (verdict === "resubscribe") {
      cursor?.askedAgain();
      this.#followAgain(streamOf(frame), now);
    }
    return [];
  }

  /**
   * @param {any} frame
   * @returns {News[]}
   */
  #signal(frame) {
    return this.isFlowing(streamOf(frame)) ? [{ name: "signal", detail: withoutType(frame) }] : [];
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
    if (frame.type === "subscribed" || frame.type === "subscribed_project") {
      const prefix = frame.type === "subscribed" ? "" : "project_";
      const cursor = this.#cursorOf(streamOf(entry.request), streamOf(frame));
      // The answer to an older wish is not for a cursor that has started over.
      const begin = cursor?.asked === entry.number ? cursor.subscribed(frame) : null;
      answer.reset = begin === "reset";
      if (begin === "reset") news = [{ name: `${prefix}reset`, detail: answer }];
      else if (begin && !entry.reply) news = [{ name: `${prefix}resumed`, detail: answer }];
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
    const isOwn = reply === null && (isSubscribe(request) || request.type === "watch");
    if ((isKept && (isForNow || error.effect === "unknown")) || (isOwn && isForNow)) {
      const seconds = error.retryAfterSeconds;
      entry.problem = error;
      entry.isInDoubt ||= error.effect !== "none";
      this.outbox.putBack(entry, now + (seconds === undefined ? REPEAT_AFTER_MS : seconds * 1_000));
      return { news: [{ name: "postponed", detail: { ...request, error } }], done: null };
    }
    /** @type {News[]} */
    const news = [];
    if (isSubscribe(request)) {
      this.#cursors.delete(streamOf(request));
      const { type, ...stream } = request;
      if (!reply) news.push({ name: "ended", detail: { ...stream, error } });
    } else if (isKept) {
      news.push({ name: "rejected", detail: { ...request, error } });
    }
    reply?.reject(error);
    return { news, done: entry };
  }

  /**
   * The cursor of a stream that was asked for under one name and is answered under another: a project goes by the path that
   * it has when all links are followed.
   *
   * @param {string} asked
   * @param {string} named
   */
  #cursorOf(asked, named) {
    const cursor = this.#cursors.get(asked);
    // The answer to an earlier wish, which was dropped since, has given it its name already.
    if (!cursor) return this.#cursors.get(named);
    if (asked !== named) {
      this.#cursors.delete(asked);
      this.#cursors.set(named, cursor);
    }
    return cursor;
  }

  /**
   * @param {string} stream
   * @param {number} now
   */
  #followAgain(stream, now) {
    if (this.outbox.has((request) => isSubscribe(request, stream))) return;
    const request = isPath(stream) ? { type: "subscribe_project", projectPath: stream } : { type: "subscribe", sessionId: stream };
    const entry = this.outbox.add(request, null, now);
    const cursor = this.#cursors.get(stream);
    if (cursor) cursor.asked = entry.number;
  }
}

/**
 * The name of the stream that a frame is about.
 *
 * @param {{sessionId?: string, projectPath?: string}} frame
 * @returns {string}
 */
function streamOf({ sessionId, projectPath }) {
  return sessionId ?? projectPath ?? "";
}

/** Ids of sessions have no slash, and paths have. @param {string} stream */
function isPath(stream) {
  return /[/\\]/.test(stream);
}

/**
 * Whether it asks for a stream, or for this one.
 *
 * @param {Request} request
 * @param {string} [stream]
 */
function isSubscribe(request, stream) {
  const isOne = request.type === "subscribe" || request.type === "subscribe_project";
  return isOne && (stream === undefined || streamOf(request) === stream);
}

/** @param {any} frame */
function withoutType({ type, ref, ...rest }) {
  return rest;
}
