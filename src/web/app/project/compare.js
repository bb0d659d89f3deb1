// The versions of a file in conflict, stretch by stretch: what both left alone, what one changed, and where both changed
// the same, with a choice for each such place.

import { Icon } from "../components/icon.js";
import { plural } from "../core/format.js";
import { html, useState } from "../ui.js";

/** @typedef {import("../core/project-merge.js").Region} Region */
/** @typedef {import("../core/project-merge.js").Choice} Choice */

/** Lines that stay around a change; of a longer stretch the middle is folded away. */
const AROUND = 3;

/** @type {Array<{value: Choice, label: string}>} */
const CHOICES = [
  { value: "ours", label: "What is there" },
  { value: "theirs", label: "What was wanted" },
  { value: "both", label: "Both" },
];

/** @type {Record<"ours" | "theirs" | "alike", string>} */
const LABELS = { ours: "Only in what is there", theirs: "Only in what was wanted", alike: "Both changed it alike" };

/**
 * @param {{regions: Region[], choices: Map<number, Choice>, choose: ((place: number, choice: Choice) => void) | null}} props
 *   `choose`: none where nothing is to be decided
 */
export function Compare({ regions, choices, choose }) {
  const clashes = regions.filter(({ kind }) => kind === "clash").length;
  let number = 0;
  return html`<div class="compare">${regions.map((region, place) => {
    if (region.kind === "same") return html`<${Same} key=${place} lines=${region.lines} isFirst=${place === 0} isLast=${place === regions.length - 1} />`;
    if (region.kind !== "clash") return html`<${Changed} key=${place} kind=${region.kind} lines=${region.lines} />`;
    number += 1;
    return html`<${Clash} key=${place} name=${`Place ${number} of ${clashes}`} region=${region} choice=${choices.get(place)}
      choose=${choose && ((/** @type {Choice} */ choice) => choose(place, choice))} />`;
  })}</div>`;
}

/** @param {{lines: string[], isFirst: boolean, isLast: boolean}} props */
function Same({ lines, isFirst, isLast }) {
  const [isOpen, setOpen] = useState(false);
  const head = isFirst ? 0 : AROUND;
  const tail = isLast ? 0 : AROUND;
  const hidden = lines.length - head - tail;
  if (isOpen || hidden < 3) return html`<${Lines} lines=${lines} />`;
  return html`${head > 0 && html`<${Lines} lines=${lines.slice(0, head)} />`}
    <button type="button" class="unfold" onClick=${() => setOpen(true)}><${Icon} name="ellipsis" size=${14} />${plural(hidden, "equal line")}</button>
    ${tail > 0 && html`<${Lines} lines=${lines.slice(-tail)} />`}`;
}

/** @param {{kind: "ours" | "theirs" | "alike", lines: string[]}} props */
function Changed({ kind, lines }) {
  return html`<figure class=${`stretch is-${kind}`}>
    <figcaption>${LABELS[kind]}${lines.length === 0 && ": lines were taken out here"}</figcaption>
    ${lines.length > 0 && html`<${Lines} lines=${lines} />`}
  </figure>`;
}

/**
 * @param {{name: string, region: Extract<Region, {kind: "clash"}>, choice: Choice | undefined,
 *   choose: ((choice: Choice) => void) | null}} props
 */
function Clash({ name, region, choice, choose }) {
  const sides = /** @type {const} */ ([["base", "Before"], ["ours", "What is there"], ["theirs", "What was wanted"]]);
  const isTaken = (/** @type {string} */ side) => choice === side || (choice === "both" && side !== "base");
  return html`<div class=${choice ? "clash is-decided" : "clash"} role="group" aria-label=${name}>
    <div class="clash-head"><${Icon} name=${choice ? "circle-check" : "triangle-alert"} size=${16} /><h2>${name}</h2></div>
    <div class="clash-sides">${sides.map(([side, label]) => html`<figure key=${side} class=${`side-text is-${side} ${isTaken(side) ? "is-taken" : ""}`}>
      <figcaption>${label}</figcaption>
      ${region[side].length === 0 ? html`<p class="quiet">nothing</p>` : html`<${Lines} lines=${region[side]} />`}
    </figure>`)}</div>
    ${choose && html`<div class="clash-choice"><span>Write here</span><div class="segments" role="group" aria-label=${`What to write at ${name.toLowerCase()}`}>
      ${CHOICES.map(({ value, label }) => html`<button key=${value} type="button" class="segment" aria-pressed=${choice === value} onClick=${() => choose(value)}>${label}</button>`)}
    </div></div>`}
  </div>`;
}

/** @param {{lines: string[]}} props */
function Lines({ lines }) {
  // What follows the last newline of a file is no line.
  const shown = lines.length > 1 && lines.at(-1) === "" ? lines.slice(0, -1) : lines;
  // A keyboard must be able to scroll it sideways.
  return html`<pre class="lines" tabindex="0">${shown.join("\n")}${"\n"}</pre>`;
}
