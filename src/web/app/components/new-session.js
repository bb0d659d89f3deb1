// The dialog in which a conversation begins: in which project, under which title, with which leave.

import { baseName, folderOf } from "../core/format.js";
import { recentProjects } from "../core/session-list.js";
import { api } from "../state/api.js";
import { client, sessions } from "../state/connection.js";
import { go } from "../state/route.js";
import { html, signal, useEffect, useId, useSignal } from "../ui.js";
import { Button } from "./button.js";
import { closeDialog, Dialog, openDialog } from "./dialog.js";
import { FolderPicker } from "./folder-picker.js";
import { Icon } from "./icon.js";

/** More do not fit above the keyboard of a phone; the field takes all others. */
const MAX_RECENT = 6;

const MODES = [
  ["", "Ask before it changes anything"],
  ["acceptEdits", "May edit files, asks for the rest"],
  ["plan", "Plans only, changes nothing"],
  ["bypassPermissions", "May do everything unasked"],
];

/** @type {import("../../vendor/signals/signals.js").Signal<string[]>} */
const roots = signal([]);

/** @param {any} [begin] a click, or `{projectPath}` to begin with */
export function openNewSession(begin) {
  const projectPath = typeof begin?.projectPath === "string" ? begin.projectPath : "";
  openDialog(() => html`<${NewSession} projectPath=${projectPath} />`);
}

/** @param {{projectPath: string}} props */
function NewSession({ projectPath }) {
  const listId = useId();
  const recent = recentProjects(sessions.value?.values() ?? []);
  const chosen = useSignal(projectPath || recent[0] || "");
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const isBrowsing = useSignal(false);
  useEffect(() => {
    void api("GET", "/api/projects").then((answer) => (roots.value = answer.allowedRoots ?? []), () => {});
  }, []);

  const onSubmit = async (/** @type {FormData} */ fields) => {
    const text = (/** @type {string} */ name) => String(fields.get(name) ?? "").trim() || undefined;
    const path = text("project");
    if (!path || !client.value) return;
    isBusy.value = true;
    problem.value = "";
    try {
      const sessionId = await client.value.createSession({
        projectPath: path, title: text("title"), model: text("model"), permissionMode: text("mode"),
      });
      closeDialog();
      go({ view: "session", sessionId });
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
      isBusy.value = false;
    }
  };
  const footer = html`<${Button} onClick=${closeDialog}>Cancel<//>
    <${Button} type="submit" look="main" isBusy=${isBusy.value}>Begin<//>`;
  return html`<${Dialog} title="New conversation" footer=${footer} onSubmit=${onSubmit}>
    ${recent.length > 0 && html`<fieldset class="choices">
      <legend>Recent projects</legend>
      ${recent.slice(0, MAX_RECENT).map((path) => html`<button key=${path} type="button" class="choice" aria-pressed=${chosen.value === path}
        onClick=${() => (chosen.value = path)}>
        <${Icon} name="folder" /><span class="choice-words"><b>${baseName(path)}</b><small>${folderOf(path)}</small></span></button>`)}
    </fieldset>`}
    <label class="field"><span>Folder on the machine of the server</span>
      <input class="input is-code" name="project" required autocomplete="off" spellcheck=${false} autocapitalize="off" list=${listId}
        placeholder=${roots.value[0] ? `${roots.value[0]}/…` : "/path/to/project"} value=${chosen.value} data-first
        onInput=${(/** @type {any} */ event) => (chosen.value = event.target.value)} />
      ${roots.value.length > 0 && html`<small>It must lie in ${roots.value.join(" or ")}.</small>`}
      <datalist id=${listId}>${[...recent, ...roots.value].map((path) => html`<option key=${path} value=${path} />`)}</datalist>
    </label>
    ${roots.value.length > 0 && html`<details class="more" onToggle=${(/** @type {any} */ event) => (isBrowsing.value = event.currentTarget.open)}>
      <summary>Browse folders</summary>
      ${isBrowsing.value && html`<${FolderPicker} start=${chosen.value || roots.value[0]} root=${roots.value[0]} onChoose=${(/** @type {string} */ path) => (chosen.value = path)} />`}
    </details>`}
    <label class="field"><span>Title <small>(optional)</small></span>
      <input class="input" name="title" maxlength="200" autocomplete="off" placeholder="What it is about" /></label>
    <details class="more"><summary>More</summary>
      <label class="field"><span>What the agent may do</span>
        <select class="input" name="mode">${MODES.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select></label>
      <label class="field"><span>Model <small>(optional)</small></span>
        <input class="input is-code" name="model" autocomplete="off" spellcheck=${false} placeholder="the agent's own choice" /></label>
    </details>
    ${problem.value && html`<p class="note is-bad" role="alert"><${Icon} name="circle-alert" /><span>${problem.value}</span></p>`}
  <//>`;
}
