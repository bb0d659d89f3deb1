// Two versions of a text and what both began from.

import assert from "node:assert/strict";
import { test } from "node:test";

import { carriedOver, composed, endedLike, marksLeft, MAX_LINES, rebased, regionsOf } from "../../../src/web/app/core/project-merge.js";

const text = (...lines) => lines.join("\n");
const BASE = text("a", "b", "c", "d", "e", "");

const kinds = (regions) => regions.map(({ kind }) => kind);

test("changes in different places are both in the text", () => {
  const regions = regionsOf({ base: BASE, ours: text("A", "b", "c", "d", "e", ""), theirs: text("a", "b", "c", "d", "E", "") });
  assert.deepEqual(kinds(regions), ["ours", "same", "theirs", "same"]);
  assert.equal(composed(regions), text("A", "b", "c", "d", "E", ""));
});

test("the same change of both is no clash", () => {
  const ours = text("a", "b", "X", "d", "e", "");
  const regions = regionsOf({ base: BASE, ours, theirs: ours });
  assert.ok(!kinds(regions).includes("clash"));
  assert.equal(composed(regions), ours);
});

test("a clash is marked until something is chosen for it", () => {
  const regions = regionsOf({ base: BASE, ours: text("a", "b", "ours", "d", "e", ""), theirs: text("a", "b", "theirs", "d", "e", "") });
  const place = regions.findIndex(({ kind }) => kind === "clash");
  const marked = composed(regions);
  assert.equal(marked, text("a", "b", "<<<<<<< what is there", "ours", "||||||| before", "c", "=======", "theirs", ">>>>>>> what was wanted", "d", "e", ""));
  assert.deepEqual(marksLeft(marked, regions).map((at) => marked.slice(at, at + 7)), ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]);
  const chosen = (choice) => composed(regions, new Map([[place, choice]]));
  assert.equal(chosen("ours"), text("a", "b", "ours", "d", "e", ""));
  assert.equal(chosen("theirs"), text("a", "b", "theirs", "d", "e", ""));
  assert.equal(chosen("both"), text("a", "b", "ours", "theirs", "d", "e", ""));
  for (const choice of ["ours", "theirs", "both"]) assert.deepEqual(marksLeft(chosen(choice), regions), []);
});

test("what looks like a mark in a file is none, and marks are longer then", () => {
  const base = text("Title", "=======", "a", "");
  const regions = regionsOf({ base, ours: base.replace("a", "b"), theirs: base.replace("a", "c") });
  const marked = composed(regions);
  assert.match(marked, /^<{8} what is there$/m);
  assert.equal(marksLeft(marked, regions).length, 4);
  assert.deepEqual(marksLeft(base, regions), []);
});

test("without a common beginning everything that differs clashes", () => {
  const regions = regionsOf({ base: "", ours: "one\n", theirs: "two\n" });
  assert.ok(kinds(regions).includes("clash"));
});

test("lines end as they did, each of them", () => {
  assert.equal(endedLike("a\nnew\nb\n", "a\r\nb\r\n"), "a\r\nnew\r\nb\r\n");
  assert.equal(endedLike("a\nnew\nb\n", "a\nb\n"), "a\nnew\nb\n");
  assert.equal(endedLike("a\nnew\nb\nc", "a\nb\r\nc"), "a\nnew\nb\r\nc");
  assert.equal(endedLike("b\nnew\nc\n", "a\nb\r\nc\n"), "b\r\nnew\r\nc\n");
  assert.equal(endedLike("", "a\nb\r\n"), "");
  assert.equal(endedLike("a\nb\n", ""), "a\nb\n");
});

test("line endings make no difference to compare", () => {
  const regions = regionsOf({ base: "a\r\nb\r\n", ours: "a\nb\n", theirs: "a\r\nB\r\n" });
  assert.equal(composed(regions), "a\nB\n");
});

test("texts that nobody reads are not compared", () => {
  const long = "x\n".repeat(MAX_LINES);
  assert.equal(regionsOf({ base: "", ours: long, theirs: "y" }), null);
});

const over = (ours, theirs) => ({ ours, regions: regionsOf({ base: BASE, ours, theirs }) });
const THEIRS = text("a", "b", "theirs", "d", "e", "");

test("what is written goes on over what has changed under it", () => {
  const before = over(text("a", "b", "ours", "d", "e", ""), THEIRS);
  const after = over(text("a", "b", "ours", "d", "e", "newer", ""), THEIRS);
  const together = rebased(text("mine", "b", "both", "d", "e", ""), before, after);
  assert.equal(together, text("mine", "b", "both", "d", "e", "newer", ""));
  assert.deepEqual(marksLeft(together, after.regions), []);
});

test("what was written where the file has changed again is marked", () => {
  const before = over(text("a", "b", "ours", "d", "e", ""), THEIRS);
  const after = over(text("a", "b", "newer", "d", "e", ""), THEIRS);
  const together = rebased(text("a", "b", "mine", "d", "e", ""), before, after);
  assert.equal(together, text("a", "b", "<<<<<<< what is there", "newer", "||||||| before", "ours", "=======", "mine", ">>>>>>> what you wrote", "d", "e", ""));
  assert.equal(marksLeft(together, after.regions).length, 4);
});

test("marks that are left stay marks when the newer file has lines that look like them", () => {
  const before = over(text("a", "b", "ours", "d", "e", ""), THEIRS);
  const after = over(text("a", "b", "ours", "d", "e", "==========", ""), THEIRS);
  const together = rebased(composed(before.regions), before, after);
  assert.equal(marksLeft(together, after.regions).length, 4);
});

test("a choice holds for a place that looks the same, and for no other", () => {
  const both = (first, second) => regionsOf({ base: BASE, ours: text(first, "b", "c", "d", second, ""), theirs: text("T", "b", "c", "d", "U", "") });
  const [before, after] = [both("A", "E"), both("A", "newer")];
  const clashes = (regions) => regions.flatMap(({ kind }, place) => (kind === "clash" ? [place] : []));
  const choices = new Map(clashes(before).map((place) => [place, "theirs"]));
  assert.equal(choices.size, 2);
  assert.deepEqual([...carriedOver(choices, before, after)], [[clashes(after)[0], "theirs"]]);
});
