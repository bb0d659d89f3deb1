// The projects: folders in which conversations work.

import { Badge } from "../components/badge.js";
import { Empty, Loading } from "../components/empty.js";
import { NotFetched, useFetched } from "../components/fetched.js";
import { Icon } from "../components/icon.js";
import { ViewHead } from "../components/view-head.js";
import { baseName, folderOf, plural } from "../core/format.js";
import { formatRoute } from "../core/routes.js";
import { sessions } from "../state/connection.js";
import { html } from "../ui.js";

/** @typedef {{projectPath: string, sessions: string[], locks: number, openConflicts: number}} Project */

export default function ProjectsView() {
  const fetched = useFetched("/api/projects", sessions.value?.size);
  /** @type {Project[] | null} */
  const projects = fetched.answer?.projects ?? null;
  return html`<${ViewHead} title="Projects" />
    <div class="page">
      ${projects === null
        ? fetched.problem ? html`<${NotFetched} heading="The projects are not there" fetched=${fetched} />` : html`<${Loading} />`
        : projects.length === 0
        ? html`<${Empty} icon="folder" heading="No projects yet"><p>A folder is one as soon as a conversation works in it.</p><//>`
        : html`<ul class="rows is-card">${projects.map((project) => html`<${Row} key=${project.projectPath} project=${project} />`)}</ul>`}
    </div>`;
}

/** @param {{project: Project}} props */
function Row({ project }) {
  const { locks, openConflicts } = project;
  return html`<li><a class="row" href=${formatRoute({ view: "project", projectPath: project.projectPath })}>
    <${Icon} name="folder" />
    <span class="row-main">
      <span class="row-title">${baseName(project.projectPath)}</span>
      <span class="row-more"><span class="row-project is-code">${folderOf(project.projectPath)}</span></span>
    </span>
    <span class="row-side"><span>${plural(project.sessions.length, "conversation")}</span>
      <span class="row-badges">
        ${locks > 0 && html`<${Badge} label=${plural(locks, "lock")}><${Icon} name="lock" size=${12} />${locks}<//>`}
        ${openConflicts > 0 && html`<${Badge} tone="bad" label=${plural(openConflicts, "open conflict")}>
          <${Icon} name="triangle-alert" size=${12} />${openConflicts}<//>`}
      </span></span>
  </a></li>`;
}
