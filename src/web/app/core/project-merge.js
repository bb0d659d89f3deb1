// Two versions of a text and the one that both began from: what is the same, what one of them changed, and where both
// changed the same. Pure.

import { diff3MergeRegions } from "../../vendor/node-diff3/diff3.js";

/** More lines take the browser seconds to compare; the record's own marked places are shown then. */
export const MAX_LINES = 20_000;

/** @typedef {"ours" | "theirs" | "both"} Choice */

/**
 * A stretch of lines. `clash`: both have changed it, each in another way; everything else has its `lines`.
 *
 * @typedef {{kind: "same" | "ours" | "theirs" | "alike", lines: string[]}
 *   | {kind: "clash", ours: string[], base: string[], theirs: string[]}} Region
 */

/** How a text ends its lines, so that what is written together can end them alike. @param {string} text */
export function endingOf(text) {
  const all = text.match(/\n/g)?.length ?? 0;
  return all > 0 && text.match(/\r\n/g)?.length === all ? "\r\n" : "\n";
}

/**
 * Compares by lines.
 *
 * @param {{base: string, ours: string, theirs: string}} versions
 * @returns {Region[] | null} null when there are too many lines
 */
export function regionsOf(versions) {
  const [base, ours, theirs] = [versions.base, versions.ours, versions.theirs].map(linesOf);
  if (Math.max(base.length, ours.length, theirs.length) > MAX_LINES) return null;
  return diff3MergeRegions(ours, base, theirs).map((region) => {
    if (region.stable) {
      const kind = region.buffer === "a" ? "ours" : region.buffer === "b" ? "theirs" : "same";
      return { kind, lines: region.bufferContent };
    }
    const { aContent, oContent, bContent } = region;
    if (isEqual(aContent, bContent)) return { kind: "alike", lines: aContent };
    if (isEqual(aContent, oContent)) return { kind: "theirs", lines: bContent };
    if (isEqual(bContent, oContent)) return { kind: "ours", lines: aContent };
    return { kind: "clash", ours: aContent, base: oContent, theirs: bContent };
  });
}

/**
 * The text that they come to: a clash is what was chosen for it, and marked places where nothing was.
 *
 * @param {Region[]} regions
 * @param {Map<number, Choice>} [choices] by the number of the region
 */
export function composed(regions, choices = new Map()) {
  const marks = marksFor(regions);
  const lines = regions.flatMap((region, place) => {
    if (region.kind !== "clash") return region.lines;
    const choice = choices.get(place);
    if (choice === "ours") return region.ours;
    if (choice === "theirs") return region.theirs;
    if (choice === "both") return [...region.ours, ...region.theirs];
    return [marks.ours, ...region.ours, marks.base, ...region.base, marks.middle, ...region.theirs, marks.theirs];
  });
  return lines.join("\n");
}

/**
 * Where marks are left in a text: their offsets. Lines of the versions themselves are none, also if they look like it.
 *
 * @param {string} text
 * @param {Region[]} regions
 * @returns {number[]}
 */
export function marksLeft(text, regions) {
  const { length } = marksFor(regions).middle;
  const marks = new RegExp(`^(?:<{${length}}|\\|{${length}}|={${length}}|>{${length}})`, "gm");
  return [...text.matchAll(marks)].map(({ index }) => index);
}

/**
 * Marks that are longer than anything in the texts that looks like one.
 *
 * @param {Region[]} regions
 */
function marksFor(regions) {
  let length = 7;
  for (const region of regions) {
    for (const line of region.kind === "clash" ? [...region.ours, ...region.base, ...region.theirs] : region.lines) {
      const run = /^([<|=>])\1*/.exec(line)?.[0].length ?? 0;
      length = Math.max(length, run + 1);
    }
  }
  const mark = (/** @type {string} */ letter) => letter.repeat(length);
  return { ours: `${mark("<")} what is there`, base: `${mark("|")} before`, middle: mark("="), theirs: `${mark(">")} what was wanted` };
}

/** @param {string} text */
function linesOf(text) {
  return text.replaceAll("\r\n", "\n").split("\n");
}

/** @param {string[]} one @param {string[]} other */
function isEqual(one, other) {
  return one.length === other.length && one.every((line, place) => line === other[place]);
}
