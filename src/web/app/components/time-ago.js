// How long ago something was, kept right while it is shown.

import { ago } from "../core/format.js";
import { html, signal } from "../ui.js";

/** The least that is shown is a minute; twice as often keeps it right. */
const TICK_MS = 30_000;

const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
}, TICK_MS);

/** @param {{at: string}} props RFC 3339 */
export function TimeAgo({ at }) {
  const then = Date.parse(at);
  return html`<time datetime=${at} title=${new Date(then).toLocaleString()}>${ago(then, Math.max(now.value, then))}</time>`;
}
