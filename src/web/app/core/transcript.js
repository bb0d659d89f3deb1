// What a conversation looks like: its events, folded into things to show. Pure.
//
// A message stands where its turn begins, and not where it was accepted: what waits is shown in the queue. What belongs to
// a call of a tool (its result, the question before it, what a helper of the agent did) is put into the call.

/** @typedef {{seq: number, at: string, kind: string, data: any}} SessionEvent */

/** @typedef {{deviceId: string, userId: string}} By */

/**
 * What came of a call: its text, pictures as attachments, and what the agent itself says of it beside (such as the lines of
 * a file that it changed).
 *
 * @typedef {{text: string, isError: boolean, images: any[], more: any}} Result
 */

/** The question before a call, and its answer. @typedef {{requestId: string, decision: string | null, by: By | null, message: string | null}} Asked */

/**
 * @typedef {{kind: "message", key: string, at: string, messageId: string, content: any, deviceId: string | null, turn: number,
 *   madeUp: string | null}} MessageItem
 */
/** @typedef {{kind: "text", key: string, at: string, text: string}} TextItem */
/** @typedef {{kind: "thinking", key: string, at: string, text: string}} ThinkingItem */
/**
 * @typedef {{kind: "tool", key: string, at: string, id: string, name: string, input: any, result: Result | null, asked: Asked | null,
 *   isOver: boolean, inside: Item[]}} ToolItem
 */
/**
 * @typedef {{kind: "end", key: string, at: string, messageId: string, outcome: string, text: string | null, error: string | null,
 *   durationMs: number, usage: any, costUsd: number | null, by: By | null}} EndItem
 */
/** @typedef {{kind: "notice", key: string, at: string, tone: "quiet" | "warn", text: string}} NoticeItem */
/** @typedef {MessageItem | TextItem | ThinkingItem | ToolItem | EndItem | NoticeItem} Item */

/** See the module. An item that changes is replaced by another object, so that a view can see what to draw again. */
export class Transcript {
  /** @type {Item[]} */
  items = [];
  /** Messages that were accepted and are not in a turn yet, or not any more. @type {Map<string, {content: any, deviceId: string}>} */
  #messages = new Map();
  /** Where calls of tools stand: among the items, or inside of another call. @type {Map<string, {list: Item[], place: number, parent: string | null}>} */
  #tools = new Map();
  /** Calls by the question before them. @type {Map<string, string>} */
  #askedOf = new Map();
  /** Calls without a result, of the running turn. @type {Set<string>} */
  #open = new Set();
  /** Whether the running turn has said anything. */
  #hasAnswered = false;

  /** @param {Iterable<SessionEvent>} [events] in their order */
  constructor(events = []) {
    for (const event of events) this.add(event);
  }

  /** Takes in the next event. @param {SessionEvent} event */
  add({ seq, at, kind, data }) {
    const key = String(seq);
    if (kind === "message_accepted" || kind === "message_edited") this.#known(data);
    else if (kind === "turn_dispatched") this.#begun(key, at, data);
    else if (kind === "agent_message") this.#said(key, at, data.message);
    else if (kind === "approval_requested") this.#asked(key, at, data);
    else if (kind === "approval_resolved") this.#resolved(data);
    else if (kind === "turn_ended") this.#ended(key, at, data);
    else {
      const notice = noticeOf(kind, data);
      if (notice) this.items.push({ kind: "notice", key, at, ...notice });
    }
  }

  /** @param {any} data */
  #known({ messageId, content, deviceId }) {
    const known = this.#messages.get(messageId);
    this.#messages.set(messageId, { content, deviceId: deviceId ?? known?.deviceId ?? null });
  }

  /**
   * @param {string} key
   * @param {string} at
   * @param {any} data
   */
  #begun(key, at, { messageId, turn, attempt, madeUp = null }) {
    this.#hasAnswered = false;
    // Written once more to another agent: it is the same message.
    if (attempt > 1 && this.items.some((item) => item.kind === "message" && item.messageId === messageId)) return;
    const known = this.#messages.get(messageId);
    this.#messages.delete(messageId);
    const { content = null, deviceId = null } = known ?? {};
    this.items.push({ kind: "message", key, at, messageId, content, deviceId, turn, madeUp });
  }

  /**
   * @param {string} key
   * @param {string} at
   * @param {any} line
   */
  #said(key, at, line) {
    const parent = typeof line?.parent_tool_use_id === "string" ? line.parent_tool_use_id : null;
    if (line?.type === "assistant") this.#blocks(key, at, line, parent);
    else if (line?.type === "user") this.#results(line);
    else if (line?.type === "system" && line.subtype === "compact_boundary") {
      this.items.push({ kind: "notice", key, at, tone: "quiet", text: "The agent has summed up what was said before." });
    } else if (line?.type === "conversation_reset") {
      this.items.push({ kind: "notice", key, at, tone: "quiet", text: "The agent has begun anew: it does not know what was said before." });
    }
  }

  /**
   * @param {string} key
   * @param {string} at
   * @param {any} line
   * @param {string | null} parent
   */
  #blocks(key, at, line, parent) {
    const list = this.#listOf(parent);
    blocksOf(line.message?.content).forEach((block, place) => {
      const own = `${key}.${place}`;
      if (block.type === "text" && isText(block.text)) {
        list.push({ kind: "text", key: own, at, text: block.text });
        if (!parent) this.#hasAnswered = true;
      } else if (block.type === "thinking" && isText(block.thinking)) {
        list.push({ kind: "thinking", key: own, at, text: block.thinking });
      } else if (block.type === "tool_use" || block.type === "server_tool_use" || block.type === "mcp_tool_use") {
        this.#called(own, at, block, parent);
      }
    });
    if (parent) this.#touch(parent);
  }

  /**
   * @param {string} key
   * @param {string} at
   * @param {any} block
   * @param {string | null} parent
   */
  #called(key, at, { id, name, input }, parent) {
    this.#open.add(id);
    // The question may have been there first.
    if (this.#tools.has(id)) return;
    const list = this.#listOf(parent);
    this.#tools.set(id, { list, place: list.length, parent });
    list.push({ kind: "tool", key, at, id, name, input, result: null, asked: null, isOver: false, inside: [] });
  }

  /** @param {any} line */
  #results(line) {
    for (const block of blocksOf(line.message?.content)) {
      if (typeof block.tool_use_id !== "string") continue;
      this.#open.delete(block.tool_use_id);
      const blocks = blocksOf(block.content);
      const text = blocks.filter(({ type }) => type === "text").map((one) => one.text).join("\n");
      const images = blocks.filter(({ type }) => type === "image");
      const result = { text, isError: block.is_error === true, images, more: line.tool_use_result ?? null };
      this.#change(block.tool_use_id, { result, isOver: true });
    }
  }

  /**
   * @param {string} key
   * @param {string} at
   * @param {any} approval
   */
  #asked(key, at, { requestId, tool, input, toolUseId }) {
    const id = toolUseId ?? requestId;
    if (!this.#tools.has(id)) this.#called(key, at, { id, name: tool, input }, null);
    this.#askedOf.set(requestId, id);
    this.#change(id, { asked: { requestId, decision: null, by: null, message: null } });
  }

  /** @param {any} data */
  #resolved({ requestId, decision, by = null, message = null }) {
    const id = this.#askedOf.get(requestId);
    if (id !== undefined) this.#change(id, { asked: { requestId, decision, by, message } });
  }

  /**
   * @param {string} key
   * @param {string} at
   * @param {any} data
   */
  #ended(key, at, { messageId, outcome, text = null, error = null, durationMs, usage = null, costUsd = null, by = null }) {
    for (const id of this.#open) this.#change(id, { isOver: true });
    this.#open.clear();
    // Some commands are answered by the end alone.
    if (text && !this.#hasAnswered && outcome === "completed") this.items.push({ kind: "text", key: `${key}.t`, at, text });
    this.items.push({ kind: "end", key, at, messageId, outcome, text, error, durationMs, usage, costUsd, by });
  }

  /** @param {string | null} parent */
  #listOf(parent) {
    const call = parent === null ? undefined : this.#tools.get(parent);
    const item = call?.list[call.place];
    return item?.kind === "tool" ? item.inside : this.items;
  }

  /**
   * @param {string} id
   * @param {Partial<ToolItem>} change
   */
  #change(id, change) {
    const call = this.#tools.get(id);
    const item = call?.list[call.place];
    if (!call || item?.kind !== "tool") return;
    call.list[call.place] = { ...item, ...change };
    if (call.parent) this.#touch(call.parent);
  }

  /** Something inside of a call has changed: the call is another object too. @param {string} id */
  #touch(id) {
    this.#change(id, {});
  }
}

/**
 * The plain text of a message's content.
 *
 * @param {any} content text, or content blocks
 * @returns {string}
 */
export function textOf(content) {
  return blocksOf(content).filter(({ type }) => type === "text").map(({ text }) => text).join("\n");
}

/** What is attached to a message. @param {any} content @returns {any[]} */
export function attachmentsOf(content) {
  return blocksOf(content).filter(({ type }) => type === "image" || type === "document");
}

/** @param {any} text */
function isText(text) {
  return typeof text === "string" && text !== "";
}

/** @param {any} content @returns {any[]} */
function blocksOf(content) {
  if (typeof content === "string") return content ? [{ type: "text", text: content }] : [];
  return Array.isArray(content) ? content.filter((block) => block && typeof block === "object") : [];
}

/** @type {Record<string, string>} */
const STOPS = {
  crashed: "The agent ended unexpectedly.",
  hung: "The agent did not answer any more and was ended.",
  memory: "The agent took too much memory and was ended.",
  evicted: "The agent made room for another conversation. It comes back with the next message.",
};

/**
 * What is worth a line of its own beside messages and answers.
 *
 * @param {string} kind
 * @param {any} data
 * @returns {Pick<NoticeItem, "tone" | "text"> | null}
 */
function noticeOf(kind, data) {
  if (kind === "agent_stopped" && STOPS[data.reason]) {
    const detail = data.detail ? ` ${data.detail}` : "";
    return { tone: data.reason === "evicted" ? "quiet" : "warn", text: `${STOPS[data.reason]}${detail}` };
  }
  if (kind === "session_expired") return { tone: "quiet", text: "The conversation has expired. A message revives it." };
  if (kind === "session_revived") return { tone: "quiet", text: "The conversation goes on." };
  if (kind === "session_closed") return { tone: "quiet", text: "The conversation was closed." };
  if (kind === "session_changed" && data.model) return { tone: "quiet", text: `The model is ${data.model} now.` };
  if (kind === "session_changed" && data.permissionMode) return { tone: "quiet", text: `The permission mode is ${data.permissionMode} now.` };
  return null;
}
