// Draws the pictures of src/web/icons from its SVGs. Not part of the tests; run it when an SVG has changed:
//
//   node tests/web/icons.mjs

import { readFile } from "node:fs/promises";

import { launch } from "./browser/support/chromium.mjs";

const folder = new URL("../../src/web/icons/", import.meta.url);

/** Name of the SVG, name of the picture, and its size in pixels. */
const PICTURES = [
  ["app", "192", 192],
  ["app", "512", 512],
  ["maskable", "maskable-512", 512],
  // iOS takes no transparency, and cuts its own corners.
  ["maskable", "apple-touch", 180],
];

const browser = await launch();
for (const [source, name, size] of PICTURES) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  const svg = await readFile(new URL(`${source}.svg`, folder), "base64");
  await page.setContent(`<style>*{margin:0}img{display:block}</style><img src="data:image/svg+xml;base64,${svg}" width="${size}" height="${size}">`);
  await page.screenshot({ path: new URL(`${name}.png`, folder).pathname, omitBackground: true });
  await page.close();
}
await browser.close();
