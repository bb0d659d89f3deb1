// The clock of patches. That its times are the server's is tested in live/shared.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HybridClock, isLater, parseStamp } from "../../src/web/client/hybrid.js";
import { uuid7 } from "../../src/web/client/uuid.js";

const MS = 1_700_000_000_123;

const at = (ms) => new HybridClock(() => ms, "9f3c");
const time = (stamp) => BigInt(stamp.split("/")[0]);

test("its stamps are those of uhlc: 32.32 bits, of which the last four count", () => {
  const clock = at(MS);
  assert.equal(clock.stamp(), "7301444403728280992/9f3c");
  assert.equal(clock.stamp(), "7301444403728280993/9f3c");
  for (let more = 0; more < 20; more += 1) clock.stamp();
  assert.equal(clock.stamp(), "7301444403728281014/9f3c");
});

test("it never goes back, whatever the wall clock does", () => {
  let ms = MS;
  const clock = new HybridClock(() => ms);
  let last = clock.stamp();
  for (let step = 0; step < 1000; step += 1) {
    ms += ((step * 7919) % 200) - 100;
    const next = clock.stamp();
    assert.ok(isLater(next, last), `${next} after ${last}`);
    last = next;
  }
});

test("what is written after having seen something is later than it", () => {
  const clock = at(MS);
  const seen = "7301444405347483648/7";
  clock.seen(seen);
  assert.ok(isLater(clock.stamp(), seen));
  const slow = at(MS - 3_600_000);
  slow.seenWall(new Date(MS).toISOString());
  assert.ok(time(slow.stamp()) > time(at(MS).stamp()), "an event of the server counts too, up to the end of its millisecond");
});

test("what cannot be read changes nothing, and the end of all time does not stop it", () => {
  const clock = at(MS);
  for (const odd of [undefined, null, 7, "", "x/1", "/1", "-5/1", `${2n ** 64n - 1n}/1`, "99999999999999999999999/1"]) clock.seen(odd);
  clock.seenWall("not a time");
  assert.equal(clock.stamp(), "7301444403728280992/9f3c");
});

test("a kept time is gone on from", () => {
  const before = at(MS);
  before.stamp();
  const after = at(MS - 60_000);
  after.seen(before.last);
  assert.equal(time(after.stamp()), time("7301444403728280993/x"));
});

test("two tabs of one device do not give out the same stamp, nor one of the server", () => {
  const ids = Array.from({ length: 1000 }, () => new HybridClock(() => MS).stamp().split("/")[1]);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.every((id) => parseStamp(`1/${id}`) && BigInt(`0x${id}`) >= 2n ** 64n), ids[0]);
});

test("stamps are ordered as uhlc orders them: by time, then by the bytes of the id from the least significant", () => {
  assert.ok(isLater("6/1", "5/ff"));
  assert.ok(isLater("5/102", "5/201"));
  assert.ok(!isLater("5/201", "5/102"));
  assert.ok(!isLater("5/1", "5/1"));
  assert.ok(isLater("10/1", "9/1"), "by number, not by letter");
  assert.ok(isLater("5/1", "odd") && !isLater("odd", "5/1"));
});

test("what is no stamp is not taken for one", () => {
  for (const odd of ["", "5", "5/", "/1", "5/01", "5/G", "a/1", `${2n ** 64n}/1`, `5/${"1".repeat(33)}`, 5]) {
    assert.equal(parseStamp(odd), null, String(odd));
  }
});

test("ids of messages are UUIDs of version 7, in the order in which they were made", () => {
  const ids = Array.from({ length: 10_000 }, () => uuid7());
  assert.ok(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)), ids[0]);
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(Math.abs(Number.parseInt(ids[0].replace("-", "").slice(0, 12), 16) - Date.now()) < 10_000);
});
