// A message that the server does not have yet: why it waits, and, while the server cannot have it, changing it and taking it
// back.

import { Button } from "../components/button.js";
import { Dialog, closeDialog, openDialog } from "../components/dialog.js";
import { Icon } from "../components/icon.js";
import { Menu } from "../components/menu.js";
import { attachmentsOf, textOf } from "../core/transcript.js";
import { countUnsent, isConnected } from "../state/connection.js";
import { toast } from "../state/toasts.js";
import { html, useSignal } from "../ui.js";
import { Words } from "./words.js";

/** @typedef {import("../../client.js").Client} Client */

/** @param {{client: Client, message: {messageId: string, content: any}}} props */
export function Unsent({ client, message: { messageId, content } }) {
  const connected = isConnected.value;
  const { problem = null, isOpen = false } = client.outlook(messageId) ?? {};
  const takeBack = () => {
    if (!client.discard(messageId)) toast("It was sent meanwhile.", { kind: "info" });
    countUnsent(client);
  };
  const why = !connected ? "waits for the connection" : problem ? `is sent again: ${problem.message}` : "being sent";
  const icon = !connected ? "wifi-off" : problem ? "hourglass" : "loader-circle";
  return html`<li class="queued is-unsent">
    <${Icon} name=${icon} size=${16} class=${icon === "loader-circle" ? "is-spinning" : ""} />
    <${Words} content=${content} more=${why} />
    ${isOpen && html`<${Menu} label="Message that is not sent" place="up" actions=${[
      { label: "Edit", icon: "pencil", onClick: () => openDialog(() => html`<${Edit} client=${client} messageId=${messageId} content=${content} />`) },
      null,
      { label: "Take back", icon: "trash-2", isDanger: true, onClick: takeBack },
    ]} />`}</li>`;
}

/** @param {{client: Client, messageId: string, content: any}} props */
function Edit({ client, messageId, content }) {
  const text = useSignal(textOf(content));
  const isGone = useSignal(false);
  const attached = attachmentsOf(content);
  const save = () => {
    const words = text.value.trim();
    if (!words && attached.length === 0) return;
    const isWritten = client.rewrite(messageId, attached.length > 0 ? [...attached, ...(words ? [{ type: "text", text: words }] : [])] : words);
    countUnsent(client);
    if (isWritten) closeDialog();
    else isGone.value = true;
  };
  const footer = html`<${Button} onClick=${closeDialog}>Cancel<//><${Button} type="submit" look="main" disabled=${isGone.value}>Save<//>`;
  return html`<${Dialog} title="Edit a message that is not sent" footer=${footer} onSubmit=${save}>
    <label class="field"><span>Message</span>
      <textarea class="input" rows="6" data-first value=${text.value} onInput=${(/** @type {any} */ event) => (text.value = event.target.value)}></textarea></label>
    ${isGone.value && html`<p class="note is-warn" role="alert"><${Icon} name="info" /><span>It was sent meanwhile. Where it waits for its turn it can be changed in the queue.</span></p>`}
  <//>`;
}
