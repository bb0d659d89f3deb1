// The server: how it is.

import { Button } from "../components/button.js";
import { Loading } from "../components/empty.js";
import { Icon } from "../components/icon.js";
import { ViewHead } from "../components/view-head.js";
import { bytes, duration } from "../core/format.js";
import { health, lookAgain } from "../state/health.js";
import { html, useEffect } from "../ui.js";

export default function ServerView() {
  useEffect(() => void lookAgain(), []);
  const now = health.value;
  return html`<${ViewHead} title="Server">
      <${Button} look="bare" icon="refresh-cw" label="Look again" onClick=${() => void lookAgain()} />
    <//>
    <div class="page">${now === null ? html`<${Loading} />` : html`<${Health} now=${now} />`}</div>`;
}

/** @param {{now: any}} props the answer of `/health` */
function Health({ now }) {
  const isWell = now.status === "ok";
  return html`<p class=${`note ${isWell ? "is-good" : "is-bad"}`}><${Icon} name=${isWell ? "circle-check" : "triangle-alert"} />
      <span>${isWell ? "Everything works." : now.reasons.join("; ")}</span></p>
    <dl class="facts">
      <div><dt>Version</dt><dd>${now.version}</dd></div>
      <div><dt>Running for</dt><dd>${duration(now.uptimeSeconds * 1_000)}</dd></div>
      <div><dt>Agent</dt><dd>${now.agent.command} ${now.agent.version ?? ""}</dd></div>
      <div><dt>Agents at work</dt><dd>${now.slots.used} of ${now.slots.max}${now.slots.waiting > 0 ? `, ${now.slots.waiting} wait` : ""}</dd></div>
      <div><dt>Memory of agents</dt><dd>${bytes(now.memory.agentBytes)} of ${bytes(now.memory.limitBytes)}</dd></div>
      <div><dt>Memory of the server</dt><dd>${bytes(now.memory.serverBytes ?? 0)}</dd></div>
      <div><dt>Conversations</dt><dd>${now.sessions}</dd></div>
      <div><dt>Connections</dt><dd>${now.connections}</dd></div>
    </dl>`;
}
