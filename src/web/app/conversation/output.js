// What a tool gave back: text, cut short until somebody wants all of it.

import { Button } from "../components/button.js";
import { CopyButton } from "../components/copy-button.js";
import { html, useState } from "../ui.js";
import { Coloured } from "./code-block.js";
import { languageOfFile } from "./highlight.js";

/** About a screen of a phone. */
const FIRST_LINES = 24;

const FIRST_CHARACTERS = 4_000;

/** @param {{text: string, isError?: boolean, path?: string}} props */
export function Output({ text, isError = false, path }) {
  const [isWhole, setWhole] = useState(false);
  if (!text) return html`<p class="quiet output-none">No output</p>`;
  const clean = withoutColours(text);
  const start = clean.split("\n", FIRST_LINES).join("\n").slice(0, FIRST_CHARACTERS);
  const shown = isWhole ? clean : start;
  return html`<figure class=${isError ? "code output is-error" : "code output"}>
    <figcaption><span>${isError ? "error" : "output"}</span><${CopyButton} text=${() => clean} label="Copy the output" /></figcaption>
    <pre tabindex="0"><code><${Coloured} code=${shown} language=${path ? languageOfFile(path) : undefined} /></code></pre>
    ${shown.length < clean.length && html`<${Button} look="bare" class="is-wide" onClick=${() => setWhole(true)}>
      Show all ${clean.split("\n").length} lines<//>`}
  </figure>`;
}

/** Terminals are told colours with escapes, which say nothing here. @param {string} text */
function withoutColours(text) {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "");
}
