// The one connection of this window, for all views, and what the server tells over it: the list of conversations, news.

import { connect, webStorage } from "../../client.js";
import { waitingApprovals } from "../core/session-list.js";
import { batch, computed, signal } from "../ui.js";
import { api } from "./api.js";
import { deviceId, ownKind, ownName, serverUrl, setToken, token } from "./identity.js";
import { keepRefused } from "./refused.js";
import { forgetList, keepList, lastList } from "./last-list.js";
import { forgetRecent } from "./recent.js";
import { toast } from "./toasts.js";

/** @typedef {import("../../client.js").Client} Client */
/** @typedef {import("../../client.js").Connection} Connection */
/** @typedef {import("../core/session-list.js").Summary} Summary */

/**
 * Where the connection is; `none`: there is no token to connect with.
 *
 * @type {import("../../vendor/signals/signals.js").Signal<Connection | {state: "none"}>}
 */
export const connection = signal({ state: "none" });

/** A window that was hidden before its frame came gets none. */
const FRAME_LOST_MS = 500;

/** The client, once there is a token. @type {import("../../vendor/signals/signals.js").Signal<Client | null>} */
export const client = signal(null);

/** All conversations by id; null until the server has told them. @type {import("../../vendor/signals/signals.js").Signal<Map<string, Summary> | null>} */
export const sessions = signal(null);

/** Names and kinds of the person's devices, by id. @type {import("../../vendor/signals/signals.js").Signal<Map<string, {deviceName?: string, kind?: string}>>} */
export const devices = signal(new Map());

/** Whether this visit was connected before: only then a lost connection is news. */
export const wasConnected = signal(false);

/** How many things this device has said that the server does not have yet. */
export const unsent = signal(0);

/** Counts what happens to them: also one that waits on says something else then, or why it waits. */
export const unsentChanges = signal(0);

export const isConnected = computed(() => connection.value.state === "connected");

/** How many questions of agents wait for an answer. */
export const approvalsWaiting = computed(() => waitingApprovals(sessions.value?.values() ?? []));

/** The client whose word counts: what an earlier one still has to tell is no news. @type {Client | null} */
let current = null;

/** Connects with the token that is kept; does nothing without one. */
export async function begin() {
  const known = token();
  if (known === undefined) return;
  connection.value = { state: "connecting" };
  const last = lastList();
  if (sessions.peek() === null && last) listed(last);
  const made = await connect({
    url: serverUrl,
    token: known,
    deviceId: deviceId(),
    deviceName: ownName(),
    kind: ownKind(),
    storage: storage(),
    // What was shown is acknowledged by the view that shows it.
    acks: false,
  });
  // Somebody has signed out meanwhile, or in as somebody else.
  if (token() !== known) return void made.close();
  current = made;
  made.on("connection", (now) => changed(made, now));
  made.on("session_list", ({ sessions: list }) => current === made && listed(list));
  made.on("session_summary", ({ session }) => current === made && summarised(session));
  made.on("notice", ({ from, message }) => toast(`${nameOf(from.deviceId)}: ${message}`, { kind: "info" }));
  made.on("error", (error) => console.warn(`${error.code}: ${error.message}`));
  made.on("rejected", (refusal) => {
    // A draft that is not taken stays on this device; a message is somebody's concern.
    if (refusal.type !== "submit") return;
    keepRefused(refusal);
    toast(refusal.error.message, { kind: "error" });
  });
  for (const name of ["accepted", "rejected", "postponed"]) made.on(name, () => countUnsent(made));
  countUnsent(made);
  client.value = made;
  changed(made, made.connection);
  made.watch().then((list) => current === made && listed(list), (error) => console.warn(error.message));
}

/** Connects anew, for instance with another token. @param {string} [newToken] */
export async function beginAgain(newToken) {
  if (newToken !== undefined) setToken(newToken);
  const before = client.value;
  client.value = null;
  current = null;
  await before?.close();
  await begin();
}

/** Forgets the token and everything that came with it. */
export async function signOut() {
  const before = client.value;
  setToken(undefined);
  current = null;
  forgetRecent();
  forgetList();
  batch(() => {
    client.value = null;
    sessions.value = null;
    connection.value = { state: "none" };
    wasConnected.value = false;
  });
  await before?.close();
}

// What is seen last is what is shown first at the next visit, until the server has told.
addEventListener("pagehide", keepSeen);
document.addEventListener("visibilitychange", keepSeen);

function keepSeen() {
  if (client.peek() && sessions.peek()) keepList(/** @type {Map<string, Summary>} */ (sessions.peek()).values());
}

/** What a device is called. @param {string | null | undefined} id */
export function nameOf(id) {
  if (!id) return "Nobody";
  if (id === deviceId()) return "This device";
  return devices.value.get(id)?.deviceName || id;
}

/** Takes in what became known of devices elsewhere. @param {Array<{deviceId: string, deviceName?: string, kind?: string}>} list */
export function knowDevices(list) {
  const isNews = list.some(({ deviceId: id, deviceName }) => deviceName && devices.peek().get(id)?.deviceName !== deviceName);
  if (!isNews) return;
  const all = new Map(devices.peek());
  for (const { deviceId: id, deviceName, kind } of list) {
    if (deviceName) all.set(id, { deviceName, kind });
  }
  devices.value = all;
}

/** Looks again at what waits to be sent. @param {Client | null} [of] */
export function countUnsent(of = client.peek()) {
  unsent.value = (of?.unsent() ?? []).filter(({ type }) => type === "submit").length;
  unsentChanges.value = unsentChanges.peek() + 1;
}

/**
 * @param {Client} made
 * @param {Connection} now
 */
function changed(made, now) {
  if (current !== made) return;
  connection.value = now;
  countUnsent(made);
  if (now.state !== "connected") return;
  wasConnected.value = true;
  void api("GET", "/api/devices").then(({ devices: list }) => knowDevices(list), () => {});
}

/** @param {Summary[]} list */
function listed(list) {
  changes.clear();
  sessions.value = new Map(list.map((session) => [session.sessionId, session]));
}

/** Changes that came since the last frame. @type {Map<string, Summary>} */
const changes = new Map();

/** Many come at once when many agents work; the list is drawn once for all of them. @param {Summary} session */
function summarised(session) {
  if (changes.size === 0) {
    // A window that is hidden gets no frame.
    if (document.visibilityState === "hidden") setTimeout(takeChanges);
    else {
      requestAnimationFrame(takeChanges);
      setTimeout(takeChanges, FRAME_LOST_MS);
    }
  }
  changes.set(session.sessionId, session);
}

function takeChanges() {
  if (changes.size === 0) return;
  // Whoever has signed out is told nothing more.
  if (client.peek()) sessions.value = new Map([...(sessions.peek() ?? []), ...changes]);
  changes.clear();
}

function storage() {
  try {
    localStorage.length;
    return webStorage();
  } catch {
    return undefined;
  }
}
