// The charts of the server.

import { latencyWord, memoryWord } from "../core/server-series.js";
import { samples } from "../state/server-watch.js";
import { html } from "../ui.js";
import { Chart } from "./chart.js";

/** @typedef {import("../core/server-series.js").Sample} Sample */

/** @param {number | null} value */
const number = (value) => (value === null ? "–" : value < 10 && value % 1 ? value.toFixed(1) : String(Math.round(value)));

/** @param {number | null} value */
const size = (value) => memoryWord(value ?? 0);

/** What each shows. @type {Array<{title: string, least: number, unit?: number, word: (value: number | null) => string, lines: Array<{name: string, value: (sample: Sample) => number | null}>}>} */
const CHARTS = [
  {
    title: "Writing to disk", least: 0.001, word: latencyWord,
    lines: [{ name: "slowest 1 %", value: ({ appendP99 }) => appendP99 }, { name: "typical", value: ({ appendP50 }) => appendP50 }],
  },
  {
    title: "Delivery to devices", least: 0.001, word: latencyWord,
    lines: [{ name: "slowest 1 %", value: ({ deliveryP99 }) => deliveryP99 }, { name: "typical", value: ({ deliveryP50 }) => deliveryP50 }],
  },
  {
    title: "Each second", least: 1, word: number,
    lines: [{ name: "delivered", value: ({ deliveries }) => deliveries }, { name: "written", value: ({ appends }) => appends }],
  },
  {
    title: "Agents", least: 1, word: number,
    lines: [{ name: "at work", value: ({ slots }) => slots }],
  },
  {
    title: "Waiting", least: 1, word: number,
    lines: [{ name: "messages", value: ({ queued }) => queued }, { name: "for an agent", value: ({ waiting }) => waiting }],
  },
  {
    title: "Memory", least: 2 ** 20, unit: 2 ** 20, word: size,
    lines: [{ name: "agents", value: ({ agentBytes }) => agentBytes }, { name: "server", value: ({ serverBytes }) => serverBytes }],
  },
];

export function Charts() {
  return html`<section aria-labelledby="charts-heading">
    <h2 class="list-heading" id="charts-heading">The last minutes</h2>
    <div class="charts">${CHARTS.map((chart) => html`<${Chart} key=${chart.title} samples=${samples.value} ...${chart} />`)}</div>
  </section>`;
}
