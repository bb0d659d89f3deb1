// Notifications of the browser: when an agent asks something and nobody looks at the page.

import { newlyAsking, titleOf } from "../core/session-list.js";
import { formatRoute } from "../core/routes.js";
import { effect, signal } from "../ui.js";
import { sessions } from "./connection.js";
import { keep, kept } from "./store.js";
import { toast } from "./toasts.js";

/** `impossible`: this browser, or a page that did not come over HTTPS, has none. @type {import("../../vendor/signals/signals.js").Signal<"on" | "off" | "impossible">} */
export const notifying = signal(wanted());

/** Asks the browser for leave; it asks the person. */
export async function offerNotices() {
  const answer = await Notification.requestPermission();
  keep("notices", answer === "granted" ? true : undefined);
  notifying.value = wanted();
  toast(answer === "granted" ? "You are told when an agent asks something." : "The browser does not allow it; its settings for this page do.", {
    kind: answer === "granted" ? "done" : "info",
  });
}

export function stopNotices() {
  keep("notices", undefined);
  notifying.value = wanted();
}

/** A click on a notification that the service worker has shown leads here: the worker tells where to (sw.js). */
function followNotices() {
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (typeof data?.fragment === "string") location.hash = data.fragment;
  });
}

/** Looks at the list for as long as the page lives. */
export function watchQuestions() {
  /** @type {typeof sessions.value} */
  let before = null;
  followNotices();
  effect(() => {
    const now = sessions.value;
    const asking = newlyAsking(before, now);
    before = now;
    if (notifying.peek() !== "on" || document.visibilityState === "visible") return;
    for (const session of asking) void show(session);
  });
}

/** @param {import("../core/session-list.js").Summary} session */
async function show(session) {
  const fragment = formatRoute({ view: "session", sessionId: session.sessionId });
  const title = "An agent asks you";
  // One for each conversation: a later question takes the place of the one before.
  const options = { body: titleOf(session), tag: session.sessionId, icon: "icon.svg", data: { fragment } };
  try {
    const notice = new Notification(title, options);
    notice.onclick = () => {
      window.focus();
      location.hash = fragment;
      notice.close();
    };
  } catch {
    // Browsers of phones show them from a service worker alone.
    const worker = await navigator.serviceWorker?.ready;
    await worker?.showNotification(title, options);
  }
}

/** @returns {"on" | "off" | "impossible"} */
function wanted() {
  if (!("Notification" in globalThis) || !isSecureContext) return "impossible";
  return Notification.permission === "granted" && kept("notices") ? "on" : "off";
}
