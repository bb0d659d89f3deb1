// The conversations that are alive: what their agents take, and until when they live.

import { Button } from "../components/button.js";
import { Empty } from "../components/empty.js";
import { StatusMark } from "../components/status.js";
import { baseName, duration, plural } from "../core/format.js";
import { memoryWord } from "../core/server-series.js";
import { lifeLeft } from "../core/server-settings.js";
import { formatRoute } from "../core/routes.js";
import { titleOf } from "../core/session-list.js";
import { api } from "../state/api.js";
import { takeReport } from "../state/server-watch.js";
import { tellError, toast } from "../state/toasts.js";
import { classes, html, useState } from "../ui.js";

/** More are shown when somebody asks. */
const FEW = 8;

/** @param {{report: any}} props */
export function Agents({ report }) {
  const [isAllShown, showAll] = useState(false);
  const now = Date.parse(report.at);
  const alive = report.sessions.filter((/** @type {any} */ { status }) => status !== "closed" && status !== "expired");
  const shown = isAllShown ? alive : alive.slice(0, FEW);
  return html`<section aria-labelledby="agents-heading">
    <h2 class="list-heading" id="agents-heading">Conversations that are alive</h2>
    ${alive.length === 0
      ? html`<div class="card"><${Empty} icon="bot" heading="No conversation is alive"><p>Those that have expired come back with the next message.</p><//></div>`
      : html`<ul class="rows is-card">
          ${shown.map((/** @type {any} */ session) => html`<${Row} key=${session.sessionId} session=${session} now=${now} />`)}
          ${shown.length < alive.length && html`<li><button type="button" class="row-button" onClick=${() => showAll(true)}>Show ${alive.length - shown.length} more</button></li>`}
        </ul>`}
  </section>`;
}

/** @param {{session: any, now: number}} props */
function Row({ session, now }) {
  const [isBusy, setBusy] = useState(false);
  const { sessionId, projectPath, status, pid, memoryBytes, queued, lagEvents } = session;
  const life = lifeLeft(session, now);
  const extend = async () => {
    setBusy(true);
    try {
      const { expiresAt } = await api("POST", "/api/sessions/keep-alive", { body: { sessionId } });
      toast(`${titleOf(session)} lives until ${new Date(expiresAt).toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" })}.`);
      await takeReport();
    } catch (error) {
      tellError(error);
    }
    setBusy(false);
  };
  return html`<li class="agent">
    <${StatusMark} status=${status} />
    <div class="agent-main">
      <a class="agent-title" href=${formatRoute({ view: "session", sessionId })}>${titleOf(session)}</a>
      <span class="row-more"><span class="row-project">${baseName(projectPath)}</span>
        ${pid ? html`<span>${memoryWord(memoryBytes ?? 0)}</span><span class="agent-pid">process ${pid}</span>` : html`<span>no process</span>`}
        ${queued > 0 && html`<span>${plural(queued, "message")} queued</span>`}
        ${lagEvents > 0 && html`<span>a device is ${lagEvents} behind</span>`}</span>
    </div>
    <div class="agent-life">
      <span class=${classes("agent-left", life.isShort && "is-warn-text")} title=${`Expires ${new Date(session.expiresAt).toLocaleString()}`}>
        <span class="only-heard">Expires in </span>${duration(Math.max(Math.round(life.leftMs / 60_000) * 60_000, 1_000))}</span>
      <span class="meter-bar" aria-hidden="true"><span class=${classes("meter-fill", life.isShort && "is-full")} style=${{ width: `${life.share * 100}%` }}></span></span>
    </div>
    <${Button} icon="timer" isBusy=${isBusy} aria-label=${`Extend ${titleOf(session)}`} onClick=${extend}>Extend<//>
  </li>`;
}
