// The moments at which a browser knows that trying again makes sense now: the network is back, somebody looks at the page.
// When it says that the network has gone, a connection may have died without a word.

/**
 * Calls back at each of them; what it returns ends that. `onHide` is called when the page may be about to go for good,
 * `onLoss` when the network may have gone.
 *
 * @param {() => void} onWake
 * @param {() => void} onHide
 * @param {() => void} onLoss
 * @param {any} [scope] a window, or what stands for one
 * @returns {() => void}
 */
export function watchPage(onWake, onHide, onLoss, scope = globalThis) {
  const page = scope.document;
  const turned = () => (page?.visibilityState === "visible" ? onWake() : onHide());
  /** @type {Array<[any, string, () => void]>} */
  const watched = [
    [scope, "online", onWake],
    [scope, "offline", onLoss],
    [scope, "pageshow", onWake],
    [scope, "pagehide", onHide],
    [page, "visibilitychange", turned],
  ];
  for (const [target, name, listener] of watched) target?.addEventListener?.(name, listener);
  return () => {
    for (const [target, name, listener] of watched) target?.removeEventListener?.(name, listener);
  };
}
