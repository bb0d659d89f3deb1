// The list of conversations as it was seen last, for whoever opens the page without a connection. It goes with the token.

import { keep, kept } from "./store.js";

/** @typedef {import("../core/session-list.js").Summary} Summary */

/** Some 40 kB; older ones are looked for with a connection. */
const MAX_KEPT = 100;

/** @returns {Summary[] | undefined} */
export function lastList() {
  return kept("sessions");
}

/** @param {Iterable<Summary>} sessions */
export function keepList(sessions) {
  const latest = [...sessions].sort((one, other) => (one.lastActivityAt < other.lastActivityAt ? 1 : -1));
  keep("sessions", latest.slice(0, MAX_KEPT));
}

export function forgetList() {
  keep("sessions", undefined);
}
