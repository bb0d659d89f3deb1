// Numbers of the server over the last minutes, and the lines that show them. Pure.

/** How many samples are kept: five minutes of one in two seconds. More is what a monitoring system is for. */
export const MAX_SAMPLES = 150;

/** @typedef {{count: number, buckets: Array<[number | null, number]>}} Latency */

/**
 * What is kept of one report of `/api/metrics/sessions`; null where nothing took place in between.
 *
 * @typedef {object} Sample
 * @property {number} at milliseconds since 1970
 * @property {number} queued
 * @property {number} slots
 * @property {number} waiting for a slot
 * @property {number} agentBytes
 * @property {number} serverBytes
 * @property {number | null} appendP50 seconds
 * @property {number | null} appendP99
 * @property {number | null} deliveryP50
 * @property {number | null} deliveryP99
 * @property {number | null} appends a second
 * @property {number | null} deliveries a second
 */

/**
 * What a report says beside the one before it. Latencies are those of what took place between the two.
 *
 * @param {any} report
 * @param {any} before none at first
 * @returns {Sample}
 */
export function sampleOf(report, before) {
  const at = Date.parse(report.at);
  // A server that was started again counts from the beginning.
  const isLater = before && report.uptimeSeconds >= before.uptimeSeconds && at > Date.parse(before.at);
  const seconds = isLater ? (at - Date.parse(before.at)) / 1_000 : 0;
  const append = isLater ? between(before.latency.append, report.latency.append) : null;
  const delivery = isLater ? between(before.latency.delivery, report.latency.delivery) : null;
  return {
    at,
    queued: report.totals.queued,
    slots: report.slots.taken,
    waiting: report.slots.waiting,
    agentBytes: report.totals.agentMemoryBytes,
    serverBytes: report.totals.serverMemoryBytes ?? 0,
    appendP50: quantile(append, 0.5),
    appendP99: quantile(append, 0.99),
    deliveryP50: quantile(delivery, 0.5),
    deliveryP99: quantile(delivery, 0.99),
    appends: append && append.count / seconds,
    deliveries: delivery && delivery.count / seconds,
  };
}

/**
 * The samples with one more, without those that are too old.
 *
 * @param {Sample[]} samples
 * @param {Sample} sample
 */
export function withSample(samples, sample) {
  return [...samples.slice(1 - MAX_SAMPLES), sample];
}

/**
 * @param {Latency} before
 * @param {Latency} after
 * @returns {Latency | null}
 */
function between(before, after) {
  if (before.buckets?.length !== after.buckets?.length || !after.buckets) return null;
  const buckets = after.buckets.map(([upper, count], place) => /** @type {[number | null, number]} */ ([upper, count - before.buckets[place][1]]));
  return { count: after.count - before.count, buckets };
}

/**
 * The seconds below which this share of all lies, evenly spread inside a bucket, as the server estimates it.
 *
 * @param {Latency | null} latency
 * @param {number} share
 * @returns {number | null}
 */
export function quantile(latency, share) {
  if (!latency || latency.count <= 0) return null;
  const rank = latency.count * share;
  let below = 0;
  let lower = 0;
  for (const [upper, count] of latency.buckets) {
    if (count > 0 && below + count >= rank) return upper === null ? lower : lower + ((upper - lower) * (rank - below)) / count;
    below += count;
    lower = upper ?? lower;
  }
  return null;
}

/**
 * The path of a line through values, in a box of this size with its zero below; it is broken where a value is missing or
 * the time between two is longer than `gap`, and a value that stands alone is a dot. `span` of time fills the box.
 *
 * @param {Array<{at: number, value: number | null}>} points
 * @param {{width: number, height: number, span: number, end: number, top: number, gap: number}} box
 * @returns {string} the `d` of a path; empty without a value
 */
export function linePath(points, { width, height, span, end, top, gap }) {
  const parts = [];
  let isDrawing = false;
  let last = -Infinity;
  for (const { at, value } of points) {
    if (value === null || at < end - span) {
      isDrawing = false;
      continue;
    }
    const x = round(width - ((end - at) / span) * width);
    const y = round(height - (top > 0 ? Math.min(value / top, 1) : 0) * height);
    parts.push(isDrawing && at - last <= gap ? `L${x} ${y}` : `M${x} ${y}h0`);
    isDrawing = true;
    last = at;
  }
  return parts.join("");
}

/** The least round number that all values fit below: 1, 2 or 5 with zeros. @param {Array<number | null>} values @param {number} least */
export function topOf(values, least) {
  const most = Math.max(least, ...values.map((value) => value ?? 0));
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 5, 10].find((candidate) => candidate * power >= most * (1 - 1e-9)) ?? 10;
  return step * power;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** Memory in the units of the settings, powers of 1,024: `72 MB`, `2 GB`. @param {number} bytes */
export function memoryWord(bytes) {
  const megabytes = bytes / 2 ** 20;
  if (megabytes < 1_000) return `${megabytes < 10 ? Number(megabytes.toFixed(1)) : Math.round(megabytes)} MB`;
  return `${Number((megabytes / 1_024).toFixed(1))} GB`;
}

/** Seconds of a latency in words: `85 µs`, `1.2 ms`, `0.25 s`. @param {number | null} seconds */
export function latencyWord(seconds) {
  if (seconds === null) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.01) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1e3)} ms`;
  return `${seconds.toFixed(1)} s`;
}
