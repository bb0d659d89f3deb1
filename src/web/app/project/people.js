// Who works in a project: its conversations with what they do, and devices with where they are.

import { Badge } from "../components/badge.js";
import { Button } from "../components/button.js";
import { Empty } from "../components/empty.js";
import { Icon } from "../components/icon.js";
import { openNewSession } from "../components/new-session.js";
import { StatusMark } from "../components/status.js";
import { TimeAgo } from "../components/time-ago.js";
import { plural, withinProject } from "../core/format.js";
import { placeOf } from "../core/project-state.js";
import { formatRoute } from "../core/routes.js";
import { titleOf } from "../core/session-list.js";
import { nameOf, sessions } from "../state/connection.js";
import { deviceId } from "../state/identity.js";
import { html, useState } from "../ui.js";

/** How many conversations that are not at work are shown before somebody asks for all. */
const FEW = 5;

/** @param {{channel: import("../state/project-channel.js").ProjectChannel, project: import("../core/project-state.js").Project}} props */
export function People({ channel, project }) {
  const [isAllShown, showAll] = useState(false);
  const all = [...(sessions.value?.values() ?? [])].filter((session) => session.projectPath === project.projectPath && session.status !== "closed");
  const rank = (/** @type {{sessionId: string}} */ { sessionId }) => ["primary", "secondary"].indexOf(project.roles.get(sessionId) ?? "") >>> 0;
  all.sort((one, other) => rank(one) - rank(other) || (one.lastActivityAt < other.lastActivityAt ? 1 : -1));
  const here = all.filter(({ sessionId }) => project.roles.has(sessionId));
  const shown = isAllShown ? all : all.slice(0, Math.max(here.length, FEW));
  const begin = html`<${Button} icon="plus" onClick=${() => openNewSession({ projectPath: project.projectPath })}>New conversation<//>`;
  return html`<section aria-labelledby="people-heading">
    <h2 class="list-heading" id="people-heading">Who works here</h2>
    ${all.length === 0
      ? html`<div class="card"><${Empty} icon="messages-square" heading="No conversation works here" actions=${begin} /></div>`
      : html`<ul class="rows is-card">${shown.map((session) => html`<${Row} key=${session.sessionId} session=${session} role=${project.roles.get(session.sessionId)} />`)}
          <${Cursors} channel=${channel} project=${project} />
          ${shown.length < all.length && html`<li><button type="button" class="row-button" onClick=${() => showAll(true)}>Show ${all.length - shown.length} more</button></li>`}
        </ul>`}
  </section>`;
}

/** @param {{session: import("../core/session-list.js").Summary, role: string | undefined}} props */
function Row({ session, role }) {
  const online = session.online.map(nameOf);
  return html`<li><a class="row" href=${formatRoute({ view: "session", sessionId: session.sessionId })}>
    <${StatusMark} status=${session.status} />
    <span class="row-main">
      <span class="row-title">${titleOf(session)}</span>
      <span class="row-more">${online.length > 0
        ? html`<span class="row-here"><${Icon} name="users" size=${14} /></span><span class="row-project">${online.join(", ")}</span>`
        : html`<span>Nobody looks at it</span>`}</span>
    </span>
    <span class="row-side"><${TimeAgo} at=${session.lastActivityAt} />
      <span class="row-badges">
        ${role === "primary" && html`<${Badge} tone="good" label="At work here, the oldest one">leads<//>`}
        ${role === "secondary" && html`<${Badge} label="At work here">at work<//>`}
        ${session.queued > 0 && html`<${Badge} label=${plural(session.queued, "message")}>${session.queued}<//>`}
      </span></span>
  </a></li>`;
}

/** @param {{channel: import("../state/project-channel.js").ProjectChannel, project: import("../core/project-state.js").Project}} props */
function Cursors({ channel, project }) {
  const others = [...channel.cursors.value].filter(([device]) => device !== deviceId());
  return others.map(([device, { at, cursor }]) => {
    const place = placeOf(cursor);
    return html`<li key=${device} class="row">
      <${Icon} name="text-cursor-input" size=${16} />
      <span class="row-main"><span class="row-title">${nameOf(device)}</span>
        <span class="row-more"><span class="row-project is-code">${place ? withinProject(place, project.projectPath) : "somewhere here"}</span></span></span>
      <span class="row-side"><${TimeAgo} at=${new Date(at).toISOString()} /></span>
    </li>`;
  });
}
