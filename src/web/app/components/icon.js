// One of the pictures of vendor/lucide/icons.svg.

import { html } from "../ui.js";

const SPRITE = new URL("../../vendor/lucide/icons.svg", import.meta.url);

/** Before the names of the pictures, so that no other element has the same one. */
const PREFIX = "icon-";

/**
 * A picture that says nothing to a screen reader: the words beside it do.
 *
 * @param {{name: string, size?: number, class?: string}} props
 */
export function Icon({ name, size = 18, class: more = "" }) {
  return html`<svg class=${`icon ${more}`} width=${size} height=${size} aria-hidden="true" focusable="false">
    <use href=${`#${PREFIX}${name}`} />
  </svg>`;
}

/**
 * Puts the pictures into the page. A browser that looked them up in the file itself would ask the server for it again and
 * again, and show none while there is no connection.
 */
export async function loadIcons() {
  try {
    const text = await (await fetch(SPRITE)).text();
    const sprite = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    for (const symbol of sprite.querySelectorAll("symbol")) symbol.id = PREFIX + symbol.id;
    sprite.setAttribute("class", "sprite");
    sprite.setAttribute("aria-hidden", "true");
    document.body.append(document.importNode(sprite, true));
  } catch (error) {
    console.warn("the icons cannot be loaded", error);
  }
}
