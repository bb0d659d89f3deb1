// Walks through the folders of the server's machine to the one in which a conversation is to work.

import { api } from "../state/api.js";
import { html, useEffect, useRef, useSignal } from "../ui.js";
import { Icon } from "./icon.js";

/** @typedef {{path: string, parent: string | null, folders: string[]}} Listing */

/** @param {{start: string, root?: string, onChoose: (path: string) => void}} props `start`: where to begin, if it is there; `root`: where else */
export function FolderPicker({ start, root, onChoose }) {
  /** @type {import("../../vendor/signals/signals.js").Signal<Listing | null>} */
  const now = useSignal(null);
  const problem = useSignal("");
  /** Counts what was asked for: only the last answer is shown. */
  const asked = useRef(0);
  const look = async (/** @type {string} */ path) => {
    asked.current += 1;
    const own = asked.current;
    try {
      const listing = await api("GET", "/api/projects/folders", { query: { path } });
      if (own !== asked.current) return;
      now.value = listing;
      problem.value = "";
    } catch (error) {
      if (own !== asked.current) return;
      // Whoever has typed a path that is not there begins where all projects lie.
      if (now.peek() === null && root !== undefined && path !== root) return look(root);
      problem.value = error instanceof Error ? error.message : String(error);
    }
  };
  const enter = (/** @type {string} */ path) => {
    onChoose(path);
    void look(path);
  };
  const failed = problem.value && html`<p class="quiet" role="alert">${problem.value}</p>`;
  useEffect(() => void look(start), []);
  if (!now.value && failed) return html`${failed}<button type="button" class="folder" onClick=${() => void look(root ?? start)}>
    <${Icon} name="refresh-cw" />Look again</button>`;
  if (!now.value) return html`<p class="quiet" role="status">Looking…</p>`;
  const { path, parent, folders } = now.value;
  return html`<div class="folders">
    ${failed}
    <p class="folders-here is-code">${path}</p>
    <ul>
      ${parent !== null && html`<li><button type="button" class="folder" onClick=${() => enter(parent)}><${Icon} name="arrow-up" />Up</button></li>`}
      ${folders.map((name) => html`<li key=${name}><button type="button" class="folder" onClick=${() => enter(`${path.replace(/\/$/, "")}/${name}`)}>
        <${Icon} name="folder" />${name}</button></li>`)}
      ${folders.length === 0 && html`<li class="quiet folders-none">No folders in here</li>`}
    </ul>
  </div>`;
}
