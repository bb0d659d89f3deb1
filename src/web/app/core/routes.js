// Where in the app a person is, as the fragment of the address: `#/`, `#/s/ID`, `#/projects`, `#/p/PATH`,
// `#/p/PATH/c/ID` for a conflict, `#/server`. Pure.

/**
 * A place in the app. `sessionId` and `projectPath` are there where the view is about one.
 *
 * @typedef {{view: "sessions" | "projects" | "server"} | {view: "session", sessionId: string}
 *   | {view: "project", projectPath: string, conflictId?: string}} Route
 */

/**
 * Reads a fragment. What is not known leads to the list of conversations.
 *
 * @param {string} fragment with or without `#`
 * @returns {Route}
 */
export function parseRoute(fragment) {
  const [, view, rest = ""] = /^#?\/?([a-z]*)\/?(.*)$/s.exec(fragment) ?? [];
  if (view === "s" && rest) return { view: "session", sessionId: decoded(rest) };
  if (view === "p" && rest) {
    const [, path, conflictId] = /^(.*?)(?:\/c\/([0-9a-f-]+))?$/is.exec(rest) ?? ["", rest];
    return { view: "project", projectPath: decoded(path), ...(conflictId ? { conflictId } : {}) };
  }
  if (view === "projects" || view === "server") return { view };
  return { view: "sessions" };
}

/**
 * The fragment of a place, with `#`.
 *
 * @param {Route} route
 */
export function formatRoute(route) {
  if (route.view === "session") return `#/s/${encodeURIComponent(route.sessionId)}`;
  if (route.view === "project") return `#/p/${encodeURIComponent(route.projectPath)}${route.conflictId ? `/c/${route.conflictId}` : ""}`;
  return route.view === "sessions" ? "#/" : `#/${route.view}`;
}

/**
 * Takes the token out of a fragment, as the link of `tandem serve` has it: `#token=…`, also with a place behind it,
 * `#token=…&to=/s/ID`.
 *
 * @param {string} fragment
 * @returns {{token: string | null, rest: string}} `rest`: the fragment to go on with
 */
export function takeToken(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const token = /^#?token=/.test(fragment) ? fields.get("token") : null;
  if (!token) return { token: null, rest: fragment };
  const to = fields.get("to");
  return { token, rest: to ? `#${to}` : "#/" };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
