// Where a device keeps what must survive its program: messages that are not accepted yet, cursors, and its clock.

import { TandemError } from "./errors.js";

/**
 * A small key-value store. Values are JSON. Two programs may share one: each key has one writer at a time, or its writers
 * may overwrite each other. `keys` finds what an earlier program has left.
 *
 * @typedef {object} KeyValues
 * @property {(key: string) => Promise<any>} get undefined where there is nothing
 * @property {(key: string, value: any) => Promise<void>} set
 * @property {(key: string) => Promise<void>} delete
 * @property {(prefix: string) => Promise<string[]>} keys
 */

/**
 * The part of `Storage` that is needed, such as `localStorage`.
 *
 * @typedef {{length: number, key(place: number): string | null, getItem(key: string): string | null,
 *   setItem(key: string, value: string): void, removeItem(key: string): void}} WebStorage
 */

/** Nothing survives. @returns {KeyValues} */
export function memoryStorage() {
  /** @type {Map<string, any>} */
  const values = new Map();
  return {
    get: async (key) => structuredClone(values.get(key)),
    set: async (key, value) => void values.set(key, structuredClone(value)),
    delete: async (key) => void values.delete(key),
    keys: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  };
}

/**
 * Keeps everything in `localStorage`.
 *
 * Not in IndexedDB: a write to `localStorage` is done when the call returns, so that a message is kept even when the page
 * goes away in the same moment. The price are about 5 MiB; what does not fit is sent all the same, and is lost only
 * together with the page.
 *
 * @param {WebStorage} [storage]
 * @returns {KeyValues}
 */
export function webStorage(storage = /** @type {any} */ (globalThis).localStorage) {
  return {
    get: async (key) => {
      const text = storage.getItem(key);
      return text === null ? undefined : JSON.parse(text);
    },
    set: async (key, value) => storage.setItem(key, JSON.stringify(value)),
    delete: async (key) => storage.removeItem(key),
    keys: async (prefix) => {
      const keys = Array.from({ length: storage.length }, (_, place) => storage.key(place) ?? "");
      return keys.filter((key) => key.startsWith(prefix));
    },
  };
}

/** One device's part of a store. What fails is reported and left out: the client goes on without it. */
export class Shelf {
  #storage;
  #prefix;
  #report;

  /**
   * @param {KeyValues} storage
   * @param {string} deviceId
   * @param {(error: TandemError) => void} report
   */
  constructor(storage, deviceId, report) {
    this.#storage = storage;
    this.#prefix = `tandem/${deviceId}/`;
    this.#report = report;
  }

  /**
   * Everything whose key begins so, in the order of the keys, which are without that beginning.
   *
   * @param {string} beginning
   * @returns {Promise<Array<[string, any]>>}
   */
  async all(beginning) {
    const prefix = this.#prefix + beginning;
    /** @type {Array<[string, any]>} */
    const found = [];
    const keys = await this.#try(() => this.#storage.keys(prefix));
    for (const key of (keys ?? []).sort()) {
      const value = await this.#try(() => this.#storage.get(key));
      if (value !== undefined) found.push([key.slice(prefix.length), value]);
    }
    return found;
  }

  /** @param {string} key */
  async get(key) {
    return this.#try(() => this.#storage.get(this.#prefix + key));
  }

  /**
   * @param {string} key
   * @param {any} value
   */
  async set(key, value) {
    await this.#try(() => this.#storage.set(this.#prefix + key, value));
  }

  /** @param {string} key */
  async delete(key) {
    await this.#try(() => this.#storage.delete(this.#prefix + key));
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T | undefined>}
   */
  async #try(work) {
    try {
      return await work();
    } catch (error) {
      const message = `This device's storage failed: ${error instanceof Error ? error.message : error}.`;
      this.#report(new TandemError("storage_failed", message, { effect: "none" }));
      return undefined;
    }
  }
}
