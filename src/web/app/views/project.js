// One project: conflicts, locks, who works there, and what has happened; or one of its conflicts.

import { Button } from "../components/button.js";
import { Empty, Loading } from "../components/empty.js";
import { openNewSession } from "../components/new-session.js";
import { ViewHead } from "../components/view-head.js";
import { baseName, withinProject } from "../core/format.js";
import { formatRoute } from "../core/routes.js";
import { ConflictPage } from "../project/conflict.js";
import { Conflicts } from "../project/conflicts.js";
import { EnforcementChoice } from "../project/enforcement.js";
import { Locks } from "../project/locks.js";
import { People } from "../project/people.js";
import { Timeline } from "../project/timeline.js";
import { client } from "../state/connection.js";
import { ProjectChannel } from "../state/project-channel.js";
import { html, useEffect, useState } from "../ui.js";

/** @param {{route: {projectPath: string, conflictId?: string}}} props */
export default function ProjectView({ route: { projectPath, conflictId } }) {
  const [channel, setChannel] = useState(/** @type {ProjectChannel | null} */ (null));
  const connected = client.value;
  useEffect(() => {
    if (!connected) return undefined;
    const opened = new ProjectChannel(connected, projectPath);
    setChannel(opened);
    return () => opened.close();
  }, [connected, projectPath]);

  const project = channel?.project.value ?? null;
  const problem = channel?.problem.value ?? null;
  const name = baseName(projectPath);
  if (conflictId !== undefined) {
    const subject = project?.conflicts.get(conflictId)?.subject;
    const place = formatRoute({ view: "project", projectPath });
    return html`<${ViewHead} title=${subject ? withinProject(subject, projectPath) : "Conflict"} back=${place} more=${html`<a href=${place}>${name}</a> · conflict`} />
      <div class="page is-broad">${channel && project ? html`<${ConflictPage} project=${project} conflictId=${conflictId} channel=${channel} />` : html`<${Waiting} problem=${problem} />`}</div>`;
  }
  return html`<${ViewHead} title=${name} back="#/projects" more=${html`<span class="is-code">${projectPath}</span>`}>
      <${Button} look="main" icon="plus" onClick=${() => openNewSession({ projectPath })}>New<//>
    <//>
    <div class="page is-broad">${channel && project
      ? html`<div class="project">
          <div class="project-now">
            <${Conflicts} project=${project} />
            <${Locks} project=${project} channel=${channel} />
            <${People} project=${project} channel=${channel} />
            <${EnforcementChoice} project=${project} />
          </div>
          <${Timeline} channel=${channel} projectPath=${project.projectPath} />
        </div>`
      : html`<${Waiting} problem=${problem} />`}</div>`;
}

/** @param {{problem: Error | null}} props */
function Waiting({ problem }) {
  if (!problem) return html`<${Loading} lines=${8} />`;
  const back = html`<a class="button" href="#/projects">All projects</a>`;
  return html`<${Empty} icon="folder" heading="This project cannot be shown" actions=${back}><p>${problem.message}</p><//>`;
}
