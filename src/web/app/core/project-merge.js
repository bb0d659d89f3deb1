// Two versions of a text and the one that both began from: what is the same, what one of them changed, and where both
// changed the same. Pure.

import { diff3MergeRegions, diffComm } from "../../vendor/node-diff3/diff3.js";

/** More lines take the browser seconds to compare; the record's own marked places are shown then. */
export const MAX_LINES = 20_000;

/** @typedef {"ours" | "theirs" | "both"} Choice */

/**
 * A stretch of lines. `clash`: both have changed it, each in another way; everything else has its `lines`.
 *
 * @typedef {{kind: "same" | "ours" | "theirs" | "alike", lines: string[]}
 *   | {kind: "clash", ours: string[], base: string[], theirs: string[]}} Region
 */

/**
 * A text with its lines ended as those of another are, line by line: what is new in it ends as the line before it.
 *
 * @param {string} text with `\n` at its ends of lines, as fields of a page have it
 * @param {string} like
 */
export function endedLike(text, like) {
  if (!like.includes("\r\n")) return text;
  const endings = like.match(/\r?\n/g) ?? [];
  if (endings.every((ending) => ending === "\r\n")) return text.replaceAll("\n", "\r\n");
  const lines = text.split("\n");
  // Too many to compare: what most lines do.
  if (Math.max(lines.length, endings.length) > MAX_LINES) {
    const crlf = endings.filter((ending) => ending === "\r\n").length;
    return crlf * 2 > endings.length ? text.replaceAll("\n", "\r\n") : text;
  }
  let place = 0;
  let ending = endings[0];
  const ended = diffComm(linesOf(like), lines).flatMap((stretch) => {
    if (!stretch.common) {
      place += stretch.buffer1.length;
      return stretch.buffer2.map((line) => line + ending);
    }
    return stretch.common.map((line) => {
      ending = endings[place] ?? ending;
      place += 1;
      return line + ending;
    });
  });
  return ended.join("").replace(/\r?\n$/, "");
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
 * @param {typeof marksFor} [marked]
 */
export function composed(regions, choices = new Map(), marked = marksFor) {
  const marks = marked(regions);
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
 * The choices that still mean what they meant: those of places that look the same in other versions.
 *
 * @param {Map<number, Choice>} choices
 * @param {Region[]} before
 * @param {Region[]} after
 * @returns {Map<number, Choice>}
 */
export function carriedOver(choices, before, after) {
  const known = new Map([...choices].map(([place, choice]) => [JSON.stringify(before[place]), choice]));
  return new Map(after.flatMap((region, place) => {
    const choice = region.kind === "clash" ? known.get(JSON.stringify(region)) : undefined;
    return choice ? [[place, choice]] : [];
  }));
}

/**
 * What somebody writes, together with what has been changed under it meanwhile; marked where both changed the same.
 *
 * @param {string} draft
 * @param {{ours: string, regions: Region[]}} before what it was written over
 * @param {{ours: string, regions: Region[]}} after
 * @returns {string | null} null when there are too many lines
 */
export function rebased(draft, before, after) {
  const [was, is] = [marksFor(before.regions).middle.length, marksFor(after.regions).middle.length];
  // Marks that are still in it are to be found by the new versions' length.
  const kept = was === is ? draft : draft.replace(markOf(was), (mark) => mark[0].repeat(is));
  const regions = regionsOf({ base: before.ours, ours: after.ours, theirs: kept });
  if (!regions) return null;
  return composed(regions, undefined, () => marksFor([...after.regions, ...regions], "what you wrote"));
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
  return [...text.matchAll(markOf(length))].map(({ index }) => index);
}

/** @param {number} length */
function markOf(length) {
  return new RegExp(`^(?:<{${length}}|\\|{${length}}|={${length}}|>{${length}})`, "gm");
}

/**
 * Marks that are longer than anything in the texts that looks like one.
 *
 * @param {Region[]} regions
 * @param {string} [other] what the second of the two is called
 */
function marksFor(regions, other = "what was wanted") {
  let length = 7;
  for (const region of regions) {
    for (const line of region.kind === "clash" ? [...region.ours, ...region.base, ...region.theirs] : region.lines) {
      const run = /^([<|=>])\1*/.exec(line)?.[0].length ?? 0;
      length = Math.max(length, run + 1);
    }
  }
  const mark = (/** @type {string} */ letter) => letter.repeat(length);
  return { ours: `${mark("<")} what is there`, base: `${mark("|")} before`, middle: mark("="), theirs: `${mark(">")} ${other}` };
}

/** @param {string} text */
function linesOf(text) {
  return text.replaceAll("\r\n", "\n").split("\n");
}

/** @param {string[]} one @param {string[]} other */
function isEqual(one, other) {
  return one.length === other.length && one.every((line, place) => line === other[place]);
}
