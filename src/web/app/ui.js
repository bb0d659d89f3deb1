// What views are made with: elements as templates, hooks and signals, from one place.

import htm from "../vendor/htm/htm.js";
import { h } from "../vendor/preact/preact.js";

export { Component, createContext, Fragment, render } from "../vendor/preact/preact.js";
export { useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact/hooks.js";
export { batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect } from "../vendor/signals/signals.js";

/**
 * Elements from a template: `` html`<p class="quiet">${text}</p>` ``. What is put in is text or elements, never markup.
 *
 * @type {(strings: TemplateStringsArray, ...values: any[]) => any}
 */
export const html = htm.bind(h);

/** Names of classes, without those that are not there. @param {...(string | false | null | undefined)} names */
export function classes(...names) {
  return names.filter(Boolean).join(" ");
}
