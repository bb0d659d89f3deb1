// Who this browser is to the server: its token, and the device that it is. All its windows are one device.

import { deviceKind, deviceName } from "../core/device-name.js";
import { takeToken } from "../core/routes.js";
import { keep, kept } from "./store.js";

/** The address of the server, also behind a proxy that puts a path in front. */
export const serverUrl = new URL(".", location.href.replace(/[?#].*$/, "")).href;

/** Moves a token from the address into the storage, and cleans the address: it must not be shared by accident. */
export function adoptToken() {
  const { token, rest } = takeToken(location.hash);
  if (token === null) return;
  keep("token", token);
  history.replaceState(null, "", rest);
}

/** @returns {string | undefined} */
export function token() {
  return kept("token");
}

/** @param {string | undefined} value undefined forgets it */
export function setToken(value) {
  keep("token", value);
}

/** This browser's own id, made at the first visit. @returns {string} */
export function deviceId() {
  const known = kept("device");
  if (typeof known === "string") return known;
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  const made = `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  keep("device", made);
  return made;
}

/** What its owner calls it. @returns {string} */
export function ownName() {
  return kept("device-name") || deviceName(navigator.userAgent);
}

/** @param {string} name empty: the browser's own again */
export function setOwnName(name) {
  keep("device-name", name.trim() || undefined);
}

export function ownKind() {
  return deviceKind(navigator.userAgent);
}
