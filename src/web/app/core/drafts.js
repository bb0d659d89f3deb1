// What devices are about to say, as it lies in the shared state under `draft.DEVICEID`. Pure.

const PREFIX = "draft.";

/** @param {string} deviceId */
export function draftKey(deviceId) {
  return PREFIX + deviceId;
}

/**
 * The draft of a device.
 *
 * @param {Record<string, any>} shared
 * @param {string} deviceId
 */
export function draftOf(shared, deviceId) {
  return textOf(shared[draftKey(deviceId)]);
}

/**
 * The drafts of the others, that a person may go on with here.
 *
 * @param {Record<string, any>} shared
 * @param {string} ownId
 * @returns {Array<{deviceId: string, text: string}>}
 */
export function draftsOfOthers(shared, ownId) {
  return Object.entries(shared)
    .filter(([key]) => key.startsWith(PREFIX) && key !== draftKey(ownId))
    .map(([key, value]) => ({ deviceId: key.slice(PREFIX.length), text: textOf(value) }))
    .filter(({ text }) => text.trim() !== "");
}

/**
 * The patch that takes a draft over: it is this device's, and not the other's any more. What stands here stays above it.
 *
 * @param {string} own what is written here
 * @param {string} ownId
 * @param {{deviceId: string, text: string}} other
 * @returns {{text: string, patch: Record<string, string | null>}}
 */
export function takenOver(own, ownId, other) {
  const text = own.trim() ? `${own.trimEnd()}\n\n${other.text}` : other.text;
  return { text, patch: { [draftKey(ownId)]: text, [draftKey(other.deviceId)]: null } };
}

/** What the server takes of one key of the shared state (docs/protocol.md, shared state), with room for its quotes. */
const MAX_SHARED_BYTES = 16 * 1024 - 64;

/** Whether other devices can have it: what is longer stays on this one. @param {string} text */
export function canShare(text) {
  return new TextEncoder().encode(JSON.stringify(text)).length <= MAX_SHARED_BYTES;
}

/**
 * What is written here after a reload: what this device has kept and what the shared state has of it may both have gone on.
 *
 * @param {string} own what stands here
 * @param {string} told what the shared state had when that was kept
 * @param {string} shared what it has now
 */
export function restored(own, told, shared) {
  if (shared === told) return own;
  // Nothing was written here since: it was gone on with elsewhere, or sent from there.
  if (own.trim() === told.trim()) return shared;
  if (own.includes(shared)) return own;
  if (shared.includes(own)) return shared;
  return `${own.trimEnd()}\n\n${shared}`;
}

/** Other clients may keep more than the text. @param {any} value @returns {string} */
function textOf(value) {
  if (typeof value === "string") return value;
  return typeof value?.text === "string" ? value.text : "";
}
