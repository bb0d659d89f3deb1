// A project as a person sees it: who works there, what is locked, what is in conflict. Folded from its channel
// (docs/protocol.md §6). Pure.

import { withinProject } from "./format.js";

/** @typedef {{deviceId?: string, sessionId?: string}} Holder one of the two */

/**
 * @typedef {object} Lock
 * @property {string} projectPath
 * @property {string} resourceId
 * @property {"file" | "git" | "project" | "database" | "exclusive"} lockType
 * @property {"exclusive" | "shared"} mode
 * @property {Holder} holder
 * @property {boolean} isWaiting
 * @property {number} [fence]
 * @property {string} [since]
 * @property {string} [expiresAt]
 * @property {Holder} [behind] whom it waits for, where that was told
 */

/** @typedef {{holder?: Holder, what: string, hash?: string, at: string}} Side */

/**
 * @typedef {object} Conflict
 * @property {string} conflictId
 * @property {"file_edit" | "git_merge" | "context_switch" | "resource_lock" | "state_divergence"} conflictType
 * @property {string} projectPath
 * @property {string} subject
 * @property {string} foundAt
 * @property {Side} ours what is there
 * @property {Side} theirs what was to be there
 * @property {string} [base]
 * @property {string} [hunks]
 * @property {"ours" | "theirs" | "merged" | "waited"} [resolution]
 * @property {{deviceId?: string} | null} [resolvedBy]
 */

/** @typedef {"on" | "warn" | "off"} Enforcement */

/** @typedef {{projectPath: string, seq: number, at: string, kind: string, data: any}} ProjectEvent */

/**
 * A project at one moment. Everything up to `head` is in it.
 *
 * @typedef {object} Project
 * @property {string} projectPath
 * @property {number} head
 * @property {Map<string, string>} roles of the conversations that are connected
 * @property {Lock[]} locks in the order of asking
 * @property {Map<string, Conflict>} conflicts
 * @property {Enforcement | undefined} enforcement undefined: the server does not tell
 */

/**
 * The project as the answer to `subscribe_project` has it.
 *
 * @param {any} answer
 * @returns {Project}
 */
export function begun({ projectPath, head, locks, conflicts, sessions, enforcement }) {
  return {
    projectPath,
    head,
    roles: new Map(sessions.map((/** @type {any} */ member) => [member.sessionId, member.role])),
    locks,
    conflicts: new Map(conflicts.map((/** @type {Conflict} */ conflict) => [conflict.conflictId, conflict])),
    enforcement,
  };
}

/**
 * The project after an event; the same one where the event is in it already.
 *
 * @param {Project} project
 * @param {ProjectEvent} event
 * @returns {Project}
 */
export function folded(project, { seq, at, kind, data }) {
  if (seq <= project.head) return project;
  const next = { ...project, head: seq };
  if (kind.startsWith("lock_")) next.locks = lockFolded(project, kind, data, at);
  else if (kind === "session_connected" || kind === "role_changed") next.roles = new Map(project.roles).set(data.sessionId, data.role);
  else if (kind === "session_disconnected") {
    next.roles = new Map(project.roles);
    next.roles.delete(data.sessionId);
  } else if (kind === "conflict_detected") next.conflicts = new Map(project.conflicts).set(data.conflictId, data);
  else if (kind === "conflict_resolved") next.conflicts = resolved(project.conflicts, data);
  else if (kind === "enforcement_changed") next.enforcement = data.enforcement;
  return next;
}

/**
 * @param {Project} project
 * @param {string} kind
 * @param {any} data
 * @param {string} at
 * @returns {Lock[]}
 */
function lockFolded({ projectPath, locks }, kind, data, at) {
  const isMeant = (/** @type {Lock} */ lock) =>
    isSame(lock.holder, data.holder) && data.locks.some((/** @type {Lock} */ named) => keyOf(named) === keyOf(lock));
  const isOver = (/** @type {Lock} */ lock) => {
    if (!isMeant(lock)) return false;
    // Whoever asks for more than it has still has what it had, and what was asked for anew is another grant.
    if (kind === "lock_waiting" || kind === "lock_denied") return lock.isWaiting;
    return lock.isWaiting || kind === "lock_acquired" || data.fence === undefined || lock.fence === undefined || lock.fence === data.fence;
  };
  const rest = locks.filter((lock) => !isOver(lock));
  const named = (/** @type {Partial<Lock>} */ more) =>
    data.locks.map((/** @type {any} */ lock) => ({ projectPath, mode: "exclusive", ...lock, holder: data.holder, ...more }));
  if (kind === "lock_acquired") return [...rest, ...named({ isWaiting: false, fence: data.fence, since: at, expiresAt: data.expiresAt })];
  if (kind === "lock_waiting") return [...rest, ...named({ isWaiting: true, since: at, behind: data.behind })];
  return rest;
}

/**
 * @param {Map<string, Conflict>} conflicts
 * @param {any} data
 */
function resolved(conflicts, { conflictId, resolution, by }) {
  const conflict = conflicts.get(conflictId);
  return conflict ? new Map(conflicts).set(conflictId, { ...conflict, resolution, resolvedBy: by }) : conflicts;
}

/**
 * What a thing is called inside of its project: a file by its path there, a branch of its own repository by its name.
 *
 * @param {string} resourceId
 * @param {string} projectPath
 */
export function thingName(resourceId, projectPath) {
  const name = withinProject(resourceId, projectPath);
  return name.startsWith(`${projectPath}:`) ? name.slice(projectPath.length + 1) : name;
}

/** @param {Holder | undefined} one @param {Holder | undefined} other */
export function isSame(one, other) {
  return one?.sessionId === other?.sessionId && one?.deviceId === other?.deviceId;
}

/** @param {{lockType: string, resourceId: string}} lock */
function keyOf({ lockType, resourceId }) {
  return `${lockType} ${resourceId}`;
}

/**
 * What is locked, each thing once: who holds it, and who waits, the next one first.
 *
 * @param {Lock[]} locks
 * @returns {Array<{key: string, lockType: Lock["lockType"], resourceId: string, held: Lock[], waiting: Lock[]}>}
 */
export function lockedThings(locks) {
  const things = new Map();
  for (const lock of locks) {
    const key = keyOf(lock);
    if (!things.has(key)) things.set(key, { key, lockType: lock.lockType, resourceId: lock.resourceId, held: [], waiting: [] });
    things.get(key)[lock.isWaiting ? "waiting" : "held"].push(lock);
  }
  // What somebody waits for is what a person comes here for.
  return [...things.values()].sort((one, other) => other.waiting.length - one.waiting.length);
}

/**
 * Conflicts that wait for somebody, the newest first, and those that are settled.
 *
 * @param {Project} project
 */
export function conflictsOf({ conflicts }) {
  const newest = [...conflicts.values()].sort((one, other) => (one.foundAt < other.foundAt ? 1 : one.foundAt > other.foundAt ? -1 : 0));
  return { open: newest.filter(({ resolution }) => !resolution), settled: newest.filter(({ resolution }) => resolution) };
}

/**
 * Where somebody is, from what their device says of its cursor: any JSON, so everything is looked at before it is shown.
 *
 * @param {any} cursor
 * @returns {string} empty where it says nothing that is known
 */
export function placeOf(cursor) {
  const path = [cursor?.filePath, cursor?.file, cursor?.path].find((text) => typeof text === "string" && text);
  const line = Number.isSafeInteger(cursor?.line) ? cursor.line : cursor?.position?.line;
  if (!path) return "";
  return Number.isSafeInteger(line) ? `${path}:${line}` : path;
}
