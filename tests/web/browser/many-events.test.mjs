// A conversation with ten thousand events is scrolled from its end towards its beginning.

import assert from "node:assert/strict";

import { conversation, device, figure, link, load, scenario, session } from "./support/scenario.mjs";
import { conversationOf } from "./support/views.mjs";
import { DESK, PHONE } from "./support/window.mjs";

const EVENTS = 10_000;

/**
 * What a frame may cost the page on the average, in milliseconds of the processor: half of what a display with 60 frames a second
 * leaves for it. The time on the clock is told, and depends on what else runs, also on the drawing itself without a graphics card.
 */
const MAX_WORK_MS = 8;

const SCROLLED_MS = 4_000;

/** An answer as agents write them. */
const ANSWER = `## What was done\n\n1. The **first** thing, in \`src/main.rs\`\n2. Another\n\n\`\`\`rust\nfn main() {\n    println!("hello");\n}\n\`\`\`\n\n| one | two |\n|---|---|\n| a | b |\n\n${"A sentence that is neither long nor short. ".repeat(6)}`;

async function fill() {
  const { client } = await device("script");
  await client.subscribe(session, { tail: 1 });
  const ended = new Map();
  client.on("event", ({ kind, data }) => kind === "turn_ended" && ended.get(data.messageId)?.());
  for (let round = 0, events = 0; events < EVENTS; round += 1) {
    for (const text of [ANSWER, "/burst 90 300"]) {
      const messageId = crypto.randomUUID();
      const end = new Promise((resolve) => ended.set(messageId, resolve));
      await client.submit(session, text, { messageId });
      await end;
    }
    events += 100;
  }
  await client.close();
}

/** Scrolls steadily upwards in the page itself, and returns how long each frame took. */
async function scrolled(said) {
  return said.evaluate((scroller, lasts) => new Promise((resolve) => {
    const frames = [];
    const begin = performance.now();
    let last = begin;
    const step = (now) => {
      frames.push(now - last);
      last = now;
      if (now - begin > lasts) return resolve({ frames, travelled: before - scroller.scrollTop });
      // 3,000 pixels a second: a fast flick.
      scroller.scrollTop -= 50;
      requestAnimationFrame(step);
    };
    const before = scroller.scrollTop;
    requestAnimationFrame(step);
  }), SCROLLED_MS);
}

const at = (sorted, part) => sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)];

scenario("ten thousand events are scrolled at a steady rate", async ({ open }) => {
  await fill();
  for (const [name, viewport] of [["phone", PHONE], ["desk", DESK]]) {
    const window = await open(name, { viewport });
    const begin = performance.now();
    await window.page.goto(link(conversation));
    const { said } = conversationOf(window.page);
    await conversationOf(window.page).composer.waitFor();
    await said.getByRole("article").last().waitFor();
    const opened = performance.now() - begin;
    const before = await window.work();
    const { frames, travelled } = await scrolled(said);
    const work = ((await window.work()) - before) / frames.length;
    const sorted = frames.slice(1).sort((one, other) => one - other);
    const [median, p95, worst] = [at(sorted, 0.5), at(sorted, 0.95), sorted.at(-1)].map((ms) => ms.toFixed(1));
    const elements = await window.page.evaluate(() => document.querySelectorAll("*").length);
    await figure(`scrolling on a ${name}`,
      `${EVENTS} events open after ${opened.toFixed(0)} ms; ${sorted.length} frames, median ${median} ms, p95 ${p95} ms, worst ${worst} ms, ` +
      `work in the page ${work.toFixed(1)} ms a frame; ${elements} elements, at a load of ${load()}`);
    assert.ok(frames.length > 20 && travelled > 20 * frames.length, `${frames.length} frames over ${travelled} pixels`);
    assert.ok(work < MAX_WORK_MS, `${work} ms a frame`);
    assert.ok(elements < 5_000, `${elements} elements: only what is near is drawn`);
    await window.context.close();
  }
});
