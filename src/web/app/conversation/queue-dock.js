// What waits for its turn, and what waits to be sent at all: read, edited, moved, taken back.

import { Icon } from "../components/icon.js";
import { Menu } from "../components/menu.js";
import { Dialog, closeDialog, openDialog } from "../components/dialog.js";
import { Button } from "../components/button.js";
import { attachmentsOf, textOf } from "../core/transcript.js";
import { plural } from "../core/format.js";
import { nameOf, sessions, unsent, unsentChanges } from "../state/connection.js";
import { tellError } from "../state/toasts.js";
import { html, useEffect, useSignal } from "../ui.js";
import { Unsent } from "./unsent.js";
import { Words } from "./words.js";

/** @typedef {import("../core/session-state.js").Queued} Queued */

/** Most messages wait so shortly that showing it would only flicker. */
const SHOWN_AFTER_MS = 300;

/** @param {{client: import("../../client.js").Client, sessionId: string, state: import("../core/session-state.js").State}} props */
export function QueueDock({ client, sessionId, state }) {
  const { queue } = state;
  // Looked at for the news alone: the messages themselves are the client's.
  const kept = unsentChanges.value >= 0 && unsent.value > 0 ? client.unsent(sessionId).filter(({ type }) => type === "submit") : [];
  const waiting = kept.filter((request) => !queue.some(({ messageId }) => messageId === request.messageId));
  const isEmpty = queue.length + waiting.length === 0;
  const isShown = useSignal(false);
  useEffect(() => {
    if (isEmpty) {
      isShown.value = false;
      return undefined;
    }
    const timer = setTimeout(() => (isShown.value = true), SHOWN_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isEmpty]);
  if (isEmpty || !isShown.value) return null;
  return html`<section class="dock" aria-label="Waiting messages">
    <h2 class="dock-head"><${Icon} name="list" size=${14} />${heading(state, sessions.value?.get(sessionId)?.status, queue.length)}</h2>
    <ol class="dock-list">
      ${queue.map((message, place) => html`<${Waiting} key=${message.messageId} client=${client} sessionId=${sessionId} message=${message}
        queue=${queue} place=${place} />`)}
      ${waiting.map((message) => html`<${Unsent} key=${message.messageId} client=${client} message=${message} />`)}
    </ol>
  </section>`;
}

/**
 * @param {import("../core/session-state.js").State} state
 * @param {string | undefined} told its status in the list: only that is told whether a place is free
 * @param {number} count
 */
function heading({ turn, status, agent }, told, count) {
  if (count === 0) return "Not sent yet";
  if (turn) return plural(count, "message waits", "messages wait");
  if ((told ?? status) === "waiting_for_slot") return "Waits until an agent is free";
  if (agent.problem) return plural(count, "message waits", "messages wait");
  return agent.state === "ready" ? "Next" : "The agent starts…";
}

/** @param {{client: import("../../client.js").Client, sessionId: string, message: Queued, queue: Queued[], place: number}} props */
function Waiting({ client, sessionId, message, queue, place }) {
  const { messageId } = message;
  const move = (/** @type {string | null} */ before) => void client.move(sessionId, messageId, before).catch(tellError);
  const actions = [
    { label: "Edit", icon: "pencil", onClick: () => openEdit(client, sessionId, message) },
    place > 0 && { label: "Move up", icon: "arrow-up", onClick: () => move(queue[place - 1].messageId) },
    place < queue.length - 1 && { label: "Move down", icon: "chevron-down", onClick: () => move(queue[place + 2]?.messageId ?? null) },
    place > 0 && { label: "Move to the front", icon: "zap", onClick: () => move(queue[0].messageId) },
    null,
    { label: "Take back", icon: "trash-2", isDanger: true, onClick: () => void client.cancel(sessionId, messageId).catch(tellError) },
  ];
  return html`<li class="queued"><span class="queued-place" aria-hidden="true">${place + 1}</span>
    <${Words} content=${message.content} more=${nameOf(message.deviceId)} />
    <${Menu} label=${`Message ${place + 1} of the queue`} place="up" actions=${actions} /></li>`;
}

/**
 * @param {import("../../client.js").Client} client
 * @param {string} sessionId
 * @param {Queued} message
 */
function openEdit(client, sessionId, message) {
  openDialog(() => html`<${Edit} client=${client} sessionId=${sessionId} message=${message} />`);
}

/** @param {{client: import("../../client.js").Client, sessionId: string, message: Queued}} props */
function Edit({ client, sessionId, message }) {
  const text = useSignal(textOf(message.content));
  const attached = attachmentsOf(message.content);
  const save = async () => {
    const words = text.value.trim();
    if (!words && attached.length === 0) return;
    const content = attached.length > 0 ? [...attached, ...(words ? [{ type: "text", text: words }] : [])] : words;
    try {
      await client.edit(sessionId, message.messageId, content);
      closeDialog();
    } catch (error) {
      tellError(error);
    }
  };
  const footer = html`<${Button} onClick=${closeDialog}>Cancel<//><${Button} type="submit" look="main">Save<//>`;
  return html`<${Dialog} title="Edit a waiting message" footer=${footer} onSubmit=${() => void save()}>
    <label class="field"><span>Message</span>
      <textarea class="input" rows="6" data-first value=${text.value} onInput=${(/** @type {any} */ event) => (text.value = event.target.value)}></textarea></label>
  <//>`;
}
