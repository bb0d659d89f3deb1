// The server: whether it is well, how full it is, how fast, which conversations live on it, and how it is set.

import { Button } from "../components/button.js";
import { Loading } from "../components/empty.js";
import { Icon } from "../components/icon.js";
import { ViewHead } from "../components/view-head.js";
import { duration } from "../core/format.js";
import { Agents } from "../server/agents.js";
import { Charts } from "../server/charts.js";
import { Meters } from "../server/meters.js";
import { Settings } from "../server/settings.js";
import { health, lookAgain } from "../state/health.js";
import { report, takeReport, watchServer } from "../state/server-watch.js";
import { html, useEffect } from "../ui.js";

export default function ServerView() {
  useEffect(watchServer, []);
  const [now, latest] = [health.value, report.value];
  const look = () => void Promise.all([lookAgain(), takeReport()]);
  return html`<${ViewHead} title="Server" more=${now && `version ${now.version} · running for ${duration((latest?.uptimeSeconds ?? now.uptimeSeconds) * 1_000)}`}>
      <${Button} look="bare" icon="refresh-cw" label="Look again" onClick=${look} />
    <//>
    <div class="page is-broad">${now === null || latest === null ? html`<${Loading} lines=${8} />` : html`<div class="server">
      <${Health} now=${now} troubles=${latest.troubles} />
      <${Meters} report=${latest} health=${now} />
      <${Charts} />
      <${Agents} report=${latest} />
      <${Settings} />
    </div>`}</div>`;
}

/** @param {{now: any, troubles: string[]}} props the answer of `/health`, and what the latest report finds wrong */
function Health({ now, troubles }) {
  const isWell = troubles.length === 0;
  const { agent, storage } = now;
  return html`<div class="health">
    <div class=${`note ${isWell ? "is-good" : "is-bad"}`} role="status"><${Icon} name=${isWell ? "circle-check" : "triangle-alert"} />
      <div>${isWell ? html`<p>Everything works.</p>` : troubles.map((trouble) => html`<p key=${trouble}>${upper(trouble)}.</p>`)}</div></div>
    ${storage.warning && html`<p class="note is-warn"><${Icon} name="hard-drive" /><span>${upper(storage.warning)}</span></p>`}
    <dl class="facts">
      <${Fact} icon="bot" name="Agent" isWell=${agent.ok} words=${agent.found ? `${agent.command} ${agent.version ?? ""}` : `${agent.command} is not found: the simulator stands in`} />
      <${Fact} icon="database" name="Storage" isWell=${storage.ok} words=${storage.ok ? "takes writes" : "takes no writes"} />
      <${Fact} icon="messages-square" name="Conversations" isWell words=${now.sessions} />
    </dl>
  </div>`;
}

/** @param {{icon: string, name: string, isWell: boolean, words: any}} props */
function Fact({ icon, name, isWell, words }) {
  return html`<div><dt><${Icon} name=${icon} size=${16} />${name}</dt><dd class=${isWell ? "" : "is-bad-text"}>${words}</dd></div>`;
}

/** @param {string} text */
function upper(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
