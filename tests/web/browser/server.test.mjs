// The server's view: how full it is, how fast, and until when conversations live.

import assert from "node:assert/strict";

import { call, link, scenario, session } from "./support/scenario.mjs";
import { PHONE } from "./support/window.mjs";

const REPORT = "/api/metrics/sessions";

scenario("places, memory and latencies are seen, and a conversation lives longer", async ({ open }) => {
  const desk = await open("desk");
  const { page } = desk;
  await page.goto(link("/server"));
  const places = page.getByRole("meter", { name: "Agents at work" });
  await places.waitFor();
  assert.match(await places.getAttribute("aria-valuetext"), /^0 of \d+$/);
  await call("POST", "/api/chat", { sessionId: session, message: "hello" });
  await desk.until("a place is taken", () => /^1 of /.test(document.querySelector("[role=meter]").getAttribute("aria-valuetext")));
  await page.getByText(/process \d+/).waitFor();
  await desk.until("how long writing took is drawn", () => /typical \d+/.test(document.querySelector(".chart svg").getAttribute("aria-label")));

  const before = await call("GET", `/api/sessions/${session}`);
  await page.getByRole("button", { name: /^Extend / }).click();
  await page.getByText(/ lives until /).waitFor();
  const after = await call("GET", `/api/sessions/${session}`);
  assert.ok(after.expiresAt > before.expiresAt, `${after.expiresAt} is later than ${before.expiresAt}`);

  await page.getByText("locks", { exact: true }).click();
  await page.getByText("Seconds a lock holds without being renewed").waitFor();
  await desk.isAccessible("the server");
  await page.setViewportSize(PHONE);
  await desk.isAccessible("the server on a phone");
});

scenario("nobody asks the server while nobody looks", async ({ open }) => {
  const { page } = await open("desk");
  await page.clock.install();
  let asked = 0;
  page.on("request", (request) => (asked += request.url().includes(REPORT) ? 1 : 0));
  const minute = async () => {
    const before = asked;
    for (let second = 0; second < 60; second += 1) await page.clock.runFor(1_000);
    return asked - before;
  };
  const isSeen = (state) => page.evaluate((value) => {
    Object.defineProperty(document, "visibilityState", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
  await page.goto(link("/server"));
  await page.getByRole("meter", { name: "Agents at work" }).waitFor();
  assert.ok((await minute()) > 5, "somebody looks");
  const answered = page.waitForResponse((response) => response.url().includes(REPORT), { timeout: 5_000 }).catch(() => {});
  await isSeen("hidden");
  await answered;
  assert.equal(await minute(), 0, "the window is hidden");
  const next = page.waitForRequest((request) => request.url().includes(REPORT));
  await isSeen("visible");
  await next;
});
