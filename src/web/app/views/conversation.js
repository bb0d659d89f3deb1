// One conversation.

import { Loading } from "../components/empty.js";
import { ViewHead } from "../components/view-head.js";
import { titleOf } from "../core/session-list.js";
import { sessions } from "../state/connection.js";
import { html } from "../ui.js";

/** @param {{route: {sessionId: string}}} props */
export default function ConversationView({ route: { sessionId } }) {
  const summary = sessions.value?.get(sessionId);
  return html`<${ViewHead} title=${summary ? titleOf(summary) : "Conversation"} /><div class="page"><${Loading} /></div>`;
}
