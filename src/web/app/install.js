// Has the service worker (sw.js) keep the page, and brings its next version when it is wanted.

/** How often a page that stays open asks for a new version when somebody looks at it again. */
const LOOK_AGAIN_MS = 60 * 60 * 1000;

/**
 * What can be done about versions. `look` asks the server for a new one, for instance after it was restarted.
 *
 * @typedef {{look: () => Promise<void>}} Installed
 */

/**
 * Installs the worker. Returns null where there can be none: browsers allow it over HTTPS and on this machine alone.
 *
 * `onUpdate` is called when there is a next version: `apply` has all windows load it. Otherwise it is there when the last
 * window was closed. Never by itself: until the worker before has nothing to do may take half a minute, in which somebody
 * has begun to write.
 *
 * @param {(apply: () => void) => void} [onUpdate]
 * @returns {Promise<Installed | null>}
 */
export async function install(onUpdate = () => {}) {
  const container = globalThis.navigator?.serviceWorker;
  if (!container) return null;
  reloadWithNext(container);
  let registration;
  try {
    registration = await container.register("sw.js", { updateViaCache: "none" });
  } catch (error) {
    // The page works without it.
    console.warn("the page cannot be kept for offline use", error);
    return null;
  }
  tellOfNext(container, registration, onUpdate);
  return { look: lookedAt(registration) };
}

/**
 * A window whose worker is replaced loads the files that go with the new one. The first worker of all replaces none.
 *
 * @param {ServiceWorkerContainer} container
 */
function reloadWithNext(container) {
  let isControlled = Boolean(container.controller);
  container.addEventListener("controllerchange", () => {
    if (isControlled) location.reload();
    isControlled = true;
  });
}

/**
 * @param {ServiceWorkerContainer} container
 * @param {ServiceWorkerRegistration} registration
 * @param {(apply: () => void) => void} onUpdate
 */
function tellOfNext(container, registration, onUpdate) {
  const tell = () => {
    const next = registration.waiting;
    if (next && container.controller) onUpdate(() => next.postMessage("take over"));
  };
  tell();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", tell);
  });
}

/** @param {ServiceWorkerRegistration} registration */
function lookedAt(registration) {
  let lastLook = Date.now();
  const look = async () => {
    lastLook = Date.now();
    // Without a network there is nothing new.
    await registration.update().catch(() => {});
  };
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && Date.now() - lastLook >= LOOK_AGAIN_MS) void look();
  });
  return look;
}
