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
  const first = () => conversation.state.peek()?.approvals[0];
  const sessionId = () => conversation.state.peek()?.sessionId ?? "";
  const allow = (/** @type {"once" | "session"} */ scope) => {
    const approval = first();
    // Questions need an answer of their own.
    if (!approval || approval.tool === "AskUserQuestion") return;
    client.approve(sessionId(), approval.requestId, { decision: "allow", scope }).catch(tellError);
  };
  return [
    { keys: "c", label: "Write a message", group, run: () => document.getElementById("composer")?.focus() },
    { keys: "e", label: "To the newest", group, run: toEnd },
    { keys: "a", label: "Allow the first question once", group, run: () => allow("once") },
    { keys: "A", label: "Allow it for the session", group, run: () => allow("session") },
    { keys: "Ctrl+.", label: "Interrupt the agent", group, run: () => void client.interrupt(sessionId()).catch(tellError) },
  ];
}
