// Messages of this device that the server has refused, above where the person writes.

import { Button } from "../components/button.js";
import { CopyButton } from "../components/copy-button.js";
import { Icon } from "../components/icon.js";
import { plural } from "../core/format.js";
import { attachmentsOf, textOf } from "../core/transcript.js";
import { dropRefused, refusedIn } from "../state/refused.js";
import { html } from "../ui.js";

/** @param {{sessionId: string, onAgain?: (content: any) => void}} props `onAgain`: where it can be written again */
export function RefusedMessages({ sessionId, onAgain }) {
  return refusedIn(sessionId).map(({ messageId, content, reason }) => {
    const text = textOf(content);
    const files = attachmentsOf(content).length;
    const again = () => {
      onAgain?.(content);
      dropRefused(messageId);
    };
    return html`<div key=${messageId} class="other-draft is-refused" role="group" aria-label="A message that was not taken">
      <${Icon} name="circle-alert" size=${14} />
      <p><span class="quiet">Not taken: ${reason}</span><span>${text || plural(files, "attachment")}</span></p>
      ${onAgain ? html`<${Button} onClick=${again}>Write it again<//>` : text && html`<${CopyButton} text=${() => text} label="Copy the message" />`}
      <${Button} look="bare" icon="trash-2" label="Discard the message" onClick=${() => dropRefused(messageId)} />
    </div>`;
  });
}
