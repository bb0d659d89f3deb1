// The list of conversations as a person sees it: what is shown, in which order, under which headings. Pure.

import { baseName } from "./format.js";

/**
 * A conversation in the list (docs/protocol.md §4).
 *
 * @typedef {object} Summary
 * @property {string} sessionId
 * @property {string} projectPath
 * @property {string | null} title
 * @property {Status} status
 * @property {number} head
 * @property {string} createdAt
 * @property {string} lastActivityAt
 * @property {string} expiresAt
 * @property {number} turns
 * @property {number} messages
 * @property {number} queued
 * @property {number} approvals
 * @property {number} costUsd
 * @property {string[]} devices
 * @property {string[]} online
 * @property {boolean} isWarned
 * @property {number} [unread]
 */

/** @typedef {"idle" | "running" | "waiting_for_approval" | "waiting_for_slot" | "expired" | "closed"} Status */

/** @typedef {"open" | "waiting" | "running" | "closed"} Filter */

/** @typedef {{key: string, heading: string, sessions: Summary[]}} Group */

/** What to call a conversation. @param {Pick<Summary, "title" | "projectPath">} session */
export function titleOf(session) {
  return session.title || `New conversation in ${baseName(session.projectPath)}`;
}

/**
 * What fits the filter and every word of the search, in groups: what waits for the person, what runs, and the rest; the
 * latest activity first in each. Groups without a conversation are left out.
 *
 * @param {Iterable<Summary>} sessions
 * @param {{filter?: Filter, search?: string}} [wanted]
 * @returns {Group[]}
 */
export function grouped(sessions, { filter = "open", search = "" } = {}) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = [...sessions].filter((session) => isShown(session, filter) && hasWords(session, words));
  shown.sort((one, other) => (one.lastActivityAt < other.lastActivityAt ? 1 : one.lastActivityAt > other.lastActivityAt ? -1 : 0));
  /** @type {Group[]} */
  const groups = [
    { key: "waiting", heading: "Waiting for you", sessions: shown.filter(needsPerson) },
    { key: "running", heading: "Running", sessions: shown.filter((session) => !needsPerson(session) && isRunning(session)) },
    { key: "rest", heading: filter === "closed" ? "Closed" : "Recent", sessions: shown.filter(isAtRest) },
  ];
  return groups.filter((group) => group.sessions.length > 0);
}

/**
 * What a person is told beside the name of the app: how many questions wait, over all conversations.
 *
 * @param {Iterable<Summary>} sessions
 */
export function waitingApprovals(sessions) {
  return [...sessions].reduce((sum, session) => sum + (session.status === "closed" ? 0 : session.approvals), 0);
}

/**
 * The projects of the conversations, the latest activity first.
 *
 * @param {Iterable<Summary>} sessions
 * @returns {string[]}
 */
export function recentProjects(sessions) {
  const latest = new Map();
  for (const { projectPath, lastActivityAt } of sessions) {
    if (!(latest.get(projectPath) > lastActivityAt)) latest.set(projectPath, lastActivityAt);
  }
  const byTime = [...latest].sort(([, one], [, other]) => (one < other ? 1 : one > other ? -1 : 0));
  return byTime.map(([projectPath]) => projectPath);
}

/**
 * The conversations in which a question has come up that was not there before.
 *
 * @param {Map<string, Summary> | null} before
 * @param {Map<string, Summary> | null} after
 * @returns {Summary[]} none while the list was not known
 */
export function newlyAsking(before, after) {
  if (!before || !after) return [];
  return [...after.values()].filter((session) => needsPerson(session) && session.approvals > (before.get(session.sessionId)?.approvals ?? 0));
}

/** @param {Summary} session */
export function needsPerson(session) {
  return session.approvals > 0 && session.status !== "closed";
}

/** @param {Summary} session */
function isRunning({ status }) {
  return status === "running" || status === "waiting_for_slot" || status === "waiting_for_approval";
}

/** @param {Summary} session */
function isAtRest(session) {
  return !needsPerson(session) && !isRunning(session);
}

/**
 * @param {Summary} session
 * @param {Filter} filter
 */
function isShown(session, filter) {
  if (filter === "closed") return session.status === "closed";
  if (filter === "waiting") return needsPerson(session);
  if (filter === "running") return isRunning(session);
  return session.status !== "closed";
}

/**
 * @param {Summary} session
 * @param {string[]} words
 */
function hasWords(session, words) {
  const text = `${titleOf(session)} ${session.projectPath}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
