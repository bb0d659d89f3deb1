// What a conversation is doing, as a picture with a word.

import { html } from "../ui.js";
import { Icon } from "./icon.js";

/** @typedef {import("../core/session-list.js").Status} Status */

/** @type {Record<Status, {icon: string, word: string, tone: string}>} */
const LOOKS = {
  idle: { icon: "circle-check", word: "Ready", tone: "quiet" },
  running: { icon: "loader-circle", word: "Working", tone: "accent" },
  waiting_for_approval: { icon: "hand", word: "Asks you", tone: "warn" },
  waiting_for_slot: { icon: "hourglass", word: "Waits for a free agent", tone: "warn" },
  expired: { icon: "history", word: "Expired", tone: "quiet" },
  closed: { icon: "archive", word: "Closed", tone: "quiet" },
};

/** @param {Status} status */
export function statusWord(status) {
  return LOOKS[status]?.word ?? status;
}

/** @param {{status: Status, withWord?: boolean}} props */
export function StatusMark({ status, withWord = false }) {
  const { icon, word, tone } = LOOKS[status] ?? { icon: "info", word: status, tone: "quiet" };
  return html`<span class=${`status is-${tone}`} title=${word}>
    <${Icon} name=${icon} size=${16} class=${status === "running" ? "is-spinning" : ""} />
    <span class=${withWord ? "" : "only-heard"}>${word}</span>
  </span>`;
}
