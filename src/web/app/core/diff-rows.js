// Two texts, or the agent's own account of a change, as rows of a diff. Pure.

import { diffLines } from "../../vendor/diff/diff/line.js";

/** Lines around a change that are shown; git shows as many. */
const CONTEXT = 3;

/** Beyond so many lines comparing takes a phone too long: what goes is then shown above what comes. */
const MAX_COMPARED_LINES = 4_000;

/**
 * A line of a diff; `gap` stands for lines that did not change, `count` of them where that is known.
 *
 * @typedef {{type: "same" | "added" | "removed", before: number | null, after: number | null, text: string}
 *   | {type: "gap", count: number | null}} Row
 */

/**
 * @param {string} before
 * @param {string} after
 * @returns {Row[]}
 */
export function diffRows(before, after) {
  const isLong = lines(before).length + lines(after).length > MAX_COMPARED_LINES;
  const parts = isLong ? [{ removed: true, value: before }, { added: true, value: after }] : diffLines(before, after);
  let [one, other] = [1, 1];
  /** @type {Row[]} */
  const rows = [];
  for (const part of parts) {
    for (const text of lines(part.value)) {
      if (part.added) rows.push({ type: "added", before: null, after: other++, text });
      else if (part.removed) rows.push({ type: "removed", before: one++, after: null, text });
      else rows.push({ type: "same", before: one++, after: other++, text });
    }
  }
  return withoutFarLines(rows);
}

/**
 * Rows of a patch as the agent reports it: `[{oldStart, newStart, lines: [" same", "-removed", "+added"]}]`.
 *
 * @param {any} patch
 * @returns {Row[] | null} none when it is no such patch
 */
export function patchRows(patch) {
  if (!Array.isArray(patch) || patch.length === 0) return null;
  /** @type {Row[]} */
  const rows = [];
  for (const hunk of patch) {
    if (!Array.isArray(hunk?.lines)) return null;
    if (rows.length > 0) rows.push({ type: "gap", count: null });
    let [one, other] = [hunk.oldStart ?? 1, hunk.newStart ?? 1];
    for (const line of hunk.lines.map(String)) {
      const text = line.slice(1);
      if (line[0] === "+") rows.push({ type: "added", before: null, after: other++, text });
      else if (line[0] === "-") rows.push({ type: "removed", before: one++, after: null, text });
      else if (line[0] !== "\\") rows.push({ type: "same", before: one++, after: other++, text });
    }
  }
  return rows;
}

/** How many lines come and go. @param {Row[]} rows */
export function changeCount(rows) {
  const count = (/** @type {string} */ type) => rows.filter((row) => row.type === type).length;
  return { added: count("added"), removed: count("removed") };
}

/** @param {Row[]} rows @returns {Row[]} */
function withoutFarLines(rows) {
  const isNear = new Array(rows.length).fill(false);
  rows.forEach((row, place) => {
    if (row.type === "same") return;
    isNear.fill(true, Math.max(place - CONTEXT, 0), Math.min(place + CONTEXT + 1, rows.length));
  });
  /** @type {Row[]} */
  const shown = [];
  for (let place = 0; place < rows.length; place += 1) {
    if (isNear[place]) {
      shown.push(rows[place]);
      continue;
    }
    const last = shown.at(-1);
    if (last?.type === "gap") last.count = (last.count ?? 0) + 1;
    else shown.push({ type: "gap", count: 1 });
  }
  return shown;
}

/** @param {string} text */
function lines(text) {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}
