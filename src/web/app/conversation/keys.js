// The keys of a conversation.

import { tellError } from "../state/toasts.js";

/**
 * @param {import("../../client.js").Client} client
 * @param {import("../state/conversation.js").OpenConversation} conversation
 * @param {() => void} toEnd
 * @returns {import("../state/shortcuts.js").Shortcut[]}
 */
export function keysOf(client, conversation, toEnd) {
  const group = "In a conversation";
  const sessionId = () => conversation.state.peek()?.sessionId ?? "";
  // The button itself is pressed: it is there for the request that is shown, and takes nothing before that could be read,
  // while it is answered, or without a connection.
  const allow = (/** @type {"once" | "session"} */ scope) => {
    /** @type {HTMLButtonElement | null} */ (document.querySelector(`.approvals [data-allows=${scope}]:not(:disabled)`))?.click();
  };
  return [
    { keys: "c", label: "Write a message", group, run: () => document.getElementById("composer")?.focus() },
    { keys: "e", label: "To the newest", group, run: toEnd },
    { keys: "a", label: "Allow the first question once", group, run: () => allow("once") },
    { keys: "A", label: "Allow it for the session", group, run: () => allow("session") },
    { keys: "Ctrl+.", label: "Interrupt the agent", group, run: () => void client.interrupt(sessionId()).catch(tellError) },
  ];
}
