// The bar above a view: the way back on a phone, its name, and what can be done.

import { html } from "../ui.js";
import { Icon } from "./icon.js";

/** @param {{title: any, more?: any, back?: string, children?: any}} props `more`: a line below the title; `children`: on the right */
export function ViewHead({ title, more, back = "#/", children }) {
  return html`<header class="view-head">
    <a class="button is-bare is-icon view-back" href=${back} aria-label="Back"><${Icon} name="arrow-left" /></a>
    <div class="view-title"><h1>${title}</h1>${more && html`<div class="view-more">${more}</div>`}</div>
    <div class="view-actions">${children}</div>
  </header>`;
}
