// Looks at the server again and again while somebody looks at it here, and not otherwise.

import { sampleOf, withSample } from "../core/server-series.js";
import { signal } from "../ui.js";
import { api } from "./api.js";
import { isConnected } from "./connection.js";
import { lookAgain } from "./health.js";

/** Often enough that a chart moves, and some milliseconds of work for the server each time. */
const EVERY_MS = 2_000;

/** Health says little that the reports do not. */
const HEALTH_EVERY = 5;

/** More conversations than a person looks through; those with an agent come first. */
const MAX_LISTED = 200;

/** The latest report of `/api/metrics/sessions`; null until there is one. @type {import("../../vendor/signals/signals.js").Signal<any>} */
export const report = signal(null);

/** What the reports of the last minutes say. @type {import("../../vendor/signals/signals.js").Signal<import("../core/server-series.js").Sample[]>} */
export const samples = signal([]);

/** What is watched at the moment: the views of it, and the timer of the next look. */
let watchers = 0;
let timer = 0;
let looks = 0;

/** Looks from now on; what it returns ends that. */
export function watchServer() {
  watchers += 1;
  if (watchers === 1) {
    document.addEventListener("visibilitychange", look);
    void look();
  }
  return () => {
    watchers -= 1;
    if (watchers > 0) return;
    document.removeEventListener("visibilitychange", look);
    clearTimeout(timer);
  };
}

async function look() {
  clearTimeout(timer);
  if (watchers === 0 || document.visibilityState === "hidden") return;
  if (isConnected.peek()) {
    if (looks % HEALTH_EVERY === 0) void lookAgain();
    looks += 1;
    await takeReport();
  }
  clearTimeout(timer);
  if (watchers > 0) timer = setTimeout(look, EVERY_MS);
}

/** Looks once, at once. */
export async function takeReport() {
  try {
    const now = await api("GET", "/api/metrics/sessions", { query: { limit: MAX_LISTED } });
    const before = report.peek();
    // Two looks at once may be answered in another order.
    if (before && now.at <= before.at && now.uptimeSeconds >= before.uptimeSeconds) return;
    report.value = now;
    samples.value = withSample(samples.peek(), sampleOf(now, before));
  } catch {
    // The connection itself tells that the server is away.
  }
}
