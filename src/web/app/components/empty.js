// What stands where there is nothing: why, and what to do next.

import { html } from "../ui.js";
import { Icon } from "./icon.js";

/** @param {{icon: string, heading: string, children?: any, actions?: any}} props */
export function Empty({ icon, heading, children, actions }) {
  return html`<div class="empty">
    <${Icon} name=${icon} size=${32} />
    <h2>${heading}</h2>
    ${children && html`<div class="empty-words">${children}</div>`}
    ${actions && html`<div class="empty-actions">${actions}</div>`}
  </div>`;
}

/** Grey lines where something is about to be. @param {{lines?: number, label?: string}} props */
export function Loading({ lines = 4, label = "Loading" }) {
  return html`<div class="loading" role="status">
    <span class="only-heard">${label}</span>
    ${Array.from({ length: lines }, (_, place) => html`<div key=${place} class="loading-line" aria-hidden="true"></div>`)}
  </div>`;
}
