// Shows the short words of state/toasts.js, and says them to whoever listens.

import { dismiss, toasts } from "../state/toasts.js";
import { html } from "../ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

const ICONS = { info: "bell", error: "circle-alert", done: "circle-check" };

/** @param {{isElsewhere?: boolean}} props `isElsewhere`: a dialog lies over this place, and shows them itself */
export function Toasts({ isElsewhere = false }) {
  const shown = isElsewhere ? [] : toasts.value;
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map(({ id, text, kind, action }) => html`<div key=${id} class=${`toast is-${kind}`} role=${kind === "error" ? "alert" : undefined}>
      <${Icon} name=${ICONS[kind]} /><p>${text}</p>
      ${action && html`<${Button} onClick=${() => { dismiss(id); action.run(); }}>${action.label}<//>`}
      <${Button} look="bare" icon="x" label="Dismiss" onClick=${() => dismiss(id)} />
    </div>`)}
  </div>`;
}
