// Light, dark, or as the system says.

import { effect, signal } from "../ui.js";
import { keep, kept } from "./store.js";

/** @typedef {"system" | "light" | "dark"} Theme */

/** @type {import("../../vendor/signals/signals.js").Signal<Theme>} */
export const theme = signal(kept("theme") ?? "system");

effect(() => {
  const { classList } = document.documentElement;
  classList.toggle("is-light", theme.value === "light");
  classList.toggle("is-dark", theme.value === "dark");
});

/** @param {Theme} chosen */
export function setTheme(chosen) {
  keep("theme", chosen === "system" ? undefined : chosen);
  theme.value = chosen;
}

/** The next of the three. */
export function turnTheme() {
  /** @type {Theme[]} */
  const all = ["system", "light", "dark"];
  setTheme(all[(all.indexOf(theme.value) + 1) % all.length]);
  return theme.value;
}
