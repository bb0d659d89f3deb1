// Says that no agent can be started on the server's machine, and what to do about it.

import { health, lookAgain } from "../state/health.js";
import { html } from "../ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

export function AgentMissing() {
  const agent = health.value?.agent;
  if (!agent || agent.ok) return null;
  return html`<div class="note is-warn" role="status">
    <${Icon} name="triangle-alert" />
    <div>
      <p>${agent.trouble ?? `The agent ${agent.command} was not found.`}</p>
      ${!agent.found && html`<p>On the machine of the server run <code>npm install -g @anthropic-ai/claude-code</code>, then start
        the server again. Conversations can be read meanwhile.</p>`}
      <${Button} icon="refresh-cw" onClick=${() => void lookAgain()}>Look again<//>
    </div>
  </div>`;
}
