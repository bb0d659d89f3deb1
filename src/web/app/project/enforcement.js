// How far agents are held to the locks of a project, where the server lets people choose.

import { Icon } from "../components/icon.js";
import { api } from "../state/api.js";
import { tellError } from "../state/toasts.js";
import { html, useState } from "../ui.js";

/** @typedef {import("../core/project-state.js").Enforcement} Enforcement */

/** @type {Array<{value: Enforcement, label: string, meaning: string}>} */
const WAYS = [
  { value: "on", label: "On", meaning: "What is locked, or was changed unseen, is not written by an agent." },
  { value: "warn", label: "Warn", meaning: "Agents write all the same; it is told, and what they write over something unseen is a conflict." },
  { value: "off", label: "Off", meaning: "Nobody looks what agents write over." },
];

/** @param {{project: import("../core/project-state.js").Project}} props */
export function EnforcementChoice({ project }) {
  const [isBusy, setBusy] = useState(false);
  const now = WAYS.find(({ value }) => value === project.enforcement);
  if (!now) return null;
  const choose = async (/** @type {Enforcement} */ enforcement) => {
    setBusy(true);
    await api("PATCH", "/api/projects", { body: { projectPath: project.projectPath, enforcement } }).catch(tellError);
    setBusy(false);
  };
  return html`<section class="card enforcement" aria-labelledby="enforcement-heading">
    <div class="enforcement-head">
      <${Icon} name="shield-check" />
      <h2 id="enforcement-heading">Agents are held to locks</h2>
      <div class="segments" role="group" aria-labelledby="enforcement-heading">
        ${WAYS.map(({ value, label }) => html`<button key=${value} type="button" class="segment" aria-pressed=${value === now.value} disabled=${isBusy}
          onClick=${() => value !== now.value && void choose(value)}>${label}</button>`)}
      </div>
    </div>
    <p class="quiet">${now.meaning}</p>
  </section>`;
}
