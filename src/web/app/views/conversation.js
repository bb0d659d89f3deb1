// One conversation: what was said and done, what waits, and where to write.

import { Badge } from "../components/badge.js";
import { Button } from "../components/button.js";
import { Empty, Loading } from "../components/empty.js";
import { Icon } from "../components/icon.js";
import { StatusMark } from "../components/status.js";
import { ViewHead } from "../components/view-head.js";
import { Actions } from "../conversation/actions.js";
import { ApprovalDock } from "../conversation/approval-card.js";
import { useAttention } from "../conversation/attention.js";
import { Composer } from "../conversation/composer.js";
import { Entry } from "../conversation/entry.js";
import { keysOf } from "../conversation/keys.js";
import { LongList } from "../conversation/long-list.js";
import { Markdown } from "../conversation/markdown.js";
import { People, Typing } from "../conversation/people.js";
import { QueueDock } from "../conversation/queue-dock.js";
import { chunksOf } from "../core/chunks.js";
import { baseName, money } from "../core/format.js";
import { formatRoute } from "../core/routes.js";
import { titleOf } from "../core/session-list.js";
import { assumed } from "../core/session-state.js";
import { describe } from "../core/tools.js";
import { guessedHeight } from "../core/guess.js";
import { api } from "../state/api.js";
import { client as currentClient, connection, sessions } from "../state/connection.js";
import { OpenConversation } from "../state/conversation.js";
import { addShortcuts } from "../state/shortcuts.js";
import { html, useEffect, useMemo, useRef, useSignal } from "../ui.js";

/** A title that the list can show. */
const MAX_TITLE = 60;

/** @param {{route: {sessionId: string}}} props */
export default function ConversationView({ route: { sessionId } }) {
  const client = currentClient.value;
  const conversation = useMemo(() => (client ? new OpenConversation(client, sessionId) : null), [client, sessionId]);
  useEffect(() => {
    void conversation?.open();
    return () => conversation?.close();
  }, [conversation]);
  if (!client || !conversation) return null;
  const phase = conversation.phase.value;
  if (typeof phase === "object") return html`<${ViewHead} title="Conversation" /><${CannotOpen} error=${phase.error} />`;
  // Whoever comes without a connection can write all the same.
  const state = conversation.state.value ?? assumed(sessionId, sessions.value?.get(sessionId));
  return html`<${Open} key=${sessionId} client=${client} conversation=${conversation} state=${state} isKnown=${conversation.state.value !== null} />`;
}

/**
 * @param {{client: import("../../client.js").Client, conversation: OpenConversation, state: import("../core/session-state.js").State,
 *   isKnown: boolean}} props `isKnown`: the state is one that the server has told
 */
function Open({ client, conversation, state, isKnown }) {
  const { sessionId, projectPath } = state;
  /** @type {{current: LongList | null}} */
  const list = useRef(null);
  const isAtEnd = useSignal(true);
  /** The last thing that was there when the person was at the end: what is behind it is new to them. */
  const seen = useRef(/** @type {string | undefined} */ (undefined));
  const items = conversation.items.value;
  useAttention(client, sessionId, conversation);
  useEffect(() => addShortcuts(keysOf(client, conversation, () => list.current?.toEnd())), [conversation]);
  if (isAtEnd.value) seen.current = items.at(-1)?.key;
  const fresh = items.length - 1 - items.findLastIndex(({ key }) => key === seen.current);

  const onSent = (/** @type {string} */ text) => {
    list.current?.toEnd();
    const title = text.split("\n")[0].slice(0, MAX_TITLE).trim();
    if (!isKnown || state.title || state.turns > 0 || !title) return;
    api("PATCH", `/api/sessions/${sessionId}`, { body: { title } }).catch(() => {});
  };
  const after = html`<${Growing} conversation=${conversation} /><div class="list-end"></div>`;
  const older = conversation.hasOlder.value ? html`<${Older} conversation=${conversation} />` : html`<${Beginning} state=${state} />`;
  const before = isKnown ? older : html`<${Unknown} />`;
  const title = state.title || state.projectPath ? titleOf(state) : "Conversation";
  return html`<${ViewHead} title=${title} more=${state.projectPath && html`<${Facts} state=${state} />`}>
      ${isKnown && html`<${People} client=${client} state=${state} /><${Actions} client=${client} state=${state} />`}
    <//>
    <div class="conversation">
      <${LongList} control=${list} label="What was said" items=${items} guess=${guessedHeight} before=${before} after=${after}
        draw=${(/** @type {any} */ item) => html`<${Entry} item=${item} project=${projectPath} />`}
        onNearStart=${() => conversation.hasOlder.peek() && void conversation.loadOlder()}
        onMoved=${(/** @type {boolean} */ now) => (isAtEnd.value = now)} />
      ${!isAtEnd.value && html`<${Button} class="to-end" icon="arrow-down" onClick=${() => list.current?.toEnd()}>${fresh > 0 ? `${fresh} new` : "Newest"}<//>`}
    </div>
    <div class="foot">
      <${Typing} state=${state} />
      ${state.agent.problem && html`<p class="note is-warn" role="alert"><${Icon} name="triangle-alert" /><span>${state.agent.problem}</span></p>`}
      <${ApprovalDock} client=${client} sessionId=${sessionId} approvals=${state.approvals} project=${projectPath} />
      <${QueueDock} client=${client} sessionId=${sessionId} state=${state} />
      <${Composer} client=${client} sessionId=${sessionId} conversation=${conversation} onSent=${onSent} />
    </div>
    ${isKnown && html`<${Heard} conversation=${conversation} />`}`;
}

/** Stands where it is not known yet what was said. */
function Unknown() {
  if (connection.value.state !== "waiting") return html`<${Loading} lines=${6} label="Loading the conversation" />`;
  return html`<${Empty} icon="wifi-off" heading="Not connected">
    <p>What was said is shown as soon as the server answers. What you send meanwhile is kept, and goes out then.</p>
  <//>`;
}

/** The answer as it comes. @param {{conversation: OpenConversation}} props */
function Growing({ conversation }) {
  const growing = conversation.growing.value;
  const isRunning = conversation.state.value?.status === "running";
  if (growing) {
    const chunks = chunksOf(growing.text);
    return html`<article class="answer is-growing">${chunks.map((text, place) => html`<${Markdown} key=${place} text=${text} isGrowing />`)}</article>`;
  }
  if (!isRunning) return null;
  return html`<p class="working"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>The agent works</p>`;
}

/** @param {{conversation: OpenConversation}} props */
function Older({ conversation }) {
  const error = conversation.olderError.value;
  if (error === null) return html`<${Loading} lines=${3} label="Loading older events" />`;
  return html`<p class="beginning">Older events could not be loaded. ${error}
    <${Button} icon="refresh-cw" onClick=${() => void conversation.loadOlder({ again: true })}>Try again<//></p>`;
}

/** @param {{state: import("../core/session-state.js").State}} props */
function Beginning({ state }) {
  if (state.turns > 0 || state.turn || state.queue.length > 0) return html`<p class="beginning">The conversation began in <code>${state.projectPath}</code></p>`;
  return html`<${Empty} icon="message-square" heading="Nothing said yet">
    <p>The agent works in <b>${baseName(state.projectPath)}</b>. Write what it is to do; every device of yours sees the answer.</p>
  <//>`;
}

/** @param {{state: import("../core/session-state.js").State}} props */
function Facts({ state }) {
  const { sessionId, projectPath, costUsd, permissionMode } = state;
  const told = sessions.value?.get(sessionId)?.status;
  // Only the list is told whether a place is free.
  const status = state.status === "idle" && told === "waiting_for_slot" ? told : state.status;
  return html`<${StatusMark} status=${status} withWord /> · <a href=${formatRoute({ view: "project", projectPath })}>${baseName(projectPath)}</a>
    ${permissionMode === "bypassPermissions" && html` · <${Badge} tone="warn" label="The agent may do everything unasked"><${Icon} name="triangle-alert" size=${12} />unasked<//>`}
    ${costUsd > 0 && html` · <span title="What the conversation has cost">${money(costUsd)}</span>`}`;
}

/** Says the end of each turn, and each question, to whoever listens instead of looking. @param {{conversation: OpenConversation}} props */
function Heard({ conversation }) {
  const items = conversation.items.value;
  const last = items.findLast((item) => item.kind === "end");
  const { approvals = [], projectPath = "" } = conversation.state.value ?? {};
  const heard = useRef({ end: last?.key, asked: new Set(approvals.map(({ requestId }) => requestId)), words: "" });
  const { current } = heard;
  if (last && last.key !== current.end) {
    const answer = items.slice(0, items.indexOf(last)).findLast((item) => item.kind === "text" || item.kind === "message");
    const words = answer?.kind === "text" ? answer.text.slice(0, 300) : "";
    current.words = `The agent has ${last.outcome === "completed" ? "answered" : `ended: ${last.outcome}`}. ${words}`;
  }
  current.end = last?.key;
  for (const { requestId, tool, input } of approvals) {
    if (current.asked.has(requestId)) continue;
    current.asked.add(requestId);
    const { title, detail } = describe(tool, input, projectPath);
    current.words = `The agent asks you: ${title}. ${detail}`;
  }
  return html`<div class="only-heard" aria-live="polite">${current.words}</div>`;
}

/** @param {{error: any}} props */
function CannotOpen({ error }) {
  const isGone = error?.code === "session_not_found";
  const actions = html`<a class="button is-main" href="#/">All conversations</a>`;
  return html`<${Empty} icon="triangle-alert" heading=${isGone ? "There is no such conversation" : "The conversation cannot be opened"} actions=${actions}>
    <p>${isGone ? "The link may be of another server." : error?.message}</p>
  <//>`;
}
