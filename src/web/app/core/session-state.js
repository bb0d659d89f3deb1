// The state of a conversation as the server told it with the stream, kept right by the events that follow. Pure.

/** @typedef {import("./transcript.js").SessionEvent} SessionEvent */
/** @typedef {{messageId: string, deviceId: string, content: any, mode: string}} Queued */
/** @typedef {{requestId: string, tool: string, input: any, description?: string, suggestions?: any, toolUseId?: string}} Approval */
/** @typedef {{deviceId: string, deviceName?: string, kind?: string, online?: boolean, activity?: string | null}} Device */

/**
 * What of docs/protocol.md §4 a view needs.
 *
 * @typedef {object} State
 * @property {string} sessionId
 * @property {string} projectPath
 * @property {string | null} title
 * @property {string | null} model
 * @property {string | null} permissionMode
 * @property {import("./session-list.js").Status} status
 * @property {{state: string, problem?: string | null}} agent
 * @property {Queued[]} queue
 * @property {{messageId: string, turn: number, text?: string} | null} turn
 * @property {Approval[]} approvals
 * @property {Device[]} devices
 * @property {string | null} primaryDeviceId
 * @property {string} expiresAt
 * @property {number} turns
 * @property {number} costUsd
 */

/**
 * The state after an event.
 *
 * @param {State} state
 * @param {SessionEvent} event
 * @returns {State} the same where nothing of it has changed
 */
export function applied(state, event) {
  const change = CHANGES[event.kind]?.(state, event.data);
  if (!change) return state;
  const next = { ...state, ...change };
  return { ...next, status: statusOf(next) };
}

/**
 * What can be said of a conversation before the server has told: what the list has of it, if anything.
 *
 * @param {string} sessionId
 * @param {import("./session-list.js").Summary | undefined} summary
 * @returns {State}
 */
export function assumed(sessionId, summary) {
  const { projectPath = "", title = null, status = "idle", expiresAt = "", turns = 0, costUsd = 0 } = summary ?? {};
  return {
    sessionId, projectPath, title, status, expiresAt, turns, costUsd, model: null, permissionMode: null, agent: { state: "none" },
    queue: [], turn: null, approvals: [], devices: [], primaryDeviceId: null,
  };
}

/** @type {Record<string, (state: State, data: any) => Partial<State>>} */
const CHANGES = {
  session_changed: (_, { title, model, permissionMode }) => defined({ title, model, permissionMode }),
  device_linked: ({ devices }, { deviceId, deviceName, kind }) => {
    const known = devices.find((device) => device.deviceId === deviceId);
    return { devices: [...devices.filter((device) => device !== known), { online: true, ...known, deviceId, deviceName, kind }] };
  },
  device_unlinked: ({ devices }, { deviceId }) => ({ devices: devices.filter((device) => device.deviceId !== deviceId) }),
  primary_changed: (_, { deviceId }) => ({ primaryDeviceId: deviceId }),
  message_accepted: ({ queue, status }, { messageId, deviceId, content, mode }) => {
    const message = { messageId, deviceId, content, mode };
    // A message revives what has expired.
    const woken = status === "expired" ? { status: /** @type {const} */ ("idle") } : {};
    return { queue: mode === "now" ? [message, ...queue] : [...queue, message], ...woken };
  },
  message_edited: ({ queue }, { messageId, content }) => ({
    queue: queue.map((message) => (message.messageId === messageId ? { ...message, content } : message)),
  }),
  message_cancelled: ({ queue }, { messageId }) => ({ queue: without(queue, messageId) }),
  queue_moved: ({ queue }, { messageId, before = null }) => {
    const moved = queue.find((message) => message.messageId === messageId);
    if (!moved) return { queue };
    const others = without(queue, messageId);
    const place = others.findIndex((message) => message.messageId === before);
    return { queue: place < 0 ? [...others, moved] : [...others.slice(0, place), moved, ...others.slice(place)] };
  },
  turn_dispatched: ({ queue }, { messageId, turn }) => ({ queue: without(queue, messageId), turn: { messageId, turn } }),
  approval_requested: ({ approvals }, approval) => ({ approvals: [...approvals, approval] }),
  approval_resolved: ({ approvals }, { requestId }) => ({ approvals: approvals.filter((one) => one.requestId !== requestId) }),
  turn_ended: ({ turns, costUsd }, { turn, costUsd: cost = 0 }) => ({ turn: null, turns: Math.max(turns, turn), costUsd: costUsd + cost }),
  agent_started: () => ({ agent: { state: "ready" } }),
  agent_stopped: () => ({ agent: { state: "none" } }),
  session_warned: (_, { expiresAt }) => ({ expiresAt }),
  session_extended: (_, { expiresAt }) => ({ expiresAt }),
  session_expired: (_, { expiresAt }) => ({ expiresAt, status: "expired" }),
  session_revived: (_, { expiresAt }) => ({ expiresAt, status: "idle" }),
  session_closed: () => ({ status: "closed", queue: [], turn: null, approvals: [] }),
};

/** @param {State} state @returns {State["status"]} */
function statusOf({ status, turn, approvals, queue }) {
  if (status === "closed" || status === "expired") return status;
  if (approvals.length > 0) return "waiting_for_approval";
  if (turn) return "running";
  // Whether a place is free is not told by events: what the server said last holds while somebody waits.
  return status === "waiting_for_slot" && queue.length > 0 ? status : "idle";
}

/**
 * @param {Queued[]} queue
 * @param {string} messageId
 */
function without(queue, messageId) {
  return queue.filter((message) => message.messageId !== messageId);
}

/** @param {Record<string, any>} fields */
function defined(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
