// What has happened in a project, as a person reads it: the events of its channel, what one did in one go together, the
// newest first. Pure.

import { decisionless, resolutionWord } from "./project-conflicts.js";
import { isSame, thingName } from "./project-state.js";

/** @typedef {import("./project-state.js").Holder} Holder */
/** @typedef {import("./project-state.js").ProjectEvent} ProjectEvent */

/** A longer pause begins a new entry. */
const PAUSE_MS = 5 * 60_000;

/** @typedef {"all" | "files" | "locks" | "conflicts"} Filter */

/**
 * One sort of thing that somebody did: `changed` with the files, `locked` with what was locked.
 *
 * @typedef {{key: number, icon: string, tone: "plain" | "good" | "warn" | "bad", verb: string, things: string[],
 *   more: string, conflictId?: string}} Line
 */

/**
 * What one did in one go; no `actor`: a program that nobody knows, or the server itself.
 *
 * @typedef {{key: number, actor: Holder | null, isServer: boolean, from: string, at: string, lines: Line[]}} Entry
 */

/** @typedef {{sort: Filter, actor: Holder | null, isServer?: boolean, line: Line}} Told */

/** @type {Record<string, string>} */
const CHANGES = { created: "created", modified: "changed", deleted: "deleted" };

/** @type {Record<string, string>} */
const REASONS = {
  busy: "it was held", timed_out: "nobody gave it back in time", deadlock: "each waited for the other",
  queue_full: "too many waited", withdrawn: "it was taken back", storage: "the disk took nothing",
};

/** @type {Record<string, string>} */
const ENFORCEMENTS = { on: "let agents be held to locks", warn: "let agents only be warned of locks", off: "let agents go past locks" };

/**
 * All events in entries, the newest first. Among all others, the lock of a file that was changed says nothing more and is
 * left out.
 *
 * @param {ProjectEvent[]} events in their order
 * @param {Filter} [filter]
 * @returns {Entry[]}
 */
export function timeline(events, filter = "all") {
  /** @type {Entry[]} */
  const entries = [];
  for (const event of events) {
    const told = tell(event);
    if (!told || (filter !== "all" && told.sort !== filter)) continue;
    const last = entries.at(-1);
    if (last && joins(last, told, event)) {
      last.at = event.at;
      added(last.lines, told.line);
    } else {
      const { actor, isServer = false, line } = told;
      entries.push({ key: event.seq, actor, isServer, from: event.at, at: event.at, lines: [line] });
    }
  }
  if (filter === "all") for (const entry of entries) entry.lines = withoutMeans(entry.lines);
  return entries.filter(({ lines }) => lines.length > 0).reverse();
}

/** Verbs of what is done for the sake of a change, and of changes. */
const MEANS = new Set(["locked", "gave back"]);
const ENDS = new Set(Object.values(CHANGES));

/** @param {Line[]} lines */
function withoutMeans(lines) {
  const changed = new Set(lines.filter(({ verb }) => ENDS.has(verb)).flatMap(({ things }) => things));
  return lines
    .map((line) => (MEANS.has(line.verb) ? { ...line, things: line.things.filter((thing) => !changed.has(thing)) } : line))
    .filter(({ verb, things }) => !MEANS.has(verb) || things.length > 0);
}

/**
 * The entries of each day.
 *
 * @param {Entry[]} entries
 * @param {(at: string) => string} dayOf what a moment's day is called
 * @returns {Array<{day: string, entries: Entry[]}>}
 */
export function byDay(entries, dayOf) {
  /** @type {Array<{day: string, entries: Entry[]}>} */
  const days = [];
  for (const entry of entries) {
    const day = dayOf(entry.at);
    if (days.at(-1)?.day !== day) days.push({ day, entries: [] });
    days[days.length - 1].entries.push(entry);
  }
  return days;
}

/**
 * @param {Entry} last
 * @param {Told} told
 * @param {ProjectEvent} event
 */
function joins(last, { actor, isServer = false }, event) {
  const isOneActor = last.isServer === isServer && (actor ? isSame(actor, last.actor ?? {}) : !last.actor);
  return isOneActor && Date.parse(event.at) - Date.parse(last.at) < PAUSE_MS;
}

/**
 * Adds a line, or what it names to a line of the same sort.
 *
 * @param {Line[]} lines
 * @param {Line} line
 */
function added(lines, line) {
  const alike = lines.find((other) => other.verb === line.verb && other.more === line.more && other.conflictId === line.conflictId);
  if (!alike) {
    lines.push(line);
    return;
  }
  for (const thing of line.things) if (!alike.things.includes(thing)) alike.things.push(thing);
}

/** @param {ProjectEvent} event @returns {Told | null} */
function tell({ seq, kind, data, projectPath }) {
  const line = (/** @type {Partial<Line> & {icon: string, verb: string}} */ more) => ({ key: seq, tone: /** @type {const} */ ("plain"), things: [], more: "", ...more });
  const name = (/** @type {string} */ thing) => thingName(thing, projectPath);
  const things = () => data.locks.map((/** @type {any} */ lock) => name(lock.resourceId) || lock.lockType);
  const actor = data.holder ?? null;
  switch (kind) {
    case "file_changed":
      return { sort: "files", actor, line: line({ icon: "file-pen", verb: CHANGES[data.changeType] ?? "changed", things: [name(data.filePath)] }) };
    case "lock_acquired":
      return { sort: "locks", actor, line: line({ icon: "lock", verb: "locked", things: things() }) };
    case "lock_waiting":
      return { sort: "locks", actor, line: line({ icon: "hourglass", tone: "warn", verb: "waited for", things: things() }) };
    case "lock_denied":
      return { sort: "locks", actor, line: line({ icon: "circle-x", tone: "warn", verb: "did not get", things: things(), more: REASONS[data.reason] ?? "" }) };
    case "lock_released":
      if (data.forcedBy) return { sort: "locks", actor: data.forcedBy, line: line({ icon: "lock-open", tone: "bad", verb: "took away the lock of", things: things() }) };
      return { sort: "locks", actor, line: line({ icon: "lock-open", verb: "gave back", things: things() }) };
    case "lock_expired":
      return { sort: "locks", actor, line: line({ icon: "timer", tone: "warn", verb: "held for too long and lost", things: things() }) };
    case "conflict_detected": {
      const { conflictId, subject } = data;
      const isOver = data.resolution !== undefined;
      const verb = isOver ? decisionless(data) : "is in conflict over";
      return { sort: "conflicts", actor: data.theirs.holder ?? data.ours.holder ?? null, line: line({ icon: "triangle-alert", tone: isOver ? "warn" : "bad", verb, things: [name(subject)], conflictId }) };
    }
    case "conflict_resolved": {
      const by = data.by?.deviceId ? { deviceId: data.by.deviceId } : null;
      const verb = by ? "settled a conflict" : "A conflict is settled";
      return { sort: "conflicts", actor: by, isServer: !by, line: line({ icon: "circle-check", tone: "good", verb, more: resolutionWord(data.resolution), conflictId: data.conflictId }) };
    }
    case "session_connected":
      return { sort: "all", actor: { sessionId: data.sessionId }, line: line({ icon: "plug", verb: "began to work here" }) };
    case "session_disconnected":
      return { sort: "all", actor: { sessionId: data.sessionId }, line: line({ icon: "power", verb: "left" }) };
    case "role_changed":
      return { sort: "all", actor: { sessionId: data.sessionId }, line: line({ icon: "users", verb: data.role === "primary" ? "leads here now" : "follows now" }) };
    case "enforcement_changed": {
      const by = data.by?.deviceId ? { deviceId: data.by.deviceId } : null;
      return { sort: "all", actor: by, isServer: !by, line: line({ icon: "shield-check", tone: "warn", verb: ENFORCEMENTS[data.enforcement] ?? "changed how agents are held to locks" }) };
    }
    case "facts_dropped":
      return { sort: "all", actor: null, isServer: true, line: line({ icon: "info", tone: "warn", verb: `${data.count} events are missing here: they came faster than the disk takes them` }) };
    default:
      return null;
  }
}
