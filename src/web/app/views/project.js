// One project: its conversations, and the locks in it.

import { Button } from "../components/button.js";
import { Empty, Loading } from "../components/empty.js";
import { Icon } from "../components/icon.js";
import { openNewSession } from "../components/new-session.js";
import { StatusMark } from "../components/status.js";
import { TimeAgo } from "../components/time-ago.js";
import { ViewHead } from "../components/view-head.js";
import { baseName } from "../core/format.js";
import { formatRoute } from "../core/routes.js";
import { titleOf } from "../core/session-list.js";
import { api } from "../state/api.js";
import { nameOf, sessions } from "../state/connection.js";
import { tellError } from "../state/toasts.js";
import { html, useEffect, useSignal } from "../ui.js";

/** @param {{route: {projectPath: string}}} props */
export default function ProjectView({ route: { projectPath } }) {
  /** @type {import("../../vendor/signals/signals.js").Signal<any[] | null>} */
  const locks = useSignal(null);
  useEffect(() => {
    api("GET", "/api/locks", { query: { project: projectPath } }).then((answer) => (locks.value = answer.locks), tellError);
  }, [projectPath]);
  const here = [...(sessions.value?.values() ?? [])].filter((session) => session.projectPath === projectPath);
  return html`<${ViewHead} title=${baseName(projectPath)} back="#/projects" more=${html`<span class="is-code">${projectPath}</span>`}>
      <${Button} look="main" icon="plus" onClick=${() => openNewSession({ projectPath })}>New<//>
    <//>
    <div class="page">
      <h2 class="list-heading">Conversations</h2>
      ${here.length === 0
        ? html`<${Empty} icon="messages-square" heading="No conversation works here" />`
        : html`<ul class="rows is-card">${here.map((session) => html`<li key=${session.sessionId}>
            <a class="row" href=${formatRoute({ view: "session", sessionId: session.sessionId })}>
              <${StatusMark} status=${session.status} />
              <span class="row-main"><span class="row-title">${titleOf(session)}</span></span>
              <span class="row-side"><${TimeAgo} at=${session.lastActivityAt} /></span></a></li>`)}</ul>`}
      <h2 class="list-heading">Locks</h2>
      ${locks.value === null ? html`<${Loading} lines=${2} />` : locks.value.length === 0
        ? html`<p class="quiet">Nothing is locked.</p>`
        : html`<ul class="rows is-card">${locks.value.map((lock, place) => html`<li key=${place} class="row">
            <${Icon} name=${lock.isWaiting ? "hourglass" : "lock"} />
            <span class="row-main"><span class="row-title is-code">${lock.resourceId}</span>
              <span class="row-more">${lock.lockType} · ${lock.mode} · ${holderName(lock.holder)}${lock.isWaiting ? " waits" : ""}</span></span>
          </li>`)}</ul>`}
    </div>`;
}

/** @param {{deviceId?: string, sessionId?: string}} holder */
function holderName({ deviceId, sessionId }) {
  if (deviceId) return nameOf(deviceId);
  const session = sessions.value?.get(sessionId ?? "");
  return session ? titleOf(session) : "a conversation";
}
