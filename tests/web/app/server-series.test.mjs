// Numbers of the server over the last minutes, and its settings.

import assert from "node:assert/strict";
import { test } from "node:test";

import { latencyWord, linePath, MAX_SAMPLES, memoryWord, quantile, sampleOf, topOf, withSample } from "../../../src/web/app/core/server-series.js";
import { lifeLeft, originWord, sections, valueWord } from "../../../src/web/app/core/server-settings.js";

/** A report so many seconds after noon, with appends so far in two buckets and above. */
function report(seconds, counts, more = {}) {
  const buckets = [0.001, 0.01, null].map((upper, place) => [upper, counts[place]]);
  const latency = { count: counts.reduce((sum, count) => sum + count, 0), buckets };
  return { at: new Date(Date.UTC(2026, 0, 1, 12, 0, seconds)).toISOString(), uptimeSeconds: 100 + seconds, totals: { queued: 1, agentMemoryBytes: 5 },
    slots: { taken: 2, waiting: 3 }, latency: { append: latency, delivery: latency }, ...more };
}

test("a sample is about what took place since the report before", () => {
  const [first, second] = [report(0, [1_000, 0, 0]), report(2, [1_000, 10, 0])];
  const sample = sampleOf(second, first);
  assert.deepEqual([sample.queued, sample.slots, sample.waiting, sample.agentBytes, sample.serverBytes], [1, 2, 3, 5, 0]);
  assert.equal(sample.appends, 5);
  assert.ok(sample.appendP50 > 0.001 && sample.appendP50 < 0.01, "the thousand before do not count");
});

test("nothing is told of a time in which nothing took place, or that is not known", () => {
  const quiet = sampleOf(report(2, [7, 0, 0]), report(0, [7, 0, 0]));
  assert.deepEqual([quiet.appendP50, quiet.appends], [null, 0]);
  assert.equal(sampleOf(report(0, [7, 0, 0]), undefined).appends, null);
  const restarted = sampleOf(report(4, [1, 0, 0], { uptimeSeconds: 1 }), report(2, [7, 0, 0]));
  assert.equal(restarted.appends, null, "a server that was started again");
});

test("a quantile lies inside its bucket, and at the last bound for what is above", () => {
  const buckets = (...counts) => ({ count: counts.reduce((a, b) => a + b), buckets: [[1, counts[0]], [2, counts[1]], [null, counts[2]]] });
  assert.deepEqual([quantile(buckets(10, 0, 0), 0.5), quantile(buckets(0, 10, 0), 0.5), quantile(buckets(0, 0, 3), 0.5), quantile(null, 0.5)], [0.5, 1.5, 2, null]);
});

test("samples of five minutes are kept", () => {
  let samples = [];
  for (let at = 0; at < MAX_SAMPLES + 5; at += 1) samples = withSample(samples, { at });
  assert.deepEqual([samples.length, samples[0].at, samples.at(-1).at], [MAX_SAMPLES, 5, MAX_SAMPLES + 4]);
});

test("a line is broken where a value is missing", () => {
  const box = { width: 100, height: 10, span: 10, end: 10, top: 2, gap: 5 };
  const points = [[-1, 1], [0, 0], [5, 1], [6, null], [10, 9]].map(([at, value]) => ({ at, value }));
  assert.equal(linePath(points, box), "M0 10h0L50 5M100 0h0");
  assert.equal(linePath([{ at: 2, value: 0 }, { at: 8, value: 0 }], box), "M20 10h0M80 10h0", "nothing is known of the time in between");
  assert.equal(linePath([], box), "");
});

test("the top of a chart is a round number", () => {
  assert.deepEqual([topOf([3], 1), topOf([1], 1), topOf([null], 0.001), topOf([0.0021], 0.001), topOf([99, 100, 12], 1)], [5, 1, 0.001, 0.005, 100]);
});

test("latencies are told in their unit", () => {
  assert.deepEqual([null, 0.000085, 0.0012, 0.025, 1.25].map(latencyWord), ["–", "85 µs", "1.2 ms", "25 ms", "1.3 s"]);
});

test("memory is told as it is set", () => {
  assert.deepEqual([0, 5.5 * 2 ** 20, 72.4 * 2 ** 20, 2 ** 31, 2.5 * 2 ** 30].map(memoryWord), ["0 MB", "5.5 MB", "72 MB", "2 GB", "2.5 GB"]);
});

test("settings are told by section, with who set them", () => {
  const all = sections([{ key: "server.port", value: 1 }, { key: "server.bind", value: 2 }, { key: "agent.args", value: [] }]);
  assert.deepEqual(all.map(({ section, settings }) => [section, ...settings.map(({ name }) => name)]), [["server", "port", "bind"], ["agent", "args"]]);
  assert.deepEqual([[], ["a", "b"], "", 7, true].map(valueWord), ["none", "a, b", "empty", "7", "true"]);
  assert.deepEqual(["default", "environment TANDEM_PORT", "flag --port", "file /etc/tandem.toml"].map(originWord), ["", "TANDEM_PORT", "--port", "/etc/tandem.toml"]);
});

test("a life that is nearly over is told", () => {
  const session = { lastActivityAt: "2026-01-01T00:00:00Z", expiresAt: "2026-01-02T00:00:00Z" };
  const at = (hour) => lifeLeft(session, Date.UTC(2026, 0, 1, hour));
  assert.deepEqual([at(0).share, at(12).share, at(12).isShort, at(22).isShort, at(30).leftMs], [1, 0.5, false, true, 0]);
});
