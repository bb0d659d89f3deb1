// Who is in a conversation: which devices are there, who types, who leads.

import { Icon } from "../components/icon.js";
import { Menu } from "../components/menu.js";
import { nameOf } from "../state/connection.js";
import { deviceId } from "../state/identity.js";
import { tellError, toast } from "../state/toasts.js";
import { html } from "../ui.js";

/** @typedef {import("../core/session-state.js").State} State */

/** @param {{client: import("../../client.js").Client, state: State}} props */
export function People({ client, state }) {
  const here = state.devices.filter(({ online }) => online);
  const others = state.devices.filter((device) => device.deviceId !== deviceId());
  const handOver = (/** @type {string} */ to) => {
    client.handoff(state.sessionId, to).then(() => toast(`${nameOf(to)} leads now, with the draft.`), tellError);
  };
  const actions = others.map((device) => ({
    key: device.deviceId, label: `Hand over to ${nameOf(device.deviceId)}`, icon: "arrow-right-left", onClick: () => handOver(device.deviceId),
  }));
  const roster = html`<ul class="roster" aria-label="Devices of the conversation">${state.devices.map((device) => html`<li key=${device.deviceId}>
    <${Icon} name=${device.online ? "eye" : "clock"} />
    <span>${nameOf(device.deviceId)}<small>${whatItDoes(device)}${device.deviceId === state.primaryDeviceId && " · leads"}</small></span></li>`)}</ul>`;
  return html`<${Menu} label=${`${here.length} here`} icon="users" actions=${actions} head=${roster}>${here.length}<//>`;
}

/** Who types just now, besides this device. @param {{state: State}} props */
export function Typing({ state }) {
  const typing = state.devices.filter((device) => device.online && device.activity === "typing" && device.deviceId !== deviceId());
  const names = typing.map((device) => nameOf(device.deviceId)).join(", ");
  return html`<p class="typing" aria-live="polite">
    ${names && html`<${Icon} name="pencil" size=${12} />${names} ${typing.length === 1 ? "types" : "type"}…`}</p>`;
}

/** @param {import("../core/session-state.js").Device} device */
function whatItDoes({ online, activity }) {
  if (!online) return "away";
  return { typing: "types", idle: "idle", away: "elsewhere" }[activity ?? ""] ?? "here";
}
