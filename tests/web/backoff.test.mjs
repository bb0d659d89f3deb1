// Pauses between tries to connect.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff, STEADY_AFTER_MS } from "../../src/web/client/backoff.js";

test("the longest pause doubles up to the cap", () => {
  const backoff = new Backoff({}, () => 1);
  const pauses = Array.from({ length: 100 }, () => backoff.pauseMs());
  assert.deepEqual(pauses.slice(0, 9), [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assert.ok(pauses.slice(7).every((pause) => pause === 30_000));
});

test("the jitter goes from nothing to the longest, and is not always the same", () => {
  const backoff = new Backoff({ baseMs: 1000, capMs: 1000 });
  const pauses = Array.from({ length: 1000 }, () => backoff.pauseMs());
  assert.ok(pauses.every((pause) => pause >= 0 && pause <= 1000));
  assert.ok(Math.min(...pauses) < 100 && Math.max(...pauses) > 900, "all of the range is used");
});

test("only a steady connection makes pauses short again", () => {
  const backoff = new Backoff({}, () => 1);
  for (let failure = 0; failure < 4; failure += 1) backoff.pauseMs();
  backoff.lasted(STEADY_AFTER_MS - 1);
  assert.equal(backoff.pauseMs(), 4000);
  backoff.lasted(STEADY_AFTER_MS);
  assert.equal(backoff.pauseMs(), 250);
});
