// Conflicts of a project: those that wait for somebody, and those that are settled.

import { Badge } from "../components/badge.js";
import { Icon } from "../components/icon.js";
import { TimeAgo } from "../components/time-ago.js";
import { withinProject } from "../core/format.js";
import { isOfFile, kindOf, resolutionWord } from "../core/project-conflicts.js";
import { conflictsOf } from "../core/project-state.js";
import { formatRoute } from "../core/routes.js";
import { html } from "../ui.js";
import { holderName } from "./holder.js";

/** @param {{project: import("../core/project-state.js").Project}} props */
export function Conflicts({ project }) {
  const { open, settled } = conflictsOf(project);
  return html`<section aria-labelledby="conflicts-heading">
    <h2 class="list-heading" id="conflicts-heading">Conflicts</h2>
    ${open.length === 0
      ? html`<p class="card is-quiet"><${Icon} name="circle-check" /><span>No conflict waits for a decision.</span></p>`
      : html`<ul class="rows is-card">${open.map((conflict) => html`<${Row} key=${conflict.conflictId} conflict=${conflict} />`)}</ul>`}
    ${settled.length > 0 && html`<details class="more settled"><summary>${settled.length} settled</summary>
      <ul class="rows is-card">${settled.map((conflict) => html`<${Row} key=${conflict.conflictId} conflict=${conflict} />`)}</ul></details>`}
  </section>`;
}

/** @param {{conflict: import("../core/project-state.js").Conflict}} props */
function Row({ conflict }) {
  const { icon, word } = kindOf(conflict);
  const { projectPath, conflictId, resolution, ours, theirs } = conflict;
  // Behind a branch there is nobody; behind a file there is.
  const names = [ours, theirs].filter(({ holder }) => holder || isOfFile(conflict)).map(({ holder }) => holderName(holder));
  return html`<li><a class="row" href=${formatRoute({ view: "project", projectPath, conflictId })}>
    <span class=${resolution ? "quiet" : "is-bad-text"}><${Icon} name=${resolution ? "circle-check" : icon} /></span>
    <span class="row-main">
      <span class="row-title is-code">${withinProject(conflict.subject, projectPath)}</span>
      <span class="row-more"><span class="row-project">${resolution ? resolutionWord(resolution) : word} · ${names.join(", ")}</span></span>
    </span>
    <span class="row-side"><${TimeAgo} at=${conflict.foundAt} />
      ${!resolution && html`<span class="row-badges"><${Badge} tone="bad">decide<//></span>`}</span>
  </a></li>`;
}
