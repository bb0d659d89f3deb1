// One of the pictures of vendor/lucide/icons.svg.

import { html } from "../ui.js";

const SPRITE = new URL("../../vendor/lucide/icons.svg", import.meta.url).href;

/**
 * A picture that says nothing to a screen reader: the words beside it do.
 *
 * @param {{name: string, size?: number, class?: string}} props
 */
export function Icon({ name, size = 18, class: more = "" }) {
  return html`<svg class=${`icon ${more}`} width=${size} height=${size} aria-hidden="true" focusable="false">
    <use href=${`${SPRITE}#${name}`} />
  </svg>`;
}
