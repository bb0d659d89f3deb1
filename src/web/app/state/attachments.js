// Files that are to go with a message: taken in, named by their hash, brought to the server.

import { effect } from "../ui.js";
import { api } from "./api.js";
import { isConnected } from "./connection.js";

/** Up to here the server takes one (docs/protocol.md, attachments). */
const MAX_BYTES = 10 * 1024 * 1024;

/** Without a hash the bytes go inside of the message, which may have 10 MiB, a third more than its bytes. */
const MAX_INLINE_BYTES = 7 * 1024 * 1024;

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** After this long one that did not get through is brought again, also where the connection seems to be there. */
const AGAIN_MS = 5_000;

/**
 * A file beside the text. `block` is what the message will hold, once it is there; `isWaiting`: it did not get through, and
 * is brought again. Without `bytes` it is from a message that was written before.
 *
 * @typedef {{id: string, name: string, bytes: number | null, isPicture: boolean, url: string | null, block: any, isWaiting: boolean,
 *   error: string | null, left: AbortController}} Attachment
 */

/**
 * Begins with a file; what becomes of it comes with `onChange`.
 *
 * @param {File} file
 * @param {(now: Attachment) => void} onChange
 * @returns {Attachment}
 */
export function attach(file, onChange) {
  const isPicture = PICTURES.includes(file.type);
  /** @type {Attachment} */
  const begun = {
    id: newId(),
    name: file.name || (isPicture ? "picture" : "file"),
    bytes: file.size,
    isPicture,
    url: isPicture ? URL.createObjectURL(file) : null,
    block: null,
    isWaiting: false,
    error: null,
    left: new AbortController(),
  };
  void bringAtLast(file, begun, onChange);
  return begun;
}

/** One of a message that was written before: the server has it. @param {any} block @returns {Attachment} */
export function attachedBefore(block) {
  const isPicture = block.type === "image";
  const name = block.title ?? (isPicture ? "picture" : "file");
  return { id: newId(), name, bytes: null, isPicture, url: null, block, isWaiting: false, error: null, left: new AbortController() };
}

/**
 * Brings a file, again whenever there was nobody to bring it to.
 *
 * @param {File} file
 * @param {Attachment} begun
 * @param {(now: Attachment) => void} onChange
 */
async function bringAtLast(file, begun, onChange) {
  const { signal } = begun.left;
  while (!signal.aborted) {
    try {
      const block = await bring(file, begun);
      return void (signal.aborted || onChange({ ...begun, block }));
    } catch (error) {
      if (signal.aborted) return;
      const isWaiting = /** @type {any} */ (error).code === "unreachable";
      onChange({ ...begun, isWaiting, error: isWaiting ? null : error instanceof Error ? error.message : String(error) });
      if (!isWaiting) return;
    }
    await untilReachable(signal);
  }
}

/** Until the connection is back, or some time has gone by. @param {AbortSignal} signal @returns {Promise<void>} */
function untilReachable(signal) {
  let wasAway = !isConnected.peek();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(() => isConnected.peek() && done(), AGAIN_MS);
    const stop = effect(() => {
      if (!isConnected.value) wasAway = true;
      else if (wasAway) queueMicrotask(done);
    });
    signal.addEventListener("abort", done, { once: true });
  });
}

function newId() {
  return crypto.getRandomValues(new Uint32Array(2)).join("-");
}

/** Lets go of what an attachment holds in memory. @param {Attachment} attachment */
export function letGo({ url, left }) {
  left.abort();
  if (url) URL.revokeObjectURL(url);
}

/**
 * @param {File} file
 * @param {Attachment} attachment
 */
async function bring(file, { name, isPicture, left }) {
  if (file.size > MAX_BYTES) throw new Error(`${name} is larger than 10 MiB.`);
  if (file.size === 0) throw new Error(`${name} is empty.`);
  const type = isPicture ? "image" : "document";
  const title = isPicture ? {} : { title: name };
  // Browsers hash only on pages that came over HTTPS or from this machine.
  if (!crypto.subtle) {
    if (file.size > MAX_INLINE_BYTES) throw new Error(`${name} is too large for a connection without HTTPS; up to 7 MiB go.`);
    const media = file.type || "text/plain";
    return { type, ...title, source: { type: "base64", media_type: media, data: await base64(file) } };
  }
  const hash = [...new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()))];
  const sha256 = hash.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  await api("PUT", `/api/blobs/${sha256}`, { bytes: file, signal: left.signal });
  return { type, ...title, source: { type: "blob", sha256 } };
}

/** @param {File} file @returns {Promise<string>} */
function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^.*?,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
