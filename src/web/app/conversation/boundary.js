// Around one thing of a conversation: where it cannot be drawn, it is shown as it came, and all others stay.

import { Component, html } from "../ui.js";

/** See the module. `what` is the data that is drawn inside: other data are tried anew. */
export class Boundary extends Component {
  /** What could not be drawn. @type {{what: any} | null} */
  #broken = null;

  /** @param {any} error */
  componentDidCatch(error) {
    console.warn(`cannot be drawn: ${error?.message ?? error}`);
    this.#broken = { what: /** @type {any} */ (this.props).what };
    this.forceUpdate();
  }

  render(/** @type {any} */ { what, children }) {
    if (this.#broken === null || this.#broken.what !== what) return children;
    return html`<details class="tool"><summary>This cannot be shown as it should be: here is what came.</summary>
      <pre class="lines" tabindex="0">${asText(what)}</pre></details>`;
  }
}

/** @param {any} what */
function asText(what) {
  try {
    return JSON.stringify(what, null, 2) ?? String(what);
  } catch {
    return String(what);
  }
}
