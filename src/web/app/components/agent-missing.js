// Says that the agent is not on the server's machine, or cannot be started, and what to do about it.

import { health, lookAgain } from "../state/health.js";
import { html } from "../ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

export function AgentMissing() {
  const agent = health.value?.agent;
  if (!agent || (agent.ok && agent.found)) return null;
  return html`<div class="note is-warn" role="status">
    <${Icon} name="triangle-alert" />
    <div>
      ${!agent.found && html`<p><b>Claude Code is not installed</b> on the machine of the server. The built-in simulator answers instead, and only echoes.</p>
        <p>Run <code>npm install -g @anthropic-ai/claude-code</code> there, then start the server again.</p>`}
      ${agent.trouble && html`<p>${agent.trouble}</p>`}
      <${Button} icon="refresh-cw" onClick=${() => void lookAgain()}>Look again<//>
    </div>
  </div>`;
}
