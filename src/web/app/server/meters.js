// How full the server is: places for agents, and their memory.

import { plural } from "../core/format.js";
import { memoryWord } from "../core/server-series.js";
import { classes, html } from "../ui.js";

/** From this share on a person is told by colour as well. */
const FULL = 0.9;

/** @param {{report: any, health: any}} props the latest report, and the answer of `/health` */
export function Meters({ report, health }) {
  const { slots, totals } = report;
  const limit = health?.memory.limitBytes;
  return html`<div class="meters">
    <${Meter} title="Agents at work" value=${slots.taken} max=${slots.max} words=${`${slots.taken} of ${slots.max}`}
      more=${slots.waiting > 0 ? `${plural(slots.waiting, "conversation waits", "conversations wait")}` : `${slots.max - slots.taken} free`} />
    ${limit && html`<${Meter} title="Memory of agents" value=${totals.agentMemoryBytes} max=${limit} words=${`${memoryWord(totals.agentMemoryBytes)} of ${memoryWord(limit)}`}
      more=${`the server itself ${memoryWord(totals.serverMemoryBytes ?? 0)}`} />`}
    <${Number} title="Queued messages" words=${totals.queued} more=${totals.approvals > 0 ? `${plural(totals.approvals, "question")} for you` : "no question waits"} />
    <${Number} title="Devices here" words=${totals.devicesOnline} more=${plural(totals.connections, "connection")} />
  </div>`;
}

/** @param {{title: string, value: number, max: number, words: string, more: string}} props */
function Meter({ title, value, max, words, more }) {
  const share = max > 0 ? Math.min(value / max, 1) : 0;
  return html`<div class="meter card">
    <h2>${title}</h2>
    <p class="meter-words">${words}</p>
    <div class="meter-bar" role="meter" aria-label=${title} aria-valuenow=${value} aria-valuemin="0" aria-valuemax=${max} aria-valuetext=${words}>
      <div class=${classes("meter-fill", share >= FULL && "is-full")} style=${{ width: `${share * 100}%` }}></div></div>
    <p class="quiet">${more}</p>
  </div>`;
}

/** @param {{title: string, words: any, more: string}} props */
function Number({ title, words, more }) {
  return html`<div class="meter card"><h2>${title}</h2><p class="meter-words">${words}</p><p class="quiet">${more}</p></div>`;
}
