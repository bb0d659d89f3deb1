// How the server says it is, looked at when a connection begins.

import { effect, signal } from "../ui.js";
import { api } from "./api.js";
import { isConnected } from "./connection.js";

/** The answer of `/health`; null until it is known. @type {import("../../vendor/signals/signals.js").Signal<any>} */
export const health = signal(null);

effect(() => {
  if (isConnected.value) void lookAgain();
});

/** Asks again. */
export async function lookAgain() {
  try {
    health.value = await api("GET", "/health");
  } catch {
    // The connection itself tells that the server is away.
  }
}
