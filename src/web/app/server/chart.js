// A small chart of the last minutes: one line or two over each other, drawn anew with each sample.

import { linePath, MAX_SAMPLES, topOf } from "../core/server-series.js";
import { html } from "../ui.js";

/** @typedef {import("../core/server-series.js").Sample} Sample */

/** In units of its own; it is stretched to the place that it has. */
const WIDTH = 300;
const HEIGHT = 64;

/** The time that fills a chart grows with what is known, so that the first minute is no speck at its edge. */
const LEAST_SPAN_MS = 60_000;
const MOST_SPAN_MS = MAX_SAMPLES * 2_000;

/** Over a longer time without a sample nothing is known, and no line is drawn. */
const GAP_MS = 8_000;

/** What is told in numbers is at most so old. */
const LATELY_MS = 30_000;

/**
 * @param {{title: string, samples: Sample[], lines: Array<{name: string, value: (sample: Sample) => number | null}>,
 *   least: number, unit?: number, word: (value: number | null) => string}} props `least`: the top of the chart is at
 *   least this; it is a round number of `unit`s
 */
export function Chart({ title, samples, lines, least, unit = 1, word }) {
  const end = samples.at(-1)?.at ?? 0;
  const span = Math.min(Math.max(end - (samples[0]?.at ?? end), LEAST_SPAN_MS), MOST_SPAN_MS);
  const all = samples.flatMap((sample) => lines.map(({ value }) => value(sample)));
  const top = topOf(all.map((value) => value && value / unit), least / unit) * unit;
  const lately = samples.filter(({ at }) => end - at < LATELY_MS);
  const latest = lines.map(({ name, value }) => ({ name, words: word(lately.map(value).findLast((found) => found !== null) ?? null) }));
  const heard = `${title}, the last minutes: ${latest.map(({ name, words }) => `${name} ${words}`).join(", ")}; the top is ${word(top)}`;
  return html`<figure class="chart card">
    <figcaption><h3>${title}</h3>
      <span class="chart-now">${latest.map(({ name, words }, place) => html`<span key=${name} class=${`chart-key is-${place}`}>${name} <b>${words}</b></span>`)}</span>
    </figcaption>
    <div class="chart-box">
      <svg viewBox=${`0 -2 ${WIDTH} ${HEIGHT + 4}`} preserveAspectRatio="none" role="img" aria-label=${heard}>
        ${[0, 0.5, 1].map((share) => html`<line key=${share} class="chart-grid" x1="0" x2=${WIDTH} y1=${HEIGHT * share} y2=${HEIGHT * share} />`)}
        ${lines.map(({ name, value }, place) => html`<path key=${name} class=${`chart-line is-${place}`}
          d=${linePath(samples.map((sample) => ({ at: sample.at, value: value(sample) })), { width: WIDTH, height: HEIGHT, span, end, top, gap: GAP_MS })} />`)}
      </svg>
      <span class="chart-top" aria-hidden="true">${word(top)}</span>
    </div>
  </figure>`;
}
