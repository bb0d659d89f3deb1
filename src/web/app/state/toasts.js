// Short words at the edge of the window, that go away by themselves.

import { signal } from "../ui.js";

/** Long enough to read two lines aloud. */
const SHOWN_MS = 6_000;

/** More at once cover the page, and nobody reads them. */
const MAX_SHOWN = 3;

/** @typedef {{label: string, run: () => void}} ToastAction */
/** @typedef {{id: number, text: string, kind: "info" | "error" | "done", action?: ToastAction}} Toast */

/** @type {import("../../vendor/signals/signals.js").Signal<Toast[]>} */
export const toasts = signal([]);

let nextId = 1;

/**
 * Says something. With an action it stays until somebody has decided.
 *
 * @param {string} text
 * @param {{kind?: Toast["kind"], action?: ToastAction}} [more]
 */
export function toast(text, { kind = "done", action } = {}) {
  const id = nextId++;
  const others = toasts.value.filter((other) => other.text !== text);
  toasts.value = [...others.slice(1 - MAX_SHOWN), { id, text, kind, action }];
  if (!action) setTimeout(() => dismiss(id), SHOWN_MS);
}

/** @param {number} id */
export function dismiss(id) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** Tells of what went wrong, in the server's own words. @param {unknown} error */
export function tellError(error) {
  toast(error instanceof Error ? error.message : String(error), { kind: "error" });
}
