// What a waiting message says, in a line.

import { plural } from "../core/format.js";
import { attachmentsOf, textOf } from "../core/transcript.js";
import { html } from "../ui.js";

/** @param {{content: any, more: string}} props */
export function Words({ content, more }) {
  const files = attachmentsOf(content).length;
  return html`<span class="queued-words"><span class="queued-text">${textOf(content) || "…"}</span>
    <small>${more}${files > 0 && ` · ${plural(files, "attachment")}`}</small></span>`;
}
