// Tells the server what the person has seen of a conversation, and whether they look at it.

import { useEffect } from "../ui.js";

/**
 * For as long as the view is shown.
 *
 * @param {import("../../client.js").Client} client
 * @param {string} sessionId
 * @param {import("../state/conversation.js").OpenConversation} conversation
 */
export function useAttention(client, sessionId, conversation) {
  const seq = conversation.seq.value;
  const look = () => {
    if (document.visibilityState === "visible") client.ack(sessionId, conversation.seq.peek());
  };
  useEffect(look, [seq]);
  useEffect(() => {
    const turned = () => {
      client.activity(sessionId, document.visibilityState === "visible" ? "viewing" : "away");
      look();
    };
    document.addEventListener("visibilitychange", turned);
    return () => document.removeEventListener("visibilitychange", turned);
  }, [conversation]);
}
