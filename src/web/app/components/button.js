// Buttons: with words, with a picture, or both.

import { classes, html } from "../ui.js";
import { Icon } from "./icon.js";

/**
 * A button. `look` is `plain` (a quiet one), `main` (the one thing to do here), `danger`, or `bare` (no border). With
 * `label` it shows only its icon and says the label to whoever cannot see it.
 *
 * @param {{onClick?: (event: MouseEvent) => void, look?: "plain" | "main" | "danger" | "bare", icon?: string, label?: string,
 *   isBusy?: boolean, disabled?: boolean, type?: "button" | "submit", class?: string, children?: any, [more: string]: any}} props
 */
export function Button({ look = "plain", icon, label, isBusy = false, disabled = false, type = "button", class: more, children, ...rest }) {
  const names = classes("button", `is-${look}`, label && "is-icon", isBusy && "is-busy", more);
  return html`<button type=${type} class=${names} aria-label=${label} title=${label} disabled=${disabled || isBusy} aria-busy=${isBusy} ...${rest}>
    ${isBusy ? html`<${Icon} name="loader-circle" class="is-spinning" />` : icon && html`<${Icon} name=${icon} />`}
    ${children && html`<span>${children}</span>`}
  </button>`;
}
