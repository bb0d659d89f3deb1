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

/** Other clients may keep more than the text. @param {any} value @returns {string} */
function textOf(value) {
  if (typeof value === "string") return value;
  return typeof value?.text === "string" ? value.text : "";
}
