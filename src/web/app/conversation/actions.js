// What can be done with a conversation as a whole: its name, its life, what its agent may do.

import { confirmed, prompted } from "../components/dialog.js";
import { Menu } from "../components/menu.js";
import { plural } from "../core/format.js";
import { api } from "../state/api.js";
import { tellError, toast } from "../state/toasts.js";
import { html } from "../ui.js";

/** @param {{client: import("../../client.js").Client, state: import("../core/session-state.js").State}} props */
export function Actions({ client, state }) {
  const { sessionId, status, turn, queue } = state;
  const change = (/** @type {any} */ body) => api("PATCH", `/api/sessions/${sessionId}`, { body }).catch(tellError);
  const rename = async () => {
    const title = await prompted({ title: "Rename the conversation", label: "Title", value: state.title ?? "", yes: "Rename" });
    if (title) await change({ title });
  };
  const close = async () => {
    const text = "Its agent is stopped and no message can be sent any more. The history stays.";
    const isSure = await confirmed({ title: "Close the conversation?", text, yes: "Close", isDanger: true });
    if (isSure) await api("DELETE", `/api/sessions/${sessionId}`).catch(tellError);
  };
  const extend = () => client.keepAlive(sessionId).then((until) => toast(`It lives until ${new Date(until ?? "").toLocaleString()}.`), tellError);
  const stopAll = () => client.interrupt(sessionId, { cancelQueued: true }).catch(tellError);
  const modes = /** @type {const} */ ([["default", "Ask before changes"], ["acceptEdits", "May edit files"], ["plan", "Plan only"]]);
  const isClosed = status === "closed";
  return html`<${Menu} label="Conversation" icon="ellipsis-vertical" actions=${[
    { label: "Rename", icon: "pencil", onClick: () => void rename(), isDisabled: isClosed },
    { label: status === "expired" ? "Revive" : "Extend its life", icon: "timer", onClick: () => void extend(), isDisabled: isClosed },
    Boolean(turn) && queue.length > 0 && { label: `Interrupt and take ${plural(queue.length, "message")} back`, icon: "circle-stop", onClick: () => void stopAll() },
    !isClosed && null,
    ...(isClosed ? [] : modes.map(([permissionMode, label]) => ({
      label, icon: "shield-check", isChosen: (state.permissionMode ?? "default") === permissionMode, onClick: () => void change({ permissionMode }),
    }))),
    null,
    { label: "Close", icon: "archive", isDanger: true, onClick: () => void close(), isDisabled: isClosed },
  ]} />`;
}
