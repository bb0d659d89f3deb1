// A window of the browser as a person on one device has it, which remembers everything that went wrong in it.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { axeFile } from "./chromium.mjs";

/** How long a window waits for something that must come; far more than it ever takes. */
export const PATIENCE_MS = 30_000;

/** How often it looks. */
const LOOK_AGAIN_MS = 20;

const FAILURES = fileURLToPath(new URL("../../../../target/browser-failures/", import.meta.url));

/** What a browser says by itself when there is no network, or nobody listens. */
const LOSS = /net::ERR_|WebSocket connection to .* failed|Failed to fetch|the page cannot be kept for offline use/;

/** The width and height of devices. */
export const PHONE = { width: 360, height: 740 };
export const TABLET = { width: 768, height: 1024 };
export const DESK = { width: 1440, height: 900 };

/** See the module. */
export class Window {
  /** Bytes that came over the wire, all files together, as the browser counts them. */
  transferred = 0;
  #problems = [];
  #console = [];
  #mayLose = false;
  #wire;

  /**
   * @param {import("playwright-core").Browser} browser
   * @param {string} name
   * @param {import("playwright-core").BrowserContextOptions} options
   */
  static async open(browser, name, options = {}) {
    const context = await browser.newContext({ viewport: DESK, locale: "en-GB", timezoneId: "UTC", ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    // The page cannot hide what its policy has refused: this listens before any script of its own.
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
        console.error(`refused by the policy: ${violatedDirective} ${blockedURI}`));
    });
    const window = new Window();
    window.name = name;
    window.context = context;
    window.page = await context.newPage();
    await window.#listen();
    return window;
  }

  async #listen() {
    const { page } = this;
    page.on("console", (message) => {
      const text = `${message.type()}: ${message.text()} (${message.location().url}:${message.location().lineNumber})`;
      this.#console.push(text);
      if (message.type() === "error") this.#problem(text);
    });
    page.on("pageerror", (error) => this.#problem(`uncaught: ${error.stack ?? error}`));
    page.on("crash", () => this.#problem("the page has crashed"));
    page.on("requestfailed", (request) => this.#problem(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`));
    page.on("response", (response) => {
      if (response.status() >= 400) this.#problem(`${response.request().method()} ${response.url()}: ${response.status()}`);
    });
    this.#wire = await this.context.newCDPSession(page);
    await this.#wire.send("Network.enable");
    // Of the processor and not of the clock: what other programs do does not count.
    await this.#wire.send("Performance.enable", { timeDomain: "threadTicks" });
    this.#wire.on("Network.loadingFinished", ({ encodedDataLength }) => (this.transferred += encodedDataLength));
  }

  #problem(text) {
    this.#console.push(`PROBLEM ${text}`);
    // A page that is left ends what it had asked for.
    const isLoss = LOSS.test(text) && this.#mayLose;
    if (!isLoss && !/net::ERR_ABORTED/.test(text)) this.#problems.push(text);
  }

  /** From here on the network may be gone, and what the browser says about that is no problem. */
  mayLoseTheNetwork() {
    this.#mayLose = true;
  }

  /** A problem that must have come up, and is none: it is taken off the list. */
  expected(pattern) {
    const before = this.#problems.length;
    this.#problems = this.#problems.filter((problem) => !pattern.test(problem));
    assert.ok(this.#problems.length < before, `${this.name}: ${pattern} was to come up`);
  }

  /** How long the page itself has worked since it was opened, in milliseconds of the processor. */
  async work() {
    const { metrics } = await this.#wire.send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "TaskDuration").value;
  }

  /** Everything that went wrong here is an error. */
  isClean() {
    assert.deepEqual(this.#problems, [], `${this.name}: nothing goes wrong in the page`);
  }

  /** Fails when people who use a screen reader, a keyboard or less contrast meet a serious obstacle. */
  async isAccessible(what) {
    const has = await this.page.evaluate(() => "axe" in globalThis);
    // Evaluated by the debugger, as the page's policy lets no foreign script in.
    if (!has) await this.page.evaluate(await source(axeFile));
    const { violations, passes } = await this.page.evaluate(() =>
      globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
    assert.ok(passes.length > 5, "axe has looked at something");
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const told = serious.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(({ html, failureSummary }) => `  ${html}\n  ${failureSummary}`).join("\n")}`);
    assert.deepEqual(told, [], `${this.name}: ${what} is accessible`);
  }

  /** Waits until something is true in the page: the condition runs there, and may be asynchronous. */
  async until(what, condition, argument) {
    const deadline = Date.now() + PATIENCE_MS;
    let last;
    for (;;) {
      // A page that is just being replaced by another one cannot answer.
      last = await this.page.evaluate(condition, argument).catch((error) => error);
      if (last && !(last instanceof Error)) return last;
      assert.ok(Date.now() < deadline, `${this.name}: never true: ${what} (${last})`);
      await delay(LOOK_AGAIN_MS);
    }
  }

  /** Keeps what a failed test can be understood by, and says where. */
  async remember(scenario) {
    await mkdir(FAILURES, { recursive: true });
    const path = `${FAILURES}${scenario.replaceAll(/[^a-z0-9]+/gi, "-")}-${this.name}.png`;
    await this.page.screenshot({ path, timeout: 5_000 }).catch(() => {});
    const snapshot = await this.page.locator("body").ariaSnapshot({ timeout: 5_000 }).catch(() => "no page");
    return `${this.name} at ${this.page.url().replace(/token=.*/, "token=…")}, shown in ${path}\n${this.#console.join("\n")}\n${snapshot}`;
  }
}

/** @type {Map<string, Promise<string>>} */
const sources = new Map();

async function source(file) {
  if (!sources.has(file)) sources.set(file, readFile(file, "utf8"));
  return sources.get(file);
}
