// One call of a tool: a line that says what, which opens to all of it.

import { Icon } from "../components/icon.js";
import { plural } from "../core/format.js";
import { describe } from "../core/tools.js";
import { nameOf } from "../state/connection.js";
import { classes, html, useState } from "../ui.js";
import { ChangeCount } from "./diff.js";
import { Entry } from "./entry.js";
import { Output } from "./output.js";
import { rowsOf, ToolInput } from "./tool-input.js";
import { BlobPicture } from "./blob-picture.js";

/** @typedef {import("../core/transcript.js").ToolItem} ToolItem */

/** Calls that somebody has opened or closed: they stay so when the list draws them again. @type {Map<string, boolean>} */
const opened = new Map();

/** @param {{item: ToolItem, project?: string}} props */
export function ToolCard({ item, project }) {
  const { icon, title, detail, form } = describe(item.name, item.input, project);
  const [isOpen, setOpen] = useState(opened.get(item.id) ?? form === "todo");
  const state = stateOf(item);
  const onToggle = (/** @type {any} */ event) => {
    const { open } = event.currentTarget;
    if (open !== isOpen) opened.set(item.id, open);
    setOpen(open);
  };
  const isEdit = form === "edit" || form === "write";
  // What came of these is what was asked for.
  const isToldByInput = isEdit || form === "todo";
  return html`<details class=${classes("tool", `is-${state.tone}`)} open=${isOpen} onToggle=${onToggle}>
    <summary>
      <${Icon} name=${icon} size=${16} />
      <span class="tool-title">${title}</span>
      <span class="tool-detail">${detail}</span>
      ${isEdit && html`<${ChangeCount} rows=${rowsOf(item.name, item.input, item.result?.more?.structuredPatch).flat()} />`}
      <span class="tool-state" title=${state.word}><${Icon} name=${state.icon} size=${16} class=${state.tone === "busy" ? "is-spinning" : ""} />
        <span class="only-heard">${state.word}</span></span>
    </summary>
    ${isOpen && html`<div class="tool-body">
      <${ToolInput} name=${item.name} input=${item.input} project=${project} patch=${item.result?.more?.structuredPatch} />
      ${item.asked?.decision && html`<p class="tool-asked">
        <${Icon} name=${item.asked.decision === "allow" ? "shield-check" : "hand"} size=${14} />${askedWords(item.asked)}</p>`}
      ${item.inside.length > 0 && html`<details class="inside"><summary>${plural(item.inside.length, "step")} inside</summary>
        ${item.inside.map((inner) => html`<${Entry} key=${inner.key} item=${inner} project=${project} />`)}</details>`}
      ${item.result && (item.result.isError || !isToldByInput) && html`<${Output} text=${item.result.text} isError=${item.result.isError}
        path=${item.name === "Read" ? item.input?.file_path : undefined} />`}
      ${item.result?.images.map((image, place) => html`<${BlobPicture} key=${place} block=${image} />`)}
    </div>`}
  </details>`;
}

/** @param {ToolItem} item */
function stateOf({ result, asked, isOver }) {
  if (asked && asked.decision === null && !isOver) return { tone: "asks", icon: "hand", word: "waits for an answer" };
  if (asked?.decision === "deny") return { tone: "denied", icon: "circle-x", word: "denied" };
  if (result?.isError) return { tone: "failed", icon: "circle-alert", word: "failed" };
  if (result) return { tone: "done", icon: "check", word: "done" };
  if (isOver) return { tone: "over", icon: "circle-stop", word: "ended without a result" };
  return { tone: "busy", icon: "loader-circle", word: "running" };
}

/** @type {Record<string, string>} */
const DECISIONS = { allow: "Allowed", deny: "Denied", withdrawn: "The agent no longer asks", lost: "The question was lost with the agent" };

/** @param {import("../core/transcript.js").Asked} asked */
export function askedWords({ decision, by, message }) {
  const who = by ? ` on ${nameOf(by.deviceId)}` : decision === "deny" ? ": nobody answered in time" : "";
  return `${DECISIONS[decision ?? ""] ?? decision}${who}${message ? `: “${message}”` : ""}`;
}
