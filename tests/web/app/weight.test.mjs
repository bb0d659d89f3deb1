// What a browser loads for the first view: only files that are there, early, and little of them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const web = fileURLToPath(new URL("../../../src/web", import.meta.url));
const read = (name) => readFileSync(path.join(web, name));
const page = read("index.html").toString();

/** All modules that a module needs before it runs, itself first. */
function modules(name, known = new Set()) {
  if (known.has(name)) return known;
  known.add(name);
  const text = read(name).toString();
  for (const [, imported] of text.matchAll(/(?:^|[;}])\s*(?:import|export)\b[^;"'()]*?\bfrom\s*"([^"]+)"/gm)) {
    assert.match(imported, /^\.{1,2}\//, `${name}: a browser finds modules by paths alone`);
    modules(path.posix.join(path.posix.dirname(name), imported), known);
  }
  return known;
}

const first = [...modules("app/main.js")];
const attributes = (tag, name) => [...page.matchAll(new RegExp(`<${tag}[^>]*?\\s${name}="([^"]+)"`, "g"))].map(([, value]) => value);

test("modules of the first view are asked for at once, and no others", () => {
  const preloaded = [...page.matchAll(/<link rel="modulepreload" href="([^"]+)">/g)].map(([, name]) => name);
  assert.ok(first.length > 20, first.join());
  assert.deepEqual(preloaded, first.slice(1).sort(), "index.html lists what app/main.js needs, in the order of the names");
});

test("the first view weighs less than 150 kB", () => {
  const others = [...attributes("link", "href"), ...attributes("script", "src")].filter((name) => !first.includes(name));
  const files = new Set(["index.html", "app/main.js", ...first, ...others]);
  const bytes = [...files].reduce((sum, name) => sum + gzipSync(read(name), { level: 6 }).length, 0);
  assert.ok(bytes > 30_000 && bytes < 150_000, `${bytes} bytes in ${files.size} files`);
});

test("nothing is written into the page that its policy forbids", () => {
  assert.doesNotMatch(page, /\sstyle=|<style|\son[a-z]+=|javascript:/i);
  for (const [, body] of page.matchAll(/<script[^>]*>([^]*?)<\/script>/g)) assert.equal(body, "");
});
