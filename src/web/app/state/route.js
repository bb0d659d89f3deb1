// Where the person is in the app, kept in the fragment of the address.

import { formatRoute, parseRoute } from "../core/routes.js";
import { signal } from "../ui.js";

/** @typedef {import("../core/routes.js").Route} Route */

/** @type {import("../../vendor/signals/signals.js").Signal<Route>} */
export const route = signal(parseRoute(location.hash));

addEventListener("hashchange", readAddress);

/** Goes where the address says; called when it was changed without the browser telling of it. */
export function readAddress() {
  route.value = parseRoute(location.hash);
}

/**
 * Goes there.
 *
 * @param {Route} to
 * @param {{replace?: boolean}} [more] `replace`: going back does not lead here
 */
export function go(to, { replace = false } = {}) {
  const fragment = formatRoute(to);
  if (replace) {
    history.replaceState(null, "", fragment);
    route.value = to;
  } else {
    location.hash = fragment;
  }
}
