// Numbers, times and names in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { deviceKind, deviceName } from "../../../src/web/app/core/device-name.js";
import { ago, baseName, bytes, count, duration, folderOf, money, plural, tokens, withinProject } from "../../../src/web/app/core/format.js";

const NOON = Date.parse("2026-06-15T12:00:00Z");
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

test("how long ago is told in its largest unit", () => {
  const told = [0, 59_999, MINUTE, 59 * MINUTE, HOUR, 23 * HOUR, DAY, 6 * DAY].map((ms) => ago(NOON - ms, NOON));
  assert.deepEqual(told, ["now", "now", "1 min", "59 min", "1 h", "23 h", "1 d", "6 d"]);
  assert.match(ago(NOON - 8 * DAY, NOON), /7/, "the day");
  assert.doesNotMatch(ago(NOON - 8 * DAY, NOON), /2026/);
  assert.match(ago(NOON - 400 * DAY, NOON), /2025/);
  assert.equal(ago(Number.NaN, NOON), "");
});

test("spans of time, sizes, counts and money stay short", () => {
  assert.deepEqual([0, 440, 9_999, 10_000, 60_000, 185_000, HOUR, 2 * HOUR + 10 * MINUTE].map(duration),
    ["0.0 s", "0.4 s", "10.0 s", "10 s", "1 min", "3 min 5 s", "1 h", "2 h 10 min"]);
  assert.deepEqual([0, 999, 1_000, 15_300, 2_000_000, 350_000_000].map(bytes), ["0 B", "999 B", "1.0 kB", "15.3 kB", "2.0 MB", "350 MB"]);
  assert.deepEqual([0, 999, 1_000, 12_345, 123_456, 1_234_567].map(count), ["0", "999", "1.0k", "12.3k", "123k", "1.2M"]);
  assert.deepEqual([0, 0.0001, 0.0123, 0.5, 12.345].map(money), ["$0", "<$0.01", "$0.01", "$0.50", "$12.35"]);
  assert.equal(plural(1, "event"), "1 event");
  assert.equal(plural(2, "reply", "replies"), "2 replies");
});

test("tokens are those read anew, read from the cache, and written", () => {
  const usage = { input_tokens: 10, cache_creation_input_tokens: 5, cache_read_input_tokens: 100, output_tokens: 7 };
  assert.deepEqual(tokens(usage), { input: 15, cached: 100, output: 7 });
  assert.deepEqual(tokens(null), { input: 0, cached: 0, output: 0 });
});

test("paths are cut at the right place", () => {
  assert.deepEqual(["/srv/app", "/srv/app/", "app", "/", "C:\\work\\app"].map(baseName), ["app", "app", "app", "/", "app"]);
  assert.deepEqual(["/srv/app", "/srv/app/", "app"].map(folderOf), ["/srv/", "/srv/", ""]);
  assert.equal(withinProject("/srv/app/src/a.rs", "/srv/app"), "src/a.rs");
  assert.equal(withinProject("/srv/apple/a.rs", "/srv/app"), "/srv/apple/a.rs", "another folder that begins alike");
  assert.equal(withinProject("a.rs", undefined), "a.rs");
});

test("a browser is named as its owner would", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
  const edge = `${chrome} Edg/140.0.0.0`.replace("X11; Linux x86_64", "Windows NT 10.0; Win64; x64");
  const iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";
  const pixel = chrome.replace("X11; Linux x86_64", "Linux; Android 15; Pixel 9").replace("Safari", "Mobile Safari");
  assert.deepEqual([chrome, edge, iphone, pixel, "curl"].map(deviceName),
    ["Chrome on Linux", "Edge on Windows", "Safari on iPhone", "Chrome on Android", "Browser"]);
  assert.deepEqual([chrome, iphone, pixel, pixel.replace("Mobile ", "")].map(deviceKind), ["browser", "phone", "phone", "tablet"]);
});
