// Messages that the server has refused, for good: kept for the person, also over reloads, until they are written again or
// dropped. Most were sent without a connection, and nobody was there when they were refused.

import { signal } from "../ui.js";
import { keep, kept } from "./store.js";

/** @typedef {{messageId: string, sessionId: string, content: any, reason: string}} Refused */

const NAME = "refused";

/** @type {import("../../vendor/signals/signals.js").Signal<Refused[]>} */
const all = signal(known());

// Another window of this browser has put one there, or taken one away.
addEventListener("storage", ({ key }) => {
  if (key === null || key.endsWith(NAME)) all.value = known();
});

/** Those of a conversation, the oldest first. @param {string} sessionId @returns {Refused[]} */
export function refusedIn(sessionId) {
  return all.value.filter((one) => one.sessionId === sessionId);
}

/** @param {{messageId: string, sessionId: string, content: any, error: Error}} refusal */
export function keepRefused({ messageId, sessionId, content, error }) {
  write([...others(messageId), { messageId, sessionId, content, reason: error.message }]);
}

/** It is written again, or not wanted any more. @param {string} messageId */
export function dropRefused(messageId) {
  write(others(messageId));
}

/** What other windows have kept stays. @param {string} messageId */
function others(messageId) {
  return known().filter((one) => one.messageId !== messageId);
}

/** @param {Refused[]} list */
function write(list) {
  keep(NAME, list.length > 0 ? list : undefined);
  all.value = list;
}

/** @returns {Refused[]} */
function known() {
  const list = kept(NAME);
  return Array.isArray(list) ? list : [];
}
