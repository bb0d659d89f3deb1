// Who has or does something in a project: a conversation, a device, or a program that nobody knows.

import { formatRoute } from "../core/routes.js";
import { titleOf } from "../core/session-list.js";
import { Icon } from "../components/icon.js";
import { nameOf, sessions } from "../state/connection.js";
import { html } from "../ui.js";

/** @typedef {import("../core/project-state.js").Holder} Holder */

/** @param {Holder | null | undefined} holder */
export function holderName(holder) {
  if (holder?.deviceId) return nameOf(holder.deviceId);
  if (!holder?.sessionId) return "Another program";
  const session = sessions.value?.get(holder.sessionId);
  return session ? titleOf(session) : "A conversation";
}

/** The name, with a picture, and the way to it. @param {{holder: Holder | null | undefined}} props */
export function HolderName({ holder }) {
  const name = holderName(holder);
  if (holder?.sessionId) {
    return html`<a class="holder" href=${formatRoute({ view: "session", sessionId: holder.sessionId })}><${Icon} name="message-square" size=${14} /><span>${name}</span></a>`;
  }
  return html`<span class="holder"><${Icon} name=${holder?.deviceId ? "monitor" : "terminal"} size=${14} /><span>${name}</span></span>`;
}
