// One conversation that is open: followed over the connection, folded, and told to the views once in a frame.

import { LiveAnswer } from "../core/live-answer.js";
import { applied } from "../core/session-state.js";
import { Transcript } from "../core/transcript.js";
import { batch, signal } from "../ui.js";
import { api } from "./api.js";
import { isConnected, knowDevices, nameOf } from "./connection.js";
import { deviceId } from "./identity.js";
import { keepRecent, recent } from "./recent.js";
import { toast } from "./toasts.js";

/** @typedef {import("../../client.js").Client} Client */
/** @typedef {import("../core/session-state.js").State} State */
/** @typedef {import("../core/transcript.js").Item} Item */
/** @typedef {import("../core/transcript.js").SessionEvent} SessionEvent */
/** @typedef {import("../core/live-answer.js").Growing} Growing */

/** How many of the newest events a conversation opens with: some screens full. */
const TAIL = 200;

/** How many older ones are fetched at once. */
const PAGE = 500;

/** Ends of an agent that nobody wanted (docs/protocol.md §3). */
const FAILED = new Set(["crashed", "hung", "memory"]);

/** How long what was kept stays shown while the stream that follows brings the same again. */
const REPLACED_WITHIN_MS = 2_000;

/** Nobody reads more of a hidden window than the next look at it. */
const HIDDEN_MS = 500;

/** See the module. */
export class OpenConversation {
  /** `loading`: what is shown, if anything, is what was left here before. @type {import("../../vendor/signals/signals.js").Signal<"loading" | "open" | {error: any}>} */
  phase = signal("loading");
  /** @type {import("../../vendor/signals/signals.js").Signal<State | null>} */
  state = signal(null);
  /** @type {import("../../vendor/signals/signals.js").Signal<Item[]>} */
  items = signal([]);
  /** @type {import("../../vendor/signals/signals.js").Signal<Growing | null>} */
  growing = signal(null);
  /** What is shared, with the drafts of all devices. @type {import("../../vendor/signals/signals.js").Signal<Record<string, any>>} */
  shared = signal({});
  hasOlder = signal(false);
  isLoadingOlder = signal(false);
  /** What was in the way of the older events; they are asked for again when the person wants that, or the connection is back. */
  olderError = signal(/** @type {string | null} */ (null));
  /** The last event that was folded. */
  seq = signal(0);

  #client;
  #sessionId;
  /** @type {SessionEvent[]} */
  #events = [];
  #transcript = new Transcript();
  #live = new LiveAnswer();
  /** @type {State | null} */
  #state = null;
  /** Up to this event the state knows by itself. */
  #stateHead = 0;
  #isDue = false;
  /** The server has told how the conversation is. */
  #isTold = false;
  /** What was kept is shown until the stream has come so far, or so late. */
  #replacedAt = { seq: 0, at: 0 };
  /** There are other items than were told. */
  #hasNews = false;
  /** Counts histories: what was asked for an earlier one is of no use. */
  #history = 0;
  /** @type {Array<() => void>} */
  #unlisten = [];

  /**
   * @param {Client} client
   * @param {string} sessionId
   */
  constructor(client, sessionId) {
    this.#client = client;
    this.#sessionId = sessionId;
    const left = recent(sessionId);
    if (!left) return;
    this.#events = left.events;
    this.#transcript = new Transcript(left.events);
    this.#state = left.state;
    this.#stateHead = left.head;
    this.#hasNews = true;
    this.#flush();
  }

  /** Begins to follow. */
  async open() {
    const own = (/** @type {(detail: any) => void} */ listener) => (/** @type {any} */ detail) => {
      if (detail.sessionId === this.#sessionId) listener(detail);
    };
    this.#unlisten = [
      this.#client.on("event", own((event) => this.#happened(event))),
      this.#client.on("signal", own((signal) => this.#signalled(signal))),
      this.#client.on("reset", own((answer) => this.#began(answer))),
      this.#client.on("resumed", own(({ state, head }) => {
        this.olderError.value = null;
        this.#stateIs(state, head);
      })),
      this.#client.on("ended", own(({ error }) => (this.phase.value = { error }))),
      this.#client.on("shared", own(({ shared }) => (this.shared.value = shared))),
    ];
    try {
      const answer = await this.#client.subscribe(this.#sessionId, { tail: TAIL });
      if (!answer.reset) this.#began(answer);
    } catch (error) {
      this.phase.value = { error };
    }
  }

  /** Follows no more. */
  close() {
    for (const unlisten of this.#unlisten) unlisten();
    this.#history += 1;
    if (this.#state && this.#isTold) keepRecent(this.#sessionId, { state: this.#state, head: this.#stateHead, events: this.#events });
    this.#client.unsubscribe(this.#sessionId).catch(() => {});
  }

  /** Fetches the events before the first that is known; where that has failed, only for one who asks `again`. */
  async loadOlder({ again = false } = {}) {
    const first = this.#events[0]?.seq ?? 1;
    if (this.isLoadingOlder.peek() || first <= 1 || (this.olderError.peek() !== null && !again)) return;
    if (!isConnected.peek()) {
      this.olderError.value = "There is no connection.";
      return;
    }
    this.isLoadingOlder.value = true;
    this.olderError.value = null;
    const history = this.#history;
    try {
      const older = await this.#fetch(Math.max(first - 1 - PAGE, 0), first);
      if (history !== this.#history) return;
      this.#events = [...older, ...this.#events];
      this.#transcript = new Transcript(this.#events);
      this.#hasNews = true;
      this.#flush();
    } catch (error) {
      if (history === this.#history) this.olderError.value = error instanceof Error ? error.message : String(error);
    } finally {
      this.isLoadingOlder.value = false;
    }
  }

  /**
   * A page is cut where it has too many bytes: then there are several.
   *
   * @param {number} after
   * @param {number} before
   * @returns {Promise<SessionEvent[]>}
   */
  async #fetch(after, before) {
    /** @type {SessionEvent[]} */
    const found = [];
    for (let last = after; last < before - 1; ) {
      const query = { after: last, limit: before - 1 - last };
      const { events } = await api("GET", `/api/sessions/${this.#sessionId}/events`, { query });
      if (events.length === 0) break;
      found.push(...events);
      last = events.at(-1).seq;
    }
    return found;
  }

  /** A stream begins, from its answer: nothing from before counts. @param {any} answer */
  #began({ state, head, from }) {
    this.#history += 1;
    this.olderError.value = null;
    this.#isTold = true;
    if (this.#events.length > 0 && from <= head) {
      this.#replacedAt = { seq: head, at: Date.now() + REPLACED_WITHIN_MS };
      setTimeout(() => this.#soon(), REPLACED_WITHIN_MS + 1);
    }
    this.#events = [];
    this.#transcript = new Transcript();
    this.#hasNews = true;
    this.hasOlder.value = from > 1;
    this.#stateIs(state, head);
    this.shared.value = this.#client.shared(this.#sessionId);
    // Without events nothing else would say that it is open.
    if (from > head) this.#flush();
  }

  /**
   * @param {any} state
   * @param {number} head
   */
  #stateIs(state, head) {
    this.#state = state;
    this.#stateHead = head;
    this.#live.begin(state.turn?.text);
    knowDevices(state.devices);
    this.#soon();
  }

  /** @param {SessionEvent} event */
  #happened(event) {
    this.#events.push(event);
    this.#transcript.add(event);
    this.#hasNews = true;
    if (event.seq > this.#stateHead && this.#state) {
      this.#state = applied(this.#state, event);
      const { kind, data } = event;
      const isAnswer = kind === "agent_message" && data.message?.type === "assistant" && !data.message.parent_tool_use_id;
      if (isAnswer || kind === "turn_ended" || kind === "turn_dispatched") this.#live.end();
      if (kind === "device_linked") knowDevices([data]);
      if (kind === "approval_resolved") tellWhoAnswered(data);
      if (isFailure(event)) void this.#askForProblem();
    }
    this.#soon();
  }

  /** Why no agent is started any more is in no event. */
  async #askForProblem() {
    const history = this.#history;
    const told = await api("GET", `/api/sessions/${this.#sessionId}`).catch(() => null);
    // Whoever has started since has no problem.
    if (!told?.agent.problem || history !== this.#history || !this.#state || this.#state.agent.state === "ready" || this.#state.turn) return;
    this.#state = { ...this.#state, agent: told.agent };
    this.#soon();
  }

  /** @param {{kind: string, data: any}} signal */
  #signalled({ kind, data }) {
    if (kind === "delta") this.#live.delta(data);
    else if (kind === "presence" && this.#state) {
      knowDevices(data.devices);
      this.#state = { ...this.#state, devices: merged(this.#state.devices, data.devices) };
    } else return;
    this.#soon();
  }

  /** Tells the views with the next frame. */
  #soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    const tell = () => {
      if (this.#isDue) this.#flush();
    };
    if (document.visibilityState === "hidden") setTimeout(tell, HIDDEN_MS);
    else {
      requestAnimationFrame(tell);
      // A window that is hidden before the frame gets none.
      setTimeout(tell, HIDDEN_MS);
    }
  }

  #flush() {
    this.#isDue = false;
    batch(() => {
      this.state.value = this.#state;
      const isWhole = (this.#events.at(-1)?.seq ?? 0) >= this.#replacedAt.seq || Date.now() > this.#replacedAt.at;
      if (this.#hasNews && isWhole) {
        this.items.value = [...this.#transcript.items];
        this.#hasNews = false;
      }
      this.growing.value = this.#live.growing;
      this.seq.value = this.#events.at(-1)?.seq ?? 0;
      this.hasOlder.value = this.#events.length > 0 ? this.#events[0].seq > 1 : this.hasOlder.value;
      if (this.#isTold) this.phase.value = "open";
    });
  }
}

/**
 * The roster of presence over the list of linked devices: who is linked and not in the roster is away.
 *
 * @param {import("../core/session-state.js").Device[]} linked
 * @param {import("../core/session-state.js").Device[]} roster
 */
function merged(linked, roster) {
  const here = new Map(roster.map((device) => [device.deviceId, device]));
  const known = linked.map((device) => ({ ...device, online: false, activity: null, ...here.get(device.deviceId) }));
  const others = roster.filter((device) => !linked.some(({ deviceId }) => deviceId === device.deviceId));
  return [...known, ...others];
}

/** Whether an agent may be left alone after it. @param {SessionEvent} event */
function isFailure({ kind, data }) {
  return (kind === "turn_ended" && data.outcome === "failed") || (kind === "agent_stopped" && FAILED.has(data.reason));
}

/** A question that goes away under somebody's finger needs a reason. @param {{decision: string, by?: {deviceId: string} | null}} resolved */
function tellWhoAnswered({ decision, by }) {
  if (!by || by.deviceId === deviceId()) return;
  toast(`${decision === "allow" ? "Allowed" : "Denied"} on ${nameOf(by.deviceId)}.`, { kind: "info" });
}
