// One thing in a conversation: what a person said, what the agent said, thought and did, how a turn ended.

import { CopyButton } from "../components/copy-button.js";
import { Icon } from "../components/icon.js";
import { count, duration, money, tokens } from "../core/format.js";
import { attachmentsOf, textOf } from "../core/transcript.js";
import { devices, nameOf } from "../state/connection.js";
import { classes, Component, html } from "../ui.js";
import { BlobFile, BlobPicture } from "./blob-picture.js";
import { Boundary } from "./boundary.js";
import { Markdown } from "./markdown.js";
import { ToolCard } from "./tool-card.js";

/** @typedef {import("../core/transcript.js").Item} Item */

/** Draws again only when the item is another one; an item that changes is replaced. */
export class Entry extends Component {
  /** @param {any} next */
  shouldComponentUpdate(next) {
    const { item, project } = /** @type {any} */ (this.props);
    return next.item !== item || next.project !== project;
  }

  render(/** @type {any} */ { item, project }) {
    const View = VIEWS[/** @type {Item} */ (item).kind];
    return html`<${Boundary} what=${item}><${View} item=${item} project=${project} /><//>`;
  }
}

/** @type {Record<Item["kind"], (props: any) => any>} */
const VIEWS = { message: Message, text: Text, thinking: Thinking, tool: ToolCard, end: End, notice: Notice };

/** @param {{item: import("../core/transcript.js").MessageItem}} props */
function Message({ item }) {
  if (item.madeUp) return html`<p class="notice"><${Icon} name="history" size=${14} />The server asked for a ${item.madeUp}.</p>`;
  const text = textOf(item.content);
  return html`<article class="message">
    <header class="by"><${DeviceIcon} id=${item.deviceId} /><span>${nameOf(item.deviceId)}</span><${Clock} at=${item.at} /></header>
    ${item.content === null
      ? html`<p class="quiet">This message was accepted before what is loaded here.</p>`
      : html`<${Content} content=${item.content} text=${text} />`}
  </article>`;
}

/** What a person has written and attached. @param {{content: any, text?: string}} props */
export function Content({ content, text = textOf(content) }) {
  const attached = attachmentsOf(content);
  return html`${text && html`<div class="said">${text}</div>`}
    ${attached.length > 0 && html`<div class="attached">${attached.map((block, place) =>
      block.type === "image" ? html`<${BlobPicture} key=${place} block=${block} />` : html`<${BlobFile} key=${place} block=${block} />`)}</div>`}`;
}

/** @param {{item: import("../core/transcript.js").TextItem}} props */
function Text({ item }) {
  return html`<article class="answer"><${Markdown} text=${item.text} />
    <div class="answer-more"><${CopyButton} text=${() => item.text} label="Copy the answer" /></div></article>`;
}

/** @param {{item: import("../core/transcript.js").ThinkingItem}} props */
function Thinking({ item }) {
  return html`<details class="thinking"><summary><${Icon} name="brain" size=${16} />Thinking</summary><${Markdown} text=${item.text} /></details>`;
}

/** @type {Record<string, {icon: string, word: string, tone: string}>} */
const OUTCOMES = {
  completed: { icon: "check", word: "Done", tone: "quiet" },
  failed: { icon: "circle-alert", word: "Failed", tone: "bad" },
  interrupted: { icon: "circle-stop", word: "Interrupted", tone: "warn" },
  lost: { icon: "circle-question-mark", word: "Lost with the agent; send it again if it is still wanted", tone: "warn" },
};

/** @param {{item: import("../core/transcript.js").EndItem}} props */
function End({ item }) {
  const { icon, word, tone } = OUTCOMES[item.outcome] ?? OUTCOMES.completed;
  const { input, cached, output } = tokens(item.usage);
  const who = item.by ? ` on ${nameOf(item.by.deviceId)}` : "";
  return html`<footer class=${classes("end", `is-${tone}`)}>
    <p><${Icon} name=${icon} size=${14} /><span>${word}${who}</span>
      <span title="How long the turn took">${duration(item.durationMs)}</span>
      ${input + output > 0 && html`<span title=${`${input} tokens read, ${cached} more from the cache, ${output} written`}>
        ${count(input + cached)} in · ${count(output)} out</span>`}
      ${item.costUsd !== null && html`<span title="What the turn cost">${money(item.costUsd)}</span>`}
      ${item.text && html`<${CopyButton} text=${() => item.text} label="Copy the answer" />`}</p>
    ${item.error && html`<p class="end-error">${item.error}</p>`}
  </footer>`;
}

/** @param {{item: import("../core/transcript.js").NoticeItem}} props */
function Notice({ item }) {
  const isWarning = item.tone === "warn";
  return html`<p class=${classes("notice", isWarning && "is-warn")}>
    <${Icon} name=${isWarning ? "triangle-alert" : "info"} size=${14} /><span>${item.text}</span></p>`;
}

/** @param {{id: string | null}} props */
export function DeviceIcon({ id }) {
  const kind = devices.value.get(id ?? "")?.kind;
  const name = { phone: "smartphone", tablet: "smartphone", terminal: "terminal", cli: "terminal", script: "bot" }[kind ?? ""] ?? "monitor";
  return html`<${Icon} name=${name} size=${14} />`;
}

/** @param {{at: string}} props */
function Clock({ at }) {
  const then = new Date(at);
  const isToday = then.toDateString() === new Date().toDateString();
  const time = then.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const day = isToday ? "" : `${then.toLocaleDateString(undefined, { day: "numeric", month: "short" })} `;
  return html`<time datetime=${at} title=${then.toLocaleString()}>${day}${time}</time>`;
}
