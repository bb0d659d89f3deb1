// Walks through the folders of the server's machine to the one in which a conversation is to work.

import { api } from "../state/api.js";
import { html, useEffect, useSignal } from "../ui.js";
import { Icon } from "./icon.js";

/** @typedef {{path: string, parent: string | null, folders: string[]}} Listing */

/** @param {{start: string, onChoose: (path: string) => void}} props `start`: where to begin, if it is there */
export function FolderPicker({ start, onChoose }) {
  /** @type {import("../../vendor/signals/signals.js").Signal<Listing | null>} */
  const now = useSignal(null);
  const problem = useSignal("");
  const look = async (/** @type {string} */ path) => {
    try {
      now.value = await api("GET", "/api/projects/folders", { query: { path } });
      problem.value = "";
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
  };
  const enter = (/** @type {string} */ path) => {
    onChoose(path);
    void look(path);
  };
  useEffect(() => void look(start), []);
  if (problem.value) return html`<p class="quiet" role="alert">${problem.value}</p>`;
  if (!now.value) return html`<p class="quiet" role="status">Looking…</p>`;
  const { path, parent, folders } = now.value;
  return html`<div class="folders">
    <p class="folders-here is-code">${path}</p>
    <ul>
      ${parent !== null && html`<li><button type="button" class="folder" onClick=${() => enter(parent)}><${Icon} name="arrow-up" />Up</button></li>`}
      ${folders.map((name) => html`<li key=${name}><button type="button" class="folder" onClick=${() => enter(`${path.replace(/\/$/, "")}/${name}`)}>
        <${Icon} name="folder" />${name}</button></li>`)}
      ${folders.length === 0 && html`<li class="quiet folders-none">No folders in here</li>`}
    </ul>
  </div>`;
}
