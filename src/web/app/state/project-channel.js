// Follows one project: how it is now, what has happened in it, and where people are in it.

import { begun, folded } from "../core/project-state.js";
import { batch, signal } from "../ui.js";
import { api } from "./api.js";

/** @typedef {import("./connection.js").Client} Client */
/** @typedef {import("../core/project-state.js").Project} Project */
/** @typedef {import("../core/project-state.js").ProjectEvent} ProjectEvent */

/** How many of the newest events are shown at first, and how many older ones are brought when they are wanted. */
const FIRST = 200;
const OLDER = 400;

/** More than a person reads; what is older lies in the journal. */
export const MAX_EVENTS = 3_000;

/** Leases are renewed without a word, so until when they hold is asked for again. */
const LOOK_AT_LOCKS_MS = 15_000;

/** Where somebody was so long ago is where nobody is. */
const CURSOR_HOLDS_MS = 10 * 60_000;

/** See the module. */
export class ProjectChannel {
  /** The project; null until the server has told it. @type {import("../../vendor/signals/signals.js").Signal<Project | null>} */
  project = signal(null);
  /** What has happened, in order. @type {import("../../vendor/signals/signals.js").Signal<ProjectEvent[]>} */
  events = signal([]);
  /** Where devices are, by their ids. @type {import("../../vendor/signals/signals.js").Signal<Map<string, {at: number, cursor: any}>>} */
  cursors = signal(new Map());
  /** Why it cannot be followed. @type {import("../../vendor/signals/signals.js").Signal<Error | null>} */
  problem = signal(null);
  isBringingOlder = signal(false);

  #client;
  #path;
  /** @type {Array<() => void>} */
  #offs = [];
  /** What came before the answer that says under which path. @type {ProjectEvent[] | null} */
  #early = [];
  #isOver = false;

  /**
   * @param {Client} client
   * @param {string} projectPath as it was asked for; links in it are resolved by the server
   */
  constructor(client, projectPath) {
    this.#client = client;
    this.#path = projectPath;
    const on = (/** @type {string} */ name, /** @type {(detail: any) => void} */ listener) => this.#offs.push(client.on(name, listener));
    on("project_event", (event) => this.#heard(event));
    on("project_resumed", (answer) => this.#isOurs(answer) && (this.project.value = begun(answer)));
    on("project_reset", (answer) => this.#isOurs(answer) && this.#startOver(answer));
    on("signal", (hint) => this.#isOurs(hint) && this.#hint(hint));
    on("ended", (end) => [this.#path, this.#name].includes(end.projectPath) && (this.problem.value = end.error));
    const timer = setInterval(() => void this.lookAtLocks(), LOOK_AT_LOCKS_MS);
    this.#offs.push(() => clearInterval(timer));
    client.subscribeProject(projectPath, { tail: FIRST }).then(
      (answer) => this.#begin(answer),
      (error) => !this.#isOver && (this.problem.value = error),
    );
  }

  /** Whether there may be events before the first one that is shown. */
  get hasOlder() {
    const first = this.events.value[0]?.seq ?? 1;
    return first > 1 && this.events.value.length < MAX_EVENTS;
  }

  /** Brings events that are older than those that are shown. */
  async older() {
    const first = this.events.peek()[0]?.seq ?? 1;
    if (first <= 1 || this.isBringingOlder.peek()) return;
    this.isBringingOlder.value = true;
    try {
      // The stream starts over from there; what is known already comes once more and is left out.
      const answer = await this.#client.subscribeProject(this.#name, { after: Math.max(first - 1 - OLDER, 0) });
      if (!this.#isOver) this.project.value = begun(answer);
    } finally {
      this.isBringingOlder.value = false;
    }
  }

  /** Asks until when locks hold, where there are any and somebody looks. */
  async lookAtLocks() {
    const project = this.project.peek();
    if (!project || project.locks.length === 0 || document.visibilityState === "hidden") return;
    const { head } = project;
    const { locks } = await api("GET", "/api/locks", { query: { project: project.projectPath } }).catch(() => ({}));
    const now = this.project.peek();
    // What has happened meanwhile may not be in the answer.
    if (locks && now?.head === head && !this.#isOver) this.project.value = { ...now, locks };
  }

  /** Tells the others where this device is in the project. @param {any} cursor */
  tell(cursor) {
    const projectPath = this.project.peek()?.projectPath;
    if (projectPath) this.#client.command({ type: "cursor_position", projectPath, ...cursor }).catch(() => {});
  }

  /**
   * Follows it no more. That is said now, also where the answer has not come: whoever follows the project next asks after
   * it, and an answer that comes late must not end that.
   */
  close() {
    this.#isOver = true;
    for (const off of this.#offs) off();
    this.#client.unsubscribeProject(this.#name).catch(() => {});
  }

  /** What it goes by: the server's own path, once that is known. */
  get #name() {
    return this.project.peek()?.projectPath ?? this.#path;
  }

  /** @param {any} answer */
  #begin(answer) {
    if (this.#isOver) return;
    const early = this.#early ?? [];
    this.#early = null;
    batch(() => {
      this.project.value = begun(answer);
      for (const event of early) this.#heard(event);
    });
  }

  /** @param {any} answer */
  #startOver(answer) {
    batch(() => {
      this.events.value = [];
      this.cursors.value = new Map();
      this.project.value = begun(answer);
    });
  }

  /** @param {ProjectEvent} event */
  #heard(event) {
    if (this.#early) {
      this.#early.push(event);
      return;
    }
    const project = this.project.peek();
    if (!project || event.projectPath !== project.projectPath) return;
    batch(() => {
      this.project.value = folded(project, event);
      this.events.value = inserted(this.events.peek(), event);
    });
  }

  /** @param {{projectPath?: string}} detail */
  #isOurs({ projectPath }) {
    return projectPath !== undefined && projectPath === this.project.peek()?.projectPath;
  }

  /** @param {{kind: string, data: any}} hint */
  #hint({ kind, data }) {
    if (kind !== "cursor_update" || typeof data?.deviceId !== "string") return;
    const now = Date.now();
    const { deviceId, ...cursor } = data;
    const fresh = [...this.cursors.peek()].filter(([, { at }]) => now - at < CURSOR_HOLDS_MS);
    this.cursors.value = new Map(fresh).set(deviceId, { at: now, cursor });
  }
}

/**
 * The events with one more, in order, each once.
 *
 * @param {ProjectEvent[]} events
 * @param {ProjectEvent} event
 */
export function inserted(events, event) {
  const place = events.findLastIndex(({ seq }) => seq <= event.seq);
  if (events[place]?.seq === event.seq) return events;
  const all = events.toSpliced(place + 1, 0, event);
  return all.length > MAX_EVENTS ? all.slice(-MAX_EVENTS) : all;
}
