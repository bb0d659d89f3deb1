// Where a server is, and the few things that a client asks of it over HTTP.

import { TandemError } from "./errors.js";

/** How long the server may take for a question over HTTP. */
const HTTP_WITHIN_MS = 10_000;

/**
 * What a new session is to be; `projectPath` is a folder on the server's machine, absolute.
 *
 * @typedef {{projectPath: string, title?: string, model?: string, permissionMode?: string}} NewSession
 */

/** See the module. */
export class Address {
  #base;

  /** @param {string} url `http://host:port` or `https://…`, with a path where a proxy needs one */
  constructor(url) {
    let base;
    try {
      base = new URL(url);
    } catch {
      throw new TandemError("bad_url", `${url} is no URL.`, { effect: "none" });
    }
    if (!/^(http|ws)s?:$/.test(base.protocol)) {
      throw new TandemError("bad_url", `${url} must begin with http:// or https://.`, { effect: "none" });
    }
    const path = base.pathname.replace(/\/+$/, "").replace(/\/ws$/, "");
    this.#base = `${base.protocol.replace("http", "ws")}//${base.host}${path}`;
  }

  get socketUrl() {
    return `${this.#base}/ws`;
  }

  /** @param {string} path below `/api` */
  apiUrl(path) {
    return `${this.#base.replace(/^ws/, "http")}/api${path}`;
  }
}

/**
 * Finds out why a socket could not be opened: a browser does not tell its page the answer to an upgrade. Returns why there
 * will be none until a person acts, or nothing when another try makes sense.
 *
 * @param {typeof globalThis.fetch} fetch
 * @param {Address} address
 * @param {string} token
 * @returns {Promise<TandemError | null>}
 */
export async function refusalOf(fetch, address, token) {
  try {
    await call(fetch, address, token, "/sessions?limit=1", {});
  } catch (error) {
    const isForGood = error instanceof TandemError && ["unauthorized", "forbidden", "origin_not_allowed"].includes(error.code);
    return isForGood ? error : null;
  }
  return null;
}

/**
 * Begins a session; it is durable when this returns. It is not repeated.
 *
 * @param {typeof globalThis.fetch} fetch
 * @param {Address} address
 * @param {string} token
 * @param {NewSession & {deviceId: string}} session
 * @returns {Promise<string>} its id
 */
export async function createSession(fetch, address, token, session) {
  const headers = { "content-type": "application/json" };
  const created = await call(fetch, address, token, "/sessions", { method: "POST", headers, body: JSON.stringify(session) });
  return created.sessionId;
}

/**
 * @param {typeof globalThis.fetch} fetch
 * @param {Address} address
 * @param {string} token
 * @param {string} path
 * @param {RequestInit} init
 */
async function call(fetch, address, token, path, init) {
  const headers = { ...init.headers, authorization: `Bearer ${token}` };
  let status = 0;
  let body;
  try {
    const response = await fetch(address.apiUrl(path), { ...init, headers, signal: AbortSignal.timeout(HTTP_WITHIN_MS) });
    status = response.status;
    body = await response.json();
  } catch (error) {
    // A proxy in front of a server that is down answers with a page, which is no JSON.
    const message = `No server answers: ${error instanceof Error ? error.message : error}.`;
    throw new TandemError(status === 401 ? "unauthorized" : "unreachable", message);
  }
  if (status >= 200 && status < 300) return body;
  throw TandemError.from(body?.error);
}
