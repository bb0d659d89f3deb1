// Which part of a long list is drawn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Heights, isAtEndAfter, NEAR_END } from "../../../src/web/app/core/window.js";

const keys = (count, from = 0) => Array.from({ length: count }, (_, place) => `k${place + from}`);

function list(count, height = 10) {
  const heights = new Heights(() => height);
  heights.set(keys(count));
  return heights;
}

test("what was never drawn is guessed, what was drawn is known", () => {
  const heights = list(100);
  assert.equal(heights.total, 1_000);
  assert.equal(heights.measured("k10", 50), true);
  assert.equal(heights.measured("k10", 50), false, "no news");
  assert.deepEqual([heights.topOf(10), heights.topOf(11), heights.total], [100, 150, 1_040]);
  assert.equal(heights.measured("gone", 50), false);
});

test("the items between two lines are found, also outside of the list", () => {
  const heights = list(100);
  heights.measured("k1", 35);
  assert.deepEqual(heights.between(0, 9), { start: 0, end: 1 });
  assert.deepEqual(heights.between(44, 45), { start: 1, end: 3 });
  assert.deepEqual(heights.between(-500, 20), { start: 0, end: 2 });
  assert.deepEqual(heights.between(5_000, 6_000), { start: 99, end: 100 });
  assert.deepEqual(new Heights(() => 10).between(0, 100), { start: 0, end: 0 });
});

test("items that are put in front push the others down, which keep what was measured", () => {
  const heights = list(10);
  heights.measured("k3", 100);
  assert.equal(heights.topOf(4), 130);
  heights.set([...keys(5, 100), ...keys(10)]);
  assert.deepEqual([heights.placeOf("k3"), heights.topOf(8), heights.topOf(9), heights.total], [8, 80, 180, 240]);
  assert.equal(heights.placeOf("k104"), 4);
  heights.set(keys(2));
  assert.deepEqual([heights.placeOf("k3"), heights.total], [undefined, 20]);
});

test("every line lies in the item that is said, however heights change", () => {
  let seed = 7;
  const random = (below) => (seed = (seed * 16_807) % 2_147_483_647) % below;
  const heights = list(500);
  for (let round = 0; round < 200; round += 1) {
    heights.measured(`k${random(500)}`, random(200));
    const line = random(heights.total + 1);
    const place = heights.placeAt(line);
    assert.ok(heights.topOf(place) <= line && (place === 499 || line < heights.topOf(place + 1)), `${line} in ${place}`);
  }
});

test("going up leaves the end, however slowly, and going down comes back to it", () => {
  let isAtEnd = true;
  for (let left = 0.5; left < 3; left += 0.5) isAtEnd = isAtEndAfter(isAtEnd, -0.5, left);
  assert.equal(isAtEnd, false, "half a pixel at a time");
  assert.equal(isAtEndAfter(true, -3, 3), false, "near the end");
  assert.equal(isAtEndAfter(false, 0, 3), false, "and it stays so while nobody moves");
  assert.equal(isAtEndAfter(false, 5, NEAR_END - 1), true);
  assert.equal(isAtEndAfter(false, 5, NEAR_END), false);
});

test("a list that grows or becomes shorter takes nobody away from its end", () => {
  assert.equal(isAtEndAfter(true, 0, 400), true, "it has grown");
  assert.equal(isAtEndAfter(true, -200, 0), true, "it is shorter");
});
