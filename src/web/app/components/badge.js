// A small number or word beside something.

import { html } from "../ui.js";

/**
 * @param {{children: any, tone?: "plain" | "accent" | "good" | "warn" | "bad", label?: string}} props
 */
export function Badge({ children, tone = "plain", label }) {
  return html`<span class=${`badge is-${tone}`} title=${label}>
    <span aria-hidden=${label ? "true" : undefined}>${children}</span>
    ${label && html`<span class="only-heard">${label}</span>`}
  </span>`;
}
