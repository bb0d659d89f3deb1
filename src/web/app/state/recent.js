// The conversations that were open last, as they were left: shown at once when somebody comes back, also without a
// connection. In memory alone: what was said is nothing for a browser's storage.

/** @typedef {{state: import("../core/session-state.js").State, head: number, events: import("../core/transcript.js").SessionEvent[]}} Left */

/** More are not gone back to; each is some hundred events. */
const MAX_KEPT = 10;

/** How many of the newest events are kept of one; what was loaded above is loaded again. */
const MAX_EVENTS = 400;

/** The latest last. @type {Map<string, Left>} */
const left = new Map();

/** @param {string} sessionId @param {Left} now */
export function keepRecent(sessionId, { events, ...now }) {
  left.delete(sessionId);
  left.set(sessionId, { ...now, events: events.slice(-MAX_EVENTS) });
  if (left.size > MAX_KEPT) left.delete([...left.keys()][0]);
}

/** @param {string} sessionId */
export function recent(sessionId) {
  return left.get(sessionId);
}

/** Whoever signs in next may be another. */
export function forgetRecent() {
  left.clear();
}
