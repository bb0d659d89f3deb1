// The service worker: keeps the files of the page, so that it opens at once, and without a network.
//
// It knows the page's own files and nothing else: what the server is asked goes by as if there were no worker, and no answer
// of the API is ever kept. A version is whole or not there. It is shown by every window until the last one is closed, or
// until a person asks for the next one (app/install.js); so no window ever gets files of two versions.

// `SHELL`: what the page consists of, made by the server of the files themselves. Another file, another version.
importScripts("shell.js");

/** @typedef {{version: string, files: {[name: string]: string}}} Shell */

const worker = /** @type {ServiceWorkerGlobalScope & {SHELL: Shell}} */ (/** @type {unknown} */ (self));
const { version, files } = worker.SHELL;

const PREFIX = "tandem-shell-";
const SHELF = PREFIX + version;

/** The page itself is asked for by the address of its folder. */
const PAGE = "index.html";

worker.addEventListener("install", (event) => event.waitUntil(takeAll()));

worker.addEventListener("activate", (event) => event.waitUntil(begin()));

worker.addEventListener("message", (event) => {
  if (event.data === "take over") event.waitUntil(worker.skipWaiting());
});

worker.addEventListener("fetch", (event) => {
  const name = nameOf(event.request);
  if (name !== null) event.respondWith(kept(name, event.request));
});

// A notification that state/notices.js has made: browsers of phones tell nobody else of a click on it.
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(show(String(event.notification.data?.fragment ?? "")));
});

/**
 * Shows a place of the app, in a window that is there or in a new one.
 *
 * @param {string} fragment
 */
async function show(fragment) {
  const windows = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const own = windows.find(({ url }) => url.startsWith(worker.registration.scope));
  if (!own) return void (await worker.clients.openWindow(worker.registration.scope + fragment));
  // Not every browser lets a window come forward; it goes there all the same.
  await own.focus().catch(() => {});
  own.postMessage({ fragment });
}

async function takeAll() {
  const shelf = await caches.open(SHELF);
  await Promise.all(Object.keys(files).map((name) => take(shelf, name)));
}

/**
 * Takes one file, and fails when it is not the one that this version means: the server may have been replaced in between.
 * The browser tries again later.
 *
 * @param {Cache} shelf
 * @param {string} name
 */
async function take(shelf, name) {
  const response = await fetch(urlOf(name), { cache: "no-cache" });
  const tag = response.headers.get("etag");
  // What comes without a tag is some other server's: of a proxy that asks for a password, of a hotel.
  if (!response.ok || !tag?.includes(files[name])) throw new Error(`${name} is not that of ${version}`);
  await shelf.put(urlOf(name), response);
}

/** Forgets earlier versions; windows that were opened before there was a worker are this one's. */
async function begin() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== SHELF).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/**
 * The name of the file that is asked for; null for everything that is none of ours.
 *
 * @param {Request} request
 */
function nameOf(request) {
  const { href } = new URL(request.url.replace(/#.*$/, ""));
  const scope = worker.registration.scope;
  if (request.method !== "GET" || !href.startsWith(scope)) return null;
  const name = href.slice(scope.length) || PAGE;
  return Object.hasOwn(files, name) ? name : null;
}

/**
 * @param {string} name
 * @param {Request} request
 */
async function kept(name, request) {
  const shelf = await caches.open(SHELF);
  // Where the browser has made room for something else, the network has it.
  return (await shelf.match(urlOf(name), { ignoreVary: true })) ?? fetch(request);
}

/** @param {string} name */
function urlOf(name) {
  return new URL(name === PAGE ? "./" : name, worker.registration.scope).href;
}
