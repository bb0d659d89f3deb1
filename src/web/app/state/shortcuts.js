// Keys that do something wherever the person is, and what they do, for the sheet that explains them.

import { isDialogOpen } from "../components/dialog.js";
import { signal } from "../ui.js";
import { keep, kept } from "./store.js";

/**
 * A key and what it does. `keys` is as `?`, `g`, `Ctrl+.`; those with `Ctrl` work in fields too (⌘ on a Mac).
 *
 * @typedef {{keys: string, label: string, group: string, run: () => void}} Shortcut
 */

/** @type {import("../../vendor/signals/signals.js").Signal<Shortcut[]>} */
export const shortcuts = signal([]);

/** Single keys can be switched off: whoever dictates, or hits keys by accident, needs that (WCAG 2.1.4). */
export const areSingleKeysOn = signal(kept("single-keys") ?? true);

/** @param {boolean} isOn */
export function setSingleKeys(isOn) {
  keep("single-keys", isOn ? undefined : false);
  areSingleKeysOn.value = isOn;
}

/**
 * Adds keys; what it returns takes them away again. A later one hides an earlier one of the same keys.
 *
 * @param {Shortcut[]} added
 */
export function addShortcuts(added) {
  shortcuts.value = [...shortcuts.peek(), ...added];
  return () => {
    shortcuts.value = shortcuts.peek().filter((shortcut) => !added.includes(shortcut));
  };
}

/** Listens to keys, for as long as the page lives. */
export function listenToKeys() {
  addEventListener("keydown", (event) => {
    // A key that is held down means one thing, however often it is told.
    if (event.defaultPrevented || event.isComposing || event.repeat || isDialogOpen()) return;
    const isChord = event.ctrlKey || event.metaKey;
    if (event.altKey || (!isChord && (isField(event.target) || !areSingleKeysOn.value))) return;
    const keys = (isChord ? "Ctrl+" : "") + event.key;
    const found = shortcuts.value.findLast((shortcut) => shortcut.keys === keys);
    if (!found) return;
    event.preventDefault();
    found.run();
  });
}

/** @param {any} target */
function isField(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
