// The HTTP side of the server, with the token and the device of this browser.

import { TandemError } from "../../client/errors.js";
import { deviceId, serverUrl, token } from "./identity.js";

/** How long the server may take; pages of a history are some megabytes, and networks of phones are slow. */
const WITHIN_MS = 30_000;

/**
 * Asks the server. `body` is sent as JSON, bytes as they are.
 *
 * @param {string} method
 * @param {string} path from the root of the server, for instance `/api/devices`
 * @param {{body?: any, bytes?: Blob, query?: Record<string, string | number | undefined>, signal?: AbortSignal}} [more]
 * @returns {Promise<any>} the answer's JSON
 * @throws {TandemError}
 */
export async function api(method, path, more = {}) {
  const response = await ask(method, path, more);
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new TandemError("unreachable", "The answer is not the server's; is there a proxy in front of it?");
  }
  if (!response.ok) throw TandemError.from(answer?.error);
  return answer;
}

/**
 * The bytes of an attachment.
 *
 * @param {string} hash
 * @returns {Promise<Blob>}
 */
export async function blob(hash) {
  const response = await ask("GET", `/api/blobs/${hash}`, {});
  if (response.status === 404) throw new TandemError("not_found", "This attachment is not there for this device.");
  if (!response.ok) throw TandemError.from((await response.json().catch(() => null))?.error);
  try {
    return await response.blob();
  } catch {
    throw new TandemError("unreachable", "The connection ended before the attachment was there.");
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: any, bytes?: Blob, query?: Record<string, string | number | undefined>, signal?: AbortSignal}} more
 */
async function ask(method, path, { body, bytes, query = {}, signal }) {
  const url = new URL(path.replace(/^\//, ""), serverUrl);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${token() ?? ""}`, "x-tandem-device": deviceId() };
  if (body !== undefined) headers["content-type"] = "application/json";
  const late = AbortSignal.timeout(WITHIN_MS);
  try {
    return await fetch(url, {
      method,
      headers,
      body: bytes ?? (body === undefined ? undefined : JSON.stringify(body)),
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new TandemError("unreachable", "The server does not answer.");
  }
}
