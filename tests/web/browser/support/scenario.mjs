// A scenario: a real server, a browser of its own, windows on several devices, and a scripted device beside them.

import { mkdir, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { device, heardAll, projectPath, Relay, session, token, url } from "../../support/live.mjs";
import { launch } from "./chromium.mjs";
import { Window } from "./window.mjs";

export { device, heardAll, projectPath, Relay, session, token, url };

const FIGURES = fileURLToPath(new URL("../../../../target/figures/", import.meta.url));

/** The link that `tandem serve` prints, to a place in the app; also to a server that is reached by a detour. */
export function link(to = "", by = url) {
  return `${by}/#token=${token}${to && `&to=${encodeURIComponent(to)}`}`;
}

/** The place of the conversation that the scenario begins with. */
export const conversation = `/s/${session}`;

/**
 * Tests one scenario. Whatever it does, no window may have said that something went wrong in it.
 *
 * @param {string} name
 * @param {(stage: {browser: import("playwright-core").Browser, open: (name: string, options?: any) => Promise<Window>}) => Promise<void>} work
 */
export function scenario(name, work) {
  test(name, async () => {
    const browser = await launch();
    const windows = [];
    const open = async (windowName, options) => {
      const window = await Window.open(browser, windowName, options);
      windows.push(window);
      return window;
    };
    try {
      await work({ browser, open });
      for (const window of windows) window.isClean();
    } catch (error) {
      for (const window of windows) console.error(await window.remember(name));
      throw error;
    } finally {
      await browser.close();
    }
  });
}

/** Tells what was measured: `tests/run` prints it at its end. The last word under a name counts. */
export async function figure(name, text) {
  const line = `figure: page, ${name}: ${text}\n`;
  process.stdout.write(line);
  await mkdir(FIGURES, { recursive: true });
  await writeFile(`${FIGURES}page-${name.replaceAll(/[^a-z0-9]+/gi, "-")}.txt`, line);
}

/** How many programs want to run, on the average of the last minute: what a time on the clock is worth. */
export const load = () => loadavg()[0].toFixed(1);

/** A request to the API with the token. */
export async function call(method, path, body) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  return response.json();
}
