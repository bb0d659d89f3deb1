// A change of a file, line by line.

import { languageOfFile } from "./highlight.js";
import { Coloured } from "./code-block.js";
import { changeCount } from "../core/diff-rows.js";
import { html, useState } from "../ui.js";
import { Button } from "../components/button.js";

/** @typedef {import("../core/diff-rows.js").Row} Row */

/** More rows are shown when somebody asks: a written file may have thousands. */
const FIRST_ROWS = 80;

/** @param {{rows: Row[], path?: string}} props */
export function Diff({ rows, path }) {
  const [isWhole, setWhole] = useState(false);
  const language = path ? languageOfFile(path) : undefined;
  const shown = isWhole ? rows : rows.slice(0, FIRST_ROWS);
  return html`<div class="diff" role="table" aria-label=${path ? `Changes of ${path}` : "Changes"} tabindex="0">
    ${shown.map((row, place) => html`<${Line} key=${place} row=${row} language=${language} />`)}
    ${shown.length < rows.length && html`<${Button} look="bare" class="is-wide" onClick=${() => setWhole(true)}>Show all ${rows.length} lines<//>`}
  </div>`;
}

const SIGNS = { same: " ", added: "+", removed: "−" };
const HEARD = { same: "", added: "added: ", removed: "removed: " };

/** @param {{row: Row, language?: string}} props */
function Line({ row, language }) {
  if (row.type === "gap") {
    return html`<div class="diff-line is-gap" role="row"><span role="cell">${row.count === null ? "⋯" : `⋯ ${row.count} unchanged`}</span></div>`;
  }
  return html`<div class=${`diff-line is-${row.type}`} role="row">
    <span class="diff-number" role="cell">${row.after ?? row.before}</span>
    <span class="diff-sign" role="cell" aria-hidden="true">${SIGNS[row.type]}</span>
    <span class="diff-text" role="cell"><span class="only-heard">${HEARD[row.type]}</span><${Coloured} code=${row.text} language=${language} /></span>
  </div>`;
}

/** How many lines come and go. @param {{rows: Row[]}} props */
export function ChangeCount({ rows }) {
  const { added, removed } = changeCount(rows);
  return html`<span class="change-count">${added > 0 && html`<span class="is-added">+${added}</span>`}
    ${removed > 0 && html`<span class="is-removed">−${removed}</span>`}</span>`;
}
