// Files that are to go with a message: taken in, named by their hash, brought to the server.

import { api } from "./api.js";

/** Up to here the server takes one (docs/protocol.md, attachments). */
const MAX_BYTES = 10 * 1024 * 1024;

/** Without a hash the bytes go inside of the message, which may have 10 MiB, a third more than its bytes. */
const MAX_INLINE_BYTES = 7 * 1024 * 1024;

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/**
 * A file beside the text. `block` is what the message will hold, once it is there.
 *
 * @typedef {{id: string, name: string, bytes: number, isPicture: boolean, url: string | null, block: any, error: string | null}} Attachment
 */

/**
 * Begins with a file; the block or the error comes with `onReady`.
 *
 * @param {File} file
 * @param {(ready: Attachment) => void} onReady
 * @returns {Attachment}
 */
export function attach(file, onReady) {
  const isPicture = PICTURES.includes(file.type);
  /** @type {Attachment} */
  const begun = {
    id: crypto.getRandomValues(new Uint32Array(2)).join("-"),
    name: file.name || (isPicture ? "picture" : "file"),
    bytes: file.size,
    isPicture,
    url: isPicture ? URL.createObjectURL(file) : null,
    block: null,
    error: null,
  };
  bring(file, begun).then(
    (block) => onReady({ ...begun, block }),
    (error) => onReady({ ...begun, error: error instanceof Error ? error.message : String(error) }),
  );
  return begun;
}

/** Lets go of what an attachment holds in memory. @param {Attachment} attachment */
export function letGo({ url }) {
  if (url) URL.revokeObjectURL(url);
}

/**
 * @param {File} file
 * @param {Attachment} attachment
 */
async function bring(file, { name, isPicture }) {
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
  await api("PUT", `/api/blobs/${sha256}`, { bytes: file });
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
